package compare

import (
	"math"
	"testing"

	"github.com/energyprof/energyprof/report/gate"
)

// TestCycles: a function whose cycles grow by a quarter has an interval around that, and no test; without cycles in one
// of the runs there are none.
func TestCycles(t *testing.T) {
	work, other := gate.Key{Name: "work"}, gate.Key{Name: "other"}
	runs := func(cycles float64) []gate.Run {
		var out []gate.Run
		for i := range 8 {
			vary := 1 + 0.01*math.Sin(float64(i)*cycles)
			out = append(out, gate.Run{Elapsed: 2, Total: gate.Amount{Seconds: 2, Joules: math.NaN(), Cycles: cycles*vary + 1e9},
				Functions: map[gate.Key]gate.Amount{work: {Seconds: 1, Joules: math.NaN(), Cycles: cycles * vary}, other: {Seconds: 1, Joules: math.NaN(), Cycles: 1e9}}})
		}
		return out
	}
	old, new := runs(2e9), runs(2.5e9)
	got, err := cycles(old, new, gate.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	c := got[work]
	if c.Quantity != gate.Cycles || c.Low > 1.25 || c.High < 1.25 || c.Low < 1.2 || c.High > 1.3 || math.Abs(c.Old/2e9-1) > 0.01 {
		t.Errorf("cycles of work: %+v, want an interval around 1.25", c)
	}
	if !math.IsNaN(c.P) || !math.IsNaN(c.Adjusted) || c.Significant || !math.IsInf(c.Detectable, 1) {
		t.Errorf("cycles of work are tested: %+v", c)
	}
	if old[0].Functions[work].Seconds != 1 {
		t.Error("the runs have changed")
	}
	new[3].Total.Cycles = math.NaN()
	if got, err := cycles(old, new, gate.DefaultOptions()); got != nil || err != nil {
		t.Errorf("%v, %v where a run has no cycles, want none", got, err)
	}
}
