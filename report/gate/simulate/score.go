package simulate

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"

	"github.com/energyprof/energyprof/report/gate"
)

// Score counts what became of many comparisons or checks of one case.
type Score struct {
	Of int
	// Alarms are comparisons in which the total, and Names those in which any function that has not changed, is said to
	// have; Found those in which what has changed is: the total, or the function.
	Alarms, Names, Found int
	Any                  int // with an alarm, a name or, of checks, a failure
	Named                int // functions named rightly, where all change: of Of * Functions
	Because              int // found with the right cause
	Fail, Pass           int // checks; the rest are undecided
	Covered              int // comparisons whose interval of the total's energy has the true change; none where one function changes
}

func (s *Score) add(o Score) {
	s.Of += o.Of
	s.Alarms += o.Alarms
	s.Names += o.Names
	s.Any += o.Any
	s.Found += o.Found
	s.Named += o.Named
	s.Because += o.Because
	s.Fail += o.Fail
	s.Pass += o.Pass
	s.Covered += o.Covered
}

// repeat adds up what one does, each with a generator of its own.
func repeat(times, workers int, seed uint64, one func(*rand.Rand) (Score, error)) (Score, error) {
	type result struct {
		Score
		err error
	}
	next, done := make(chan uint64), make(chan result)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				s, err := one(rand.New(rand.NewPCG(seed, i)))
				s.Of = 1
				s.Any = min(1, s.Alarms+s.Names+s.Fail)
				done <- result{s, err}
			}
		})
	}
	go func() {
		for i := range times {
			next <- uint64(i)
		}
		close(next)
		wg.Wait()
		close(done)
	}()
	var sum Score
	var failed error
	for r := range done {
		sum.add(r.Score)
		if r.err != nil {
			failed = r.err
		}
	}
	return sum, failed
}

// Compare scores comparisons.
func (c Case) Compare(times, workers int, seed uint64) (Score, error) {
	return repeat(times, workers, seed, func(rng *rand.Rand) (Score, error) {
		old, new := c.Draw(rng)
		cmp, err := gate.Compare(old, new, c.Options())
		if err != nil {
			return Score{}, err
		}
		return c.read(cmp), nil
	})
}

// read scores one comparison.
func (c Case) read(cmp *gate.Comparison) Score {
	var s Score
	cause := "time"
	if c.Watts {
		cause = "power"
	}
	total := cmp.Totals[0] // energy
	switch {
	case total.Significant && c.Where == Nowhere:
		s.Alarms = 1
	case total.Significant && c.Where == All:
		s.Found = 1
		if cmp.Because == cause {
			s.Because = 1
		}
	}
	truth := 1.0
	if c.Where == All {
		truth += c.Change
	}
	if c.Where != One && total.Low <= truth && truth <= total.High {
		s.Covered = 1
	}
	for _, f := range cmp.Functions {
		if !f.Named {
			continue
		}
		switch {
		case c.Where == All:
			s.Named++
		case c.Where == One && f.Key == keys[Changed]:
			s.Found, s.Named = 1, 1
			if f.Because == cause {
				s.Because = 1
			}
		default:
			s.Names = 1
		}
	}
	return s
}

// Check scores checks with a limit on the energy of the total or, where one function changes, of each function. Names are checks that name a function, or fail one, that has not changed.
func (c Case) Check(limit float64, times, workers int, seed uint64) (Score, error) {
	opt := c.Options()
	l := gate.Limit{Quantity: gate.Energy, Max: limit}
	if c.Where == One {
		l.Function = regexp.MustCompile("^f")
	} else {
		// A check names functions only where a limit is exceeded, and for a limit on the total they do not matter.
		opt.MinSeconds, opt.MinJoules = 1e6, 1e6
	}
	opt.Limits = []gate.Limit{l}
	return repeat(times, workers, seed, func(rng *rand.Rand) (Score, error) {
		old, new := c.Draw(rng)
		r, err := gate.Check(old, new, opt)
		if err != nil {
			return Score{}, err
		}
		s := c.read(r.Comparison)
		s.Found, s.Alarms = 0, 0 // of the limit only
		switch r.Decision() {
		case gate.Fail:
			s.Fail = 1
		case gate.Pass:
			s.Pass = 1
		}
		for _, v := range r.Verdicts {
			switch {
			case v.Decision != gate.Fail:
			case v.Key == nil || *v.Key == keys[Changed]:
				s.Found = 1
			default:
				s.Names = 1
			}
		}
		return s, nil
	})
}

// Detectable scores changes of the size that a comparison without one prints as detectable, of the total and of a
// function, in as many other runs: Found are those of the total that are found, Named those of the function.
func (c Case) Detectable(times, workers int, seed uint64) (Score, error) {
	return repeat(times, workers, seed, func(rng *rand.Rand) (Score, error) {
		var s Score
		changed := func(where Where, change float64) (*gate.Comparison, *gate.FunctionChange, error) {
			c := c
			c.Where, c.Change = where, change
			old, new := c.Draw(rng)
			r, err := gate.Compare(old, new, c.Options())
			if err != nil {
				return nil, nil, err
			}
			for i := range r.Functions {
				if r.Functions[i].Key == keys[Changed] {
					return r, &r.Functions[i], nil
				}
			}
			return nil, nil, fmt.Errorf("simulate: %v is not tested", keys[Changed])
		}
		first, function, err := changed(Nowhere, 0)
		if err != nil {
			return s, err
		}
		all, _, err := changed(All, first.Totals[0].Detectable)
		if err != nil {
			return s, err
		}
		if all.Totals[0].Significant {
			s.Found = 1
		}
		_, one, err := changed(One, function.Energy.Detectable)
		if err != nil {
			return s, err
		}
		if one.Energy.Significant {
			s.Named = 1
		}
		return s, nil
	})
}
