package gate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Compare says what changed from old to new.
func Compare(old, new []Run, opt Options) (*Comparison, error) {
	w, err := newWork(old, new, &opt)
	if err != nil {
		return nil, err
	}
	return w.compare(), nil
}

// work is what both Compare and Check need.
type work struct {
	opt      *Options
	old, new int // runs
	totals   quantities
	functions
	level float64 // the error of a test when all of the family are still in it
}

func newWork(old, new []Run, opt *Options) (*work, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	if err := validate("old", old, opt); err != nil {
		return nil, err
	}
	if err := validate("new", new, opt); err != nil {
		return nil, err
	}
	if opt.Paired && len(old) != len(new) {
		return nil, fmt.Errorf("gate: %w: pairs of %d old and %d new runs", ErrOptions, len(old), len(new))
	}
	w := &work{opt: opt, old: len(old), new: len(new), totals: totals(old, new, opt.Energy), functions: match(old, new, opt)}
	return w, nil
}

// enough says that the runs are enough for statements of confidence.
func (w *work) enough() bool { return min(w.old, w.new) >= MinRuns }

// reserved is how much less often than Options.FamilyError allows a comparison may name anything by chance, if noise is
// normal: what is measured is not quite.
const reserved = 2

// inFamily are the quantities of functions that are tested for themselves; their power explains what is found.
var inFamily = []Quantity{Energy, Time}

func (w *work) family() int {
	n := len(w.totals)
	for _, f := range w.tested {
		for _, q := range inFamily {
			if f.quantities[q].old != nil {
				n++
			}
		}
	}
	return n
}

func (w *work) compare() *Comparison {
	c := &Comparison{Old: w.old, New: w.new, Paired: w.opt.Paired, Small: w.small, Added: w.added, Removed: w.removed}
	c.Family = w.family()
	w.level = w.opt.FamilyError / reserved / float64(max(1, c.Family))
	for q := Energy; q <= Cycles; q++ {
		if w.totals[q].old != nil {
			c.Totals = append(c.Totals, w.change(q, w.totals))
		}
	}
	for _, f := range w.tested {
		c.Functions = append(c.Functions, FunctionChange{
			Key: f.Key, Energy: w.change(Energy, f.quantities), Time: w.change(Time, f.quantities), Power: w.change(Power, f.quantities),
			TimePart: math.NaN(), PowerPart: math.NaN(),
		})
	}
	w.adjust(c)
	w.explain(c)
	slices.SortStableFunc(c.Functions, func(a, b FunctionChange) int { return cmp.Compare(b.size(), a.size()) })
	return c
}

// size is by how much a function differs: by joules where they are compared.
func (f *FunctionChange) size() float64 {
	if d := math.Abs(f.Energy.New - f.Energy.Old); !math.IsNaN(d) {
		return d
	}
	return math.Abs(f.Time.New - f.Time.Old)
}

// change compares one quantity; of one that is not known all is NaN.
func (w *work) change(q Quantity, of quantities) Change {
	nan := math.NaN()
	c := Change{Quantity: q, Old: nan, New: nan, Ratio: nan, Low: nan, High: nan, P: nan, Adjusted: nan, Noise: nan, Detectable: math.Inf(1)}
	if _, ok := of[q]; !ok {
		return c
	}
	s := of.estimate(q, w.opt.Paired)
	c.Old, c.New, c.Ratio, c.Noise = math.Exp(s.old), math.Exp(s.new), math.Exp(s.by), s.noise()
	if !w.enough() {
		return c
	}
	c.P = s.probability(math.Abs(s.by), 2)
	c.Adjusted = c.P
	// At its own error, not at the family's: what is decided with more certainty then lies beyond the interval.
	se, df := s.error(1 - w.opt.Confidence)
	half := se * critical((1-w.opt.Confidence)/2, df)
	c.Low, c.High = math.Exp(s.by-half), math.Exp(s.by+half)
	se, _ = s.error(w.level)
	c.Detectable = math.Expm1(se * design{s.runs, w.level / 2, w.opt.Power}.detectable())
	return c
}

// adjust shares the error among all tests of the family.
func (w *work) adjust(c *Comparison) {
	if !w.enough() {
		return
	}
	var family []*Change
	for i := range c.Totals {
		family = append(family, &c.Totals[i])
	}
	for i := range c.Functions {
		f := &c.Functions[i]
		for _, ch := range []*Change{&f.Energy, &f.Time} {
			if !math.IsNaN(ch.P) {
				family = append(family, ch)
			}
		}
	}
	p := make([]*float64, len(family))
	for i, ch := range family {
		p[i] = &ch.Adjusted
	}
	holm(p)
	for _, ch := range family {
		ch.Adjusted = min(1, reserved*ch.Adjusted)
		ch.Significant = ch.Adjusted <= w.opt.FamilyError
	}
	for i := range c.Functions {
		f := &c.Functions[i]
		f.Named = f.Energy.Significant || f.Time.Significant
	}
}

// explain says of the total and of every function that is named what is due to time and what to power. What is named has
// changed; its tests of time and power share the error among all that are named.
func (w *work) explain(c *Comparison) {
	named := 0
	for _, f := range c.Functions {
		if f.Named {
			named++
		}
	}
	for i := range c.Functions {
		f := &c.Functions[i]
		f.TimePart, f.PowerPart = parts(f.Energy, f.Time)
		if f.Named {
			f.Because = because(f.Time.P, f.Power.P, w.opt.FamilyError/float64(named))
		}
		f.Power.Adjusted = math.NaN()
	}
	energy := c.total(Energy)
	c.TimePart, c.PowerPart = math.NaN(), math.NaN()
	if time := c.clock(); energy != nil && time != nil {
		c.TimePart, c.PowerPart = parts(*energy, *time)
		if energy.Significant {
			c.Because = because(time.P, c.total(Power).P, w.opt.FamilyError)
		}
	}
}

// clock is the change of the seconds that watts of the runs are by: elapsed ones, else of CPU time. nil: neither is known.
func (c *Comparison) clock() *Change {
	if time := c.total(Elapsed); time != nil {
		return time
	}
	return c.total(Time)
}

// total is the change of a quantity of the runs, nil if it is not known.
func (c *Comparison) total(q Quantity) *Change {
	for i := range c.Totals {
		if c.Totals[i].Quantity == q {
			return &c.Totals[i]
		}
	}
	return nil
}
