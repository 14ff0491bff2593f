package gate

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// TestAlike: a few runs that agree to the last digit, as those of a function of one sample do, have no noise to go by, and
// name nothing however far the sides lie apart. More runs that agree are no chance.
func TestAlike(t *testing.T) {
	for _, c := range []struct {
		runs   int
		paired bool
		named  bool
	}{{3, false, false}, {4, false, false}, {3, true, false}, {20, false, true}, {20, true, true}} {
		opt := DefaultOptions()
		opt.MinSeconds, opt.Paired, opt.Energy = 0.001, c.paired, false
		side := func(seconds float64) []Run {
			runs := make([]Run, c.runs)
			for i := range runs {
				runs[i] = Run{Total: Amount{10 + 0.1*float64(i%3), math.NaN(), math.NaN()}, Functions: map[Key]Amount{{"f", "l"}: {seconds, math.NaN(), math.NaN()}}}
			}
			return runs
		}
		got, err := Compare(side(0.001), side(0.003), opt)
		if err != nil {
			t.Fatal(err)
		}
		if f := got.Functions[0]; f.Named != c.named || math.Abs(f.Time.Ratio-3) > 1e-9 || !c.named && (f.Time.P < 0.02 || !math.IsInf(f.Time.Detectable, 1)) {
			t.Errorf("%d runs, paired %v: named %v, ratio %v, p %v, detectable %v; want named %v, ratio 3", c.runs, c.paired, f.Named, f.Time.Ratio, f.Time.P, f.Time.Detectable, c.named)
		}
	}
}

// TestRarelySampled: functions that have two samples in a run are not named by chance, neither for their time nor for joules
// that vary at equal times.
func TestRarelySampled(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 2))
	samples := distuv.Poisson{Lambda: 2, Src: random}
	opt := DefaultOptions()
	opt.MinSeconds = 0.001
	side := func() []Run {
		runs := make([]Run, MinRuns)
		for i := range runs {
			runs[i] = Run{Total: Amount{1 + 0.01*random.NormFloat64(), 10 + 0.1*random.NormFloat64(), math.NaN()}, Functions: map[Key]Amount{}}
			for f := range 50 {
				if n := samples.Rand(); n > 0 {
					runs[i].Functions[Key{string(rune('A' + f)), "l"}] = Amount{0.001 * n, 0.01 * n * (1 + 0.02*random.NormFloat64()), math.NaN()}
				}
			}
		}
		return runs
	}
	const comparisons = 100
	named := 0
	for range comparisons {
		c, err := Compare(side(), side(), opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Functions {
			if f.Named {
				named++
				break
			}
		}
	}
	if named > comparisons/100 {
		t.Errorf("%d of %d comparisons without a change name a function, want at most 1 %%", named, comparisons)
	}
}
