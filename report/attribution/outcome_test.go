package attribution

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/mat"
)

// A function whose seconds on two types of core are one term has the error of the term,
// and its part of it where some of the term was lost.
func TestPowers(t *testing.T) {
	o := outcome{
		identified: &identified{
			fit:   &fit{joules: []float64{10}, problem: &problem{n: 1, noise: mat.NewSymDense(1, nil)}},
			model: model{terms: terms{n: 1, unit: []int32{0, 0}, base: none, active: none, other: none, lost: none}},
		},
		functions: &functions{pools: []int32{0}, types: 2},
		unit:      []float64{1, 2}, counted: []float64{1, 1}, sums: []float64{3}, lostIn: []float64{0}, sd: []float64{1},
	}
	for _, tt := range []struct {
		lost float64
		want FunctionPower
	}{
		{0, FunctionPower{Seconds: 3, Joules: 10, Low: 8.04, High: 11.96, Watts: 10. / 3, Group: none}},
		{3, FunctionPower{Seconds: 3, Joules: 5, Low: 4.02, High: 5.98, Watts: 5. / 3, Group: none}},
	} {
		o.lostIn[0] = tt.lost
		whole, rate, _, _ := o.parts(0)
		got := o.powers([]float64{rate}, []float64{whole}, 40)
		if diff := cmp.Diff([]FunctionPower{tt.want}, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%v s lost: %s", tt.lost, diff)
		}
	}
	// Nobody knows how sure it is, but all drew 40 J.
	for _, o.sd[0] = range []float64{math.Inf(1), math.NaN()} {
		if p := o.powers([]float64{1}, []float64{6}, 40)[0]; p.Low != 0 || p.High != 40 {
			t.Errorf("an error of %v J gives %v to %v J", o.sd[0], p.Low, p.High)
		}
	}
}
