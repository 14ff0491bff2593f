package simulate

import (
	"math"
	"math/rand/v2"
	"regexp"

	"github.com/energyprof/energyprof/report/gate"
)

// Planned is a change that a number of runs is planned for: of the time of one metric alone (Functions is 1) or of one
// of so many functions whose noise has nothing in common.
type Planned struct {
	Noise, Change, Limit float64
	Functions            int
}

// Runs is what gate.Plan says.
func (p Planned) Runs() (int, error) { return gate.Plan(p.Noise, p.Change, p.Limit, p.Functions) }

// Score scores checks of what changes with a number of runs on each side: how many fail and pass.
func (p Planned) Score(runs, times, workers int, seed uint64) (Score, error) {
	opt := gate.DefaultOptions()
	opt.Energy = false
	l := gate.Limit{Quantity: gate.Time, Max: p.Limit}
	if p.Functions > 1 {
		l.Function = regexp.MustCompile("^f")
	}
	opt.Limits = []gate.Limit{l}
	return repeat(times, workers, seed, func(rng *rand.Rand) (Score, error) {
		old, new := p.draw(rng, runs, 0), p.draw(rng, runs, math.Log1p(p.Change))
		var s Score
		r, err := gate.Check(old, new, opt)
		if err != nil {
			return s, err
		}
		for _, v := range r.Verdicts {
			if v.Key != nil && *v.Key != keys[0] {
				continue
			}
			switch v.Decision {
			case gate.Fail:
				s.Fail = 1
			case gate.Pass:
				s.Pass = 1
			}
		}
		return s, nil
	})
}

// draw makes the runs of one side; change is added to the logarithm of what changes.
func (p Planned) draw(rng *rand.Rand, runs int, change float64) []gate.Run {
	sd := math.Sqrt(math.Log1p(p.Noise * p.Noise))
	side := make([]gate.Run, runs)
	for i := range side {
		r := gate.Run{Functions: map[gate.Key]gate.Amount{}}
		r.Total.Cycles = math.NaN()
		for f := range p.Functions {
			by := 0.0
			if f == 0 {
				by = change
			}
			a := gate.Amount{Seconds: math.Exp(by + sd*rng.NormFloat64()), Cycles: math.NaN()}
			r.Total.Seconds += a.Seconds
			if p.Functions > 1 {
				r.Functions[keys[f]] = a
			}
		}
		side[i] = r
	}
	return side
}
