package gate

import (
	"fmt"
	"math"
	"regexp"
)

// Limit is the largest relative increase that is allowed.
type Limit struct {
	Quantity Quantity
	Function *regexp.Regexp // matched with the names of functions; nil: the total
	Max      float64        // 0.05: +5 %
}

// Decision is what a check says of a limit.
type Decision int

// The decisions.
const (
	Undecided Decision = iota // the data cannot tell
	Pass                      // below the limit, with confidence
	Fail                      // above the limit, with confidence
)

// Verdict is what became of one limit on one thing.
type Verdict struct {
	Limit  Limit
	Key    *Key   // nil: the total
	Change Change // as in the Comparison
	Decision
	// P is the probability of such data, or worse, if the limit were kept (of a limit of 0: of such a difference to either
	// side), adjusted for all verdicts (Holm), and PassP of such data, or better, if it were not kept: not adjusted, since a
	// check passes only if all of its limits do. What fails or passes by them has the limit outside of Change.Low and High,
	// unless Options.Confidence is above 0.99. What is undecided may have it there too: to decide takes more certainty. NaN:
	// too few runs.
	P, PassP float64
	// MoreRuns is how many more runs on each side would decide it with probability Options.Power if the change and the noise
	// are what they seem to be, which few runs tell badly. 0: decided; -1: more than MaxRuns.
	MoreRuns int
	// Detectable is the smallest relative increase that as many runs show to be above the limit with probability
	// Options.Power. +Inf: none.
	Detectable float64
	// Because says what moved the energy: "time", "power", "both", or "" where the data cannot tell or the limit is not on
	// energy. Only of what fails.
	Because string
}

// Result is what Check found.
type Result struct {
	// Comparison is that of Compare, but that functions are named only if a limit is exceeded: without a change the
	// probability that anything fails or is named is then Options.FamilyError.
	*Comparison
	Verdicts  []Verdict // limit by limit, the functions of each in the order of Comparison.Functions
	Unmatched []Limit   // limits on functions that match none that was tested
}

// Check compares and holds the changes against Options.Limits. A limit fails if the change is above it with confidence
// and passes if it is below it with confidence: two tests of one hypothesis each, that the change is at most, or at least,
// the limit.
func Check(old, new []Run, opt Options) (*Result, error) {
	w, err := newWork(old, new, &opt)
	if err != nil {
		return nil, err
	}
	if len(opt.Limits) == 0 {
		return nil, fmt.Errorf("gate: %w: no limits", ErrOptions)
	}
	if len(old) == 1 {
		return nil, fmt.Errorf("gate: %w", ErrOneRun)
	}
	r := &Result{Comparison: w.compare()}
	of := map[Key]quantities{}
	for _, f := range w.tested {
		of[f.Key] = f.quantities
	}
	var shifts []shift
	for _, l := range opt.Limits {
		if l.Function == nil {
			c := r.total(l.Quantity)
			if c == nil {
				return nil, fmt.Errorf("gate: %w: a limit on %v, which is not known of all runs", ErrOptions, l.Quantity)
			}
			r.Verdicts = append(r.Verdicts, Verdict{Limit: l, Change: *c})
			shifts = append(shifts, w.totals.estimate(l.Quantity, opt.Paired))
			continue
		}
		matched := false
		for i := range r.Functions {
			f := &r.Functions[i]
			if _, known := of[f.Key][l.Quantity]; !known || !l.Function.MatchString(f.Name) {
				continue
			}
			matched = true
			r.Verdicts = append(r.Verdicts, Verdict{Limit: l, Key: &f.Key, Change: w.changeOf(f, l.Quantity, of[f.Key])})
			shifts = append(shifts, of[f.Key].estimate(l.Quantity, opt.Paired))
		}
		if !matched {
			r.Unmatched = append(r.Unmatched, l)
		}
	}
	w.decide(r, shifts)
	return r, nil
}

