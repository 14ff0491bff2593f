package attribution_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/attribution/simulate"
)

// Company that is there is found, as large as it is, and intervals hold with it. What is
// not there, or so little that samples would pass for it, is not found.
func TestCompany(t *testing.T) {
	tests := []struct {
		crowding float64
		found    bool
	}{
		{-0.2, true}, {-0.05, true}, {0.05, true}, {0.2, true},
		{0, false}, {0.01, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.crowding), func(t *testing.T) {
			var inside, intervals int
			for seed := range uint64(4) {
				r, tr := crowded(t, tt.crowding, seed+1)
				note := ""
				for _, n := range r.Notes {
					if strings.Contains(n, "all other CPUs run") {
						note = n
					}
				}
				if (note != "") != tt.found {
					t.Errorf("seed %d: note %q, want one: %v", seed+1, note, tt.found)
					continue
				}
				if !tt.found {
					continue
				}
				var percent float64
				if _, err := fmt.Sscanf(note, "package of package 0: functions draw %f %%", &percent); err != nil {
					t.Fatalf("%q: %v", note, err)
				}
				if want := 100 * (1 + tt.crowding); math.Abs(percent-want) > 1 {
					t.Errorf("seed %d: %q, want %.0f %%", seed+1, note, want)
				}
				for i, e := range tr.Errors(tr.Joules(r, "package"), "package", 0) {
					if math.Abs(e) > 0.03 {
						t.Errorf("seed %d: joules of function %d are %.1f %% off", seed+1, i, 100*e)
					}
				}
				for _, iv := range tr.Intervals(r, "package", func(int) simulate.Oracle { return simulate.Oracle{Joules: make([]float64, 4)} }) {
					intervals++
					if iv.Inside() {
						inside++
					}
				}
			}
			// Three standard deviations below 95 %.
			if p := float64(inside) / float64(intervals); tt.found && p < 0.95-3*math.Sqrt(0.95*0.05/float64(intervals)) {
				t.Errorf("%d of %d intervals hold", inside, intervals)
			}
		})
	}
}

// crowded records four functions on two CPUs whose power depends on the other CPU,
// and attributes the energy by regression.
func crowded(t *testing.T, crowding float64, seed uint64) (*attribution.Result, *simulate.Trace) {
	t.Helper()
	m := simulate.Machine{
		Packages:  []simulate.Package{{CPUs: 2, Busy: 0.7, Static: 10, Crowding: crowding}},
		IdleBurst: 20 * time.Millisecond,
	}
	for _, watts := range []float64{3, 7, 12, 20} {
		m.Functions = append(m.Functions, simulate.Function{Watts: watts, Share: 1, Burst: 50 * time.Millisecond})
	}
	in := simulate.Typical()
	in.Duration = 20 * time.Second
	tr, err := simulate.Record(m, in, seed)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Attribute(tr.Options(attribution.Regression))
	if err != nil {
		t.Fatal(err)
	}
	return r, tr
}
