package compare

import (
	"math"

	"github.com/energyprof/energyprof/report/gate"
)

// Compared is what a comparison does not know of the runs.
type Compared struct {
	Old, New    Side // without the number of runs
	Differences []Difference
	Notes       []string
	Options     gate.Options // that the comparison was made with
	// Cycles are the changes of functions in cycles, without a test; nil if cycles are not known.
	Cycles map[gate.Key]gate.Change
}

// New makes a result of a comparison. Joules that either side's source estimates are
// estimates.
func New(c *gate.Comparison, what Compared) *Result {
	r := &Result{Version: 1, Old: what.Old, New: what.New, Paired: c.Paired,
		FamilyError: what.Options.FamilyError, Confidence: what.Options.Confidence, Tests: c.Family,
		Small: c.Small, MinSeconds: what.Options.MinSeconds,
		Differences: append([]Difference{}, what.Differences...), Notes: append([]string{}, what.Notes...),
		Totals: []Change{}, Changed: []Function{}, Others: []Function{}, Added: []Single{}, Removed: []Single{}, Renamed: []Renaming{}}
	r.Old.Runs, r.New.Runs = c.Old, c.New
	if min(c.Old, c.New) < gate.MinRuns {
		r.Tests = 0 // it could not be done
	}
	b := builder{cycles: what.Cycles, energy: what.Options.Energy, model: estimates(what.Old) || estimates(what.New)}
	if b.energy {
		r.MinJoules = &what.Options.MinJoules
		r.Because = c.Because
		r.TimeJoules, r.PowerJoules = parts(c.TimePart, c.PowerPart)
	}
	for i := range c.Totals {
		if change := b.change(&c.Totals[i]); change.Old != nil || change.New != nil {
			r.Totals = append(r.Totals, change)
		}
	}
	for i := range c.Functions {
		f := &c.Functions[i]
		if f.Named {
			r.Changed = append(r.Changed, b.function(f))
		} else {
			r.Others = append(r.Others, b.function(f))
		}
	}
	b.singles(r, c)
	return r
}

func estimates(s Side) bool { return s.Source != nil && !s.Source.Measured }

// builder names what is measured and what is estimated.
type builder struct {
	energy bool // there are joules that can be compared
	model  bool // they are estimates
	cycles map[gate.Key]gate.Change
}

func (b *builder) change(c *gate.Change) Change {
	out := Change{Old: known(c.Old), New: known(c.New), Difference: known(c.New - c.Old), Change: known(c.Ratio - 1),
		Low: known(c.Low - 1), High: known(c.High - 1), P: known(c.P), Adjusted: known(c.Adjusted), Significant: c.Significant,
		Noise: known(c.Noise), Detectable: known(c.Detectable)}
	out.Quantity, out.Unit = b.name(c.Quantity)
	return out
}

// name is what a quantity is called, and its unit.
func (b *builder) name(q gate.Quantity) (name, unit string) {
	switch q {
	case gate.Energy:
		if b.model {
			return EnergyModel, unitJoules
		}
		return Energy, unitJoules
	case gate.Power:
		if b.model {
			return PowerModel, unitWatts
		}
		return Power, unitWatts
	case gate.Time:
		return Time, unitSeconds
	case gate.Elapsed:
		return Elapsed, unitSeconds
	}
	return Cycles, unitOfCounts
}

func (b *builder) function(f *gate.FunctionChange) Function {
	out := Function{Name: f.Name, Library: f.Library, Quantities: []Change{}}
	changes := []gate.Change{f.Time}
	if b.energy {
		changes = []gate.Change{f.Energy, f.Time, f.Power}
		out.TimeJoules, out.PowerJoules = parts(f.TimePart, f.PowerPart)
		out.Because = f.Because
	}
	if b.cycles != nil {
		c, ok := b.cycles[f.Key]
		if !ok {
			c = unknownCycles
		}
		changes = append(changes, c)
	}
	for i := range changes {
		out.Quantities = append(out.Quantities, b.change(&changes[i]))
	}
	return out
}

// unknownCycles are those of a function that had none on one side.
var unknownCycles = gate.Change{Quantity: gate.Cycles, Old: math.NaN(), New: math.NaN(), Ratio: math.NaN(), Low: math.NaN(), High: math.NaN(),
	P: math.NaN(), Adjusted: math.NaN(), Noise: math.NaN(), Detectable: math.NaN()}

// parts are both there or neither, since they are told by how they add up.
func parts(time, power float64) (t, p *float64) {
	if t, p = known(time), known(power); t == nil || p == nil {
		return nil, nil
	}
	return t, p
}

// singles lists the functions of one side; two that take each other for the same are a pair.
func (b *builder) singles(r *Result, c *gate.Comparison) {
	removed := make(map[gate.Key]*gate.Single, len(c.Removed))
	for i := range c.Removed {
		removed[c.Removed[i].Key] = &c.Removed[i]
	}
	paired := make(map[gate.Key]bool)
	for i := range c.Added {
		added := &c.Added[i]
		if added.Maybe != nil {
			if old := removed[*added.Maybe]; old != nil && old.Maybe != nil && *old.Maybe == added.Key {
				r.Renamed = append(r.Renamed, Renaming{Old: b.single(old), New: b.single(added)})
				paired[old.Key] = true
				continue
			}
		}
		r.Added = append(r.Added, b.single(added))
	}
	for i := range c.Removed {
		if !paired[c.Removed[i].Key] {
			r.Removed = append(r.Removed, b.single(&c.Removed[i]))
		}
	}
}

func (b *builder) single(s *gate.Single) Single {
	out := Single{Name: s.Name, Library: s.Library, Seconds: known(s.Seconds)}
	switch {
	case !b.energy:
	case b.model:
		out.Model = known(s.Joules)
	default:
		out.Joules = known(s.Joules)
	}
	return out
}

// known is a number that is one.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