// changeOf is a function's change as the comparison has it.
func (w *work) changeOf(f *FunctionChange, q Quantity, of quantities) Change {
	switch q {
	case Energy:
		return f.Energy
	case Time:
		return f.Time
	case Power:
		return f.Power
	}
	c := w.change(q, of)
	c.Adjusted = math.NaN() // not of the family
	return c
}

// decide fills in the verdicts, of shifts in their order.
func (w *work) decide(r *Result, shifts []shift) {
	alpha := w.opt.FamilyError
	level := alpha / float64(max(1, len(shifts)))
	p := make([]*float64, len(shifts))
	for i, s := range shifts {
		v := &r.Verdicts[i]
		p[i] = &v.P
		v.P, v.PassP, v.Detectable = math.NaN(), math.NaN(), math.Inf(1)
		if !w.enough() {
			continue
		}
		limit := math.Log1p(v.Limit.Max)
		sided := sidedness(v.Limit.Max)
		v.P, v.PassP = s.probability(s.by-limit, sided), s.probability(limit-s.by, 1)
		se, _ := s.error(level)
		v.Detectable = math.Expm1(limit + se*design{s.runs, level / sided, w.opt.Power}.detectable())
	}
	if w.enough() {
		holm(p)
	}
	failed := 0
	for i, s := range shifts {
		v := &r.Verdicts[i]
		switch {
		case v.P <= alpha:
			v.Decision = Fail
			failed++
		case v.PassP <= passError(alpha):
			v.Decision = Pass
		default:
			v.MoreRuns = w.more(s, v.Limit, level)
		}
	}
	for i := range r.Verdicts {
		if v := &r.Verdicts[i]; v.Decision == Fail {
			r.cause(v, alpha/float64(failed))
		}
	}
	if failed > 0 {
		return
	}
	for i := range r.Functions {
		r.Functions[i].Named, r.Functions[i].Because = false, ""
	}
}

// more is how many more runs decide a limit, if the change is what it seems to be.
func (w *work) more(s shift, limit Limit, level float64) int {
	least := max(1, MinRuns-min(w.old, w.new))
	for i, n := range s.runs {
		if n == 1 { // as noisy as the other side
			s.variance[i], s.freedom[i] = s.variance[1-i], s.freedom[1-i]
		}
	}
	by := s.by - math.Log1p(limit.Max)
	p := level / sidedness(limit.Max)
	if by < 0 { // it passes
		level = passError(w.opt.FamilyError)
		p = level
	}
	n := s.more(math.Abs(by), p, level, w.opt.Power, w.opt.Paired)
	if n < 0 {
		return n
	}
	return max(n, least)
}

// sidedness is 2 for a limit of 0, which is held as Compare finds differences, with half of the error on each side: a
// change of 0 is the one that is common. Other limits err on their own side alone.
func sidedness(limit float64) float64 {
	if limit == 0 {
		return 2
	}
	return 1
}

// passError is the probability with which a limit passes that is exceeded. Nobody looks at what passed again: half of the
// error that what fails may have.
func passError(familyError float64) float64 { return familyError / 2 }

// cause says of an energy that exceeds its limit what moved it, at an error of alpha: what fails shares that of the check.
func (r *Result) cause(v *Verdict, alpha float64) {
	if v.Limit.Quantity != Energy {
		return
	}
	if v.Key == nil {
		if time := r.clock(); time != nil {
			v.Because = because(time.P, r.total(Power).P, alpha)
		}
		return
	}
	for _, f := range r.Functions {
		if f.Key == *v.Key {
			v.Because = because(f.Time.P, f.Power.P, alpha)
		}
	}
}

// Decision is that of the whole check: Fail if a limit is exceeded, else Undecided if one is undecided or matched
// nothing, else Pass.
func (r *Result) Decision() Decision {
	all := Pass
	if len(r.Unmatched) > 0 {
		all = Undecided
	}
	for _, v := range r.Verdicts {
		switch v.Decision {
		case Fail:
			return Fail
		case Undecided:
			all = Undecided
		}
	}
	return all
}
