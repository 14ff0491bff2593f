package gate

import (
	"fmt"
	"math"
	"sort"
)

// Plan is how many runs on each side a check by DefaultOptions takes to decide about a change with probability
// Options.Power. noise is the relative standard deviation of a run; change and limit are relative: 0.1 is +10 %. functions is
// among how many limits the error is shared: 1 for one metric alone. A change above the limit is to fail, one below it to
// pass; with a limit of 0, which is tested two-sided, a decrease counts like an increase. -1: more than
// MaxRuns.
func Plan(noise, change, limit float64, functions int) (int, error) {
	switch {
	case !(noise >= 0) || math.IsInf(noise, 1):
		return 0, fmt.Errorf("gate: %w: noise of %v", ErrOptions, noise)
	case !(change > -1) || math.IsInf(change, 1):
		return 0, fmt.Errorf("gate: %w: change of %v", ErrOptions, change)
	case !(limit > -1) || math.IsInf(limit, 1):
		return 0, fmt.Errorf("gate: %w: limit of %v", ErrOptions, limit)
	case change == limit:
		return 0, fmt.Errorf("gate: %w: a change of %v cannot be told from a limit of the same size", ErrOptions, change)
	case functions < 1:
		return 0, fmt.Errorf("gate: %w: %d tests", ErrOptions, functions)
	}
	opt := DefaultOptions()
	by := math.Log1p(change) - math.Log1p(limit)
	variance := max(math.Log1p(noise*noise), leastNoise*leastNoise)
	level := opt.FamilyError / float64(functions)
	p := level / sidedness(limit)
	if limit != 0 && by < 0 {
		level = passError(opt.FamilyError)
		p = level
	}
	s := shift{by: by, variance: [2]float64{variance, variance}}
	return s.more(math.Abs(by), p, level, opt.Power, false), nil
}

// more is how many runs on each side, beyond those there are, find a difference by (above 0) with probability power, in a
// test that errs with probability p on its side; level is that of fewNoise. -1: more than MaxRuns.
func (s shift) more(by, p, level, power float64, paired bool) int {
	sizes := 2
	if paired {
		sizes = 1
	}
	enough := func(further int) bool {
		at := s
		for i := range sizes {
			at.runs[i] += further
			if at.runs[i] < MinRuns {
				return false
			}
			at.freedom[i] = float64(at.runs[i] - 1)
		}
		se, df := at.error(level)
		return found(by/se, critical(p, df), math.Floor(df)) >= power
	}
	// Monotone: more runs only help.
	n := sort.Search(MaxRuns+1, enough)
	if n > MaxRuns {
		return -1
	}
	return n
}
