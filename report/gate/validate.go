package gate

import (
	"fmt"
	"math"
)

func (o *Options) validate() error {
	for _, p := range []struct {
		name string
		of   float64
	}{{"FamilyError", o.FamilyError}, {"Confidence", o.Confidence}, {"Power", o.Power}} {
		if !(p.of > 0 && p.of < 1) {
			return fmt.Errorf("gate: %w: %s of %v, want a probability between 0 and 1", ErrOptions, p.name, p.of)
		}
	}
	if !(o.MinJoules >= 0) || !(o.MinSeconds >= 0) {
		return fmt.Errorf("gate: %w: MinJoules of %v, MinSeconds of %v", ErrOptions, o.MinJoules, o.MinSeconds)
	}
	for _, l := range o.Limits {
		switch {
		case l.Quantity < Energy || l.Quantity > Cycles:
			return fmt.Errorf("gate: %w: a limit on quantity %d", ErrOptions, int(l.Quantity))
		case !(l.Max > -1) || math.IsInf(l.Max, 1):
			return fmt.Errorf("gate: %w: a limit of %v on %v", ErrOptions, l.Max, l.Quantity)
		case !o.Energy && (l.Quantity == Energy || l.Quantity == Power):
			return fmt.Errorf("gate: %w: a limit on %v, which cannot be compared", ErrOptions, l.Quantity)
		case l.Function != nil && l.Quantity == Elapsed:
			return fmt.Errorf("gate: %w: a limit on %v, which functions do not have", ErrOptions, l.Quantity)
		}
	}
	return nil
}

// validate says which amount of a side is none.
func validate(side string, runs []Run, opt *Options) error {
	if len(runs) == 0 {
		return fmt.Errorf("gate: %s: %w", side, ErrNoRuns)
	}
	for i, r := range runs {
		if err := check("elapsed time", r.Elapsed, "s", true); err != nil {
			return fmt.Errorf("gate: %s run %d: %w", side, i+1, err)
		}
		if err := r.Total.validate(opt, true); err != nil {
			return fmt.Errorf("gate: %s run %d: total: %w", side, i+1, err)
		}
		var first *Key // of those that are wrong, so that the message is always the same
		for k, a := range r.Functions {
			if a.validate(opt, false) != nil && (first == nil || compareKeys(k, *first) < 0) {
				first = &k
			}
		}
		if first != nil {
			return fmt.Errorf("gate: %s run %d: function %v: %w", side, i+1, *first, r.Functions[*first].validate(opt, false))
		}
	}
	return nil
}

func (a Amount) validate(opt *Options, total bool) error {
	if opt.Energy {
		if err := check("energy", a.Joules, "J", false); err != nil {
			return err
		}
		if total && a.Joules == 0 {
			return fmt.Errorf("energy: 0 J: %w", ErrAmount)
		}
	}
	if err := check("CPU time", a.Seconds, "s", total); err != nil {
		return err
	}
	return check("cycles", a.Cycles, "", true)
}

// check is about one amount; unknown says that it need not be known.
func check(what string, v float64, unit string, unknown bool) error {
	if v >= 0 && !math.IsInf(v, 1) || unknown && math.IsNaN(v) {
		return nil
	}
	return fmt.Errorf("%s: %v %s: %w", what, v, unit, ErrAmount)
}

func (k Key) String() string {
	if k.Library == "" {
		return k.Name
	}
	return k.Name + " (" + k.Library + ")"
}

func (q Quantity) String() string {
	return [...]string{"energy", "time", "elapsed", "power", "cycles"}[q]
}

// Unit is that of the quantity's amounts.
func (q Quantity) Unit() string {
	return [...]string{"J", "s", "s", "W", "cycles"}[q]
}

func (d Decision) String() string {
	return [...]string{"undecided", "pass", "fail"}[d]
}
