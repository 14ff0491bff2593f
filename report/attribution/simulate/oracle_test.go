package simulate

import (
	"math"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"
)

// The oracle's errors are those of an estimator that has what the oracle has:
// least squares on exact run times, weighted by the noise of the counter, which
// is all the error there is.
func TestOracle(t *testing.T) {
	m := Machine{
		Packages:  []Package{{CPUs: 2, Busy: 0.5, Static: 5, Active: 4}},
		Functions: []Function{{Watts: 5, Share: 1}, {Watts: 12, Share: 1, Burst: 10 * time.Millisecond}},
	}
	in := Instruments{Duration: 2 * time.Second, ReadEvery: 10 * time.Millisecond, Noise: 0.05, Hertz: 20000}
	var squares [4]float64 // of errors in the oracle's standard deviations: static, active, functions
	const seeds = 60
	for seed := range uint64(seeds) {
		tr, err := Record(m, in, seed)
		if err != nil {
			t.Fatal(err)
		}
		readings := tr.Readings[0]
		edges := make([]int64, len(readings))
		for i, r := range readings {
			edges[i] = r.T
		}
		ran, active := tr.Ran(0, edges)
		x, y := mat.NewDense(len(active), 4, nil), mat.NewVecDense(len(active), nil)
		for k := range active {
			dt := float64(edges[k+1]-edges[k]) / 1e9
			row := []float64{dt, active[k], ran[k][0], ran[k][1]}
			expected := 5*row[0] + 4*row[1] + 5*row[2] + 12*row[3]
			for i := range row {
				row[i] /= expected
			}
			x.SetRow(k, row)
			y.SetVec(k, (readings[k+1].Joules-readings[k].Joules)/expected)
		}
		var watts mat.VecDense
		if err := watts.SolveVec(x, y); err != nil {
			t.Fatal(err)
		}
		o, truth := tr.Oracle(0, false), tr.Truth.Series[0]
		for i, z := range []float64{
			(watts.AtVec(0) - 5) / o.Baseline, (watts.AtVec(1) - 4) / o.Active,
			(watts.AtVec(2) - 5) * truth.Functions[0].Seconds / o.Joules[0],
			(watts.AtVec(3) - 12) * truth.Functions[1].Seconds / o.Joules[1],
		} {
			squares[i] += z * z / seeds
		}
	}
	for i, s := range squares {
		if math.Abs(s-1) > 0.5 { // 3 standard deviations of a mean of 60 squares
			t.Errorf("power %d errs by %.2f of the oracle's standard deviations", i, math.Sqrt(s))
		}
	}
}

// A power that nothing tells apart is infinitely uncertain, and does not spoil
// the others: a function that runs always, and static power.
func TestOracleCannotTell(t *testing.T) {
	m := Machine{
		Packages:  []Package{{CPUs: 2, BusyCPU: []float64{1, 0.5}, Static: 5}},
		Functions: []Function{{Watts: 5, Share: 1, CPUs: []int{0}}, {Watts: 12, Share: 1, CPUs: []int{1}}},
	}
	tr, err := Record(m, Typical(), 1)
	if err != nil {
		t.Fatal(err)
	}
	o := tr.Oracle(0, false)
	if !math.IsInf(o.Joules[0], 1) || o.Joules[1] > 1 || o.Joules[1] == 0 {
		t.Errorf("joules uncertain by %v, want infinity for the first alone", o.Joules)
	}
	if o = tr.Oracle(0, true); o.Joules[0] > 5 {
		t.Errorf("with static power given joules are uncertain by %v", o.Joules)
	}
}
