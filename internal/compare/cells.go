package compare

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// What the texts, the tables and the page say in the same words.
const (
	unknown   = "-"
	estimated = "ESTIMATED "
)

// Headings.
const (
	changedHead    = "functions that changed"
	nothingChanged = "no function is shown to have changed"
	addedHead      = "new functions, which no run of the old side has"
	removedHead    = "removed functions, which no run of the new side has"
	renamedHead    = "possibly renamed functions"
)

// name is a quantity's name for people, measured or not.
func (c *Change) name() string {
	switch c.Quantity {
	case EnergyModel:
		return Energy
	case PowerModel:
		return Power
	case Time:
		return "CPU time"
	}
	return c.Quantity
}

// label is the name with the mark of an estimate.
func (c *Change) label() string {
	if c.estimated() {
		return estimated + c.name()
	}
	return c.name()
}

func (c *Change) old() string { return amount(c.Old, c.Unit) }
func (c *Change) new() string { return amount(c.New, c.Unit) }

// change is how the two differ: relatively, or in the unit where there is nothing to relate it to.
func (c *Change) change() string {
	if c.Change != nil {
		return signed(*c.Change)
	}
	if c.Difference == nil {
		return unknown
	}
	return plus(*c.Difference) + amount(c.Difference, c.Unit)
}

// interval is that of the change.
func (c *Change) interval() string {
	if c.Low == nil && c.High == nil {
		return unknown
	}
	end := func(v *float64, none string) string {
		if v == nil {
			return none
		}
		return signed(*v)
	}
	low, high := end(c.Low, "-inf"), end(c.High, "+inf")
	if strings.HasSuffix(high, " %") {
		low = strings.TrimSuffix(low, " %")
	}
	return low + " to " + high
}

// p is the p-value that decides: after Holm.
func (c *Change) p() string {
	switch {
	case c.Adjusted == nil:
		return unknown
	case *c.Adjusted < 0.0001:
		return "<0.0001"
	}
	return strconv.FormatFloat(*c.Adjusted, 'f', 4, 64)
}

// significant says what the p-value does.
func (c *Change) significant() string {
	switch {
	case c.Adjusted == nil:
		return unknown
	case c.Significant:
		return "yes"
	}
	return "no"
}

// detectable is the change that these runs would show.
func (c *Change) detectable() string {
	if c.Detectable == nil {
		return unknown
	}
	return percent(*c.Detectable)
}

// because are the words for what moved joules, in the terms of package gate.
var because = map[string]string{"time": "time, not power", "power": "power, not time", "both": "time and power"}

// reason says what moved the joules of changes, and how many.
func reason(why string, changes []Change, byTime, byPower *float64) string {
	text := because[why]
	if byTime == nil || byPower == nil {
		return text
	}
	joules := plus(*byTime) + si(*byTime, unitJoules) + " by time, " + plus(*byPower) + si(*byPower, unitJoules) + " by power"
	if quantity(changes, EnergyModel) != nil {
		joules = estimated + joules
	}
	if text == "" {
		return joules
	}
	return text + ": " + joules
}

func (f *Function) reason() string {
	return reason(f.Because, f.Quantities, f.TimeJoules, f.PowerJoules)
}

// reason is that of the total energy.
func (r *Result) reason() string { return reason(r.Because, r.Totals, r.TimeJoules, r.PowerJoules) }

// small says what is not tested because it is too little.
func (r *Result) small() string {
	if r.Small == 0 {
		return ""
	}
	text, missing := fmt.Sprintf("%d functions take", r.Small), "are"
	if r.Small == 1 {
		text, missing = "1 function takes", "is"
	}
	text += " less than " + si(r.MinSeconds, unitSeconds)
	if r.MinJoules != nil {
		text += " and " + si(*r.MinJoules, unitJoules)
	}
	return text + " in a run, or " + missing + " missing in runs of both sides: not tested, and not shown."
}

// title is a function's name for people.
func title(name, library string) string {
	if library == "" {
		return name
	}
	return name + " (" + library + ")"
}

// amounts are what one side has of a function.
func (s *Single) amounts() string {
	var all []string
	if j := s.joules(); j != nil {
		text := amount(j, unitJoules)
		if s.Model != nil {
			text = estimated + text
		}
		all = append(all, text)
	}
	if s.Seconds != nil {
		all = append(all, amount(s.Seconds, unitSeconds))
	}
	return strings.Join(all, ", ")
}

// sides says what is compared.
func (r *Result) sides() [2]string {
	one := func(s *Side) string {
		text := s.Name + ": 1 run"
		if s.Runs != 1 {
			text = fmt.Sprintf("%s: %d runs", s.Name, s.Runs)
		}
		if len(s.Command) > 0 {
			text += " of " + strings.Join(s.Command, " ")
		}
		switch {
		case s.Source == nil:
			return text + ", no joules"
		case !s.Source.Measured:
			return text + ", joules ESTIMATED by " + s.Source.Name
		}
		return text + ", joules from " + s.Source.Name
	}
	sides := [2]string{one(&r.Old), one(&r.New)}
	if r.Paired {
		sides[1] += ", in turn with those of the old side"
	}
	return sides
}

// line says whether it is a difference or what both sides have a flaw in common.
func (d *Difference) line() string {
	if d.Old == d.New {
		return d.Text
	}
	return "differs: " + d.Text
}

// claim is what naming a function means.
func (r *Result) claim() string {
	if r.Tests == 0 {
		return "Nothing is tested and nothing claimed."
	}
	plural := "s"
	if r.Tests == 1 {
		plural = ""
	}
	return fmt.Sprintf("The chance that anything is called significant which did not change is at most %s (Holm, %d test%s).", share(r.FamilyError), r.Tests, plural)
}

// heads of the columns of a Change, in all formats.
func (r *Result) heads() []string {
	return []string{"quantity", "old", "new", "change", share(r.Confidence) + " interval", "p (Holm)", "significant", "detectable"}
}

// columnSignificant is where heads and cells have what the p-value says.
const columnSignificant = 6

// cells are a Change under heads.
func (c *Change) cells() []string {
	return []string{c.label(), c.old(), c.new(), c.change(), c.interval(), c.p(), c.significant(), c.detectable()}
}

// othersHead says what the first columns of otherHeads are of.
func (r *Result) othersHead() string {
	return "functions of which nothing is claimed, by how much their " + r.Others[0].Quantities[0].name() + " differs"
}

// otherHeads are the columns of functions of which nothing is claimed: what the functions took, and how the rest of
// their quantities, which are the same for all, changed. One column is for the mark of an estimate.
func (r *Result) otherHeads() []string {
	heads := []string{"old", "new", "change"}
	quantities := r.Others[0].Quantities
	if quantities[0].estimated() {
		heads = append(heads, "")
	}
	for i := range quantities[1:] {
		heads = append(heads, quantities[i+1].name())
	}
	return heads
}

// otherCells are a function under otherHeads.
func (f *Function) otherCells() []string {
	first := &f.Quantities[0]
	cells := []string{first.old(), first.new(), first.change()}
	if first.estimated() {
		cells = append(cells, strings.TrimSpace(estimated))
	}
	for i := range f.Quantities[1:] {
		cells = append(cells, f.Quantities[i+1].change())
	}
	return cells
}

// amount prints a value in its unit.
func amount(v *float64, unit string) string {
	switch {
	case v == nil:
		return unknown
	case unit == unitOfCounts:
		return si(*v, "")
	case unit == unitSeconds && math.Abs(*v) >= siRounds:
		return digits(*v) + " s"
	}
	return si(*v, unit)
}

// prefixes of the SI, by the power of 1000 from nano up.
var prefixes = []string{"n", "u", "m", "", "k", "M", "G", "T", "P"}

const (
	siOne    = 3      // the index of no prefix
	siRounds = 999.95 // rounds to four digits as 1000
)

// si prints a value with four digits, a prefix and the unit: 12.58 mJ.
func si(v float64, unit string) string {
	if v == 0 {
		return strings.TrimRight("0 "+unit, " ")
	}
	i := siOne
	for ; math.Abs(v) >= siRounds && i < len(prefixes)-1; i++ {
		v /= 1000
	}
	for ; math.Abs(v) < 0.99995 && i > 0; i-- {
		v *= 1000
	}
	return strings.TrimRight(digits(v)+" "+prefixes[i]+unit, " ")
}

// digits prints a number with four digits, or all that stand before the point.
func digits(v float64) string {
	places := 3
	for limit := 9.9995; places > 0 && math.Abs(v) >= limit; limit *= 10 {
		places--
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// plus is the sign of what has none.
func plus(v float64) string {
	if v < 0 {
		return ""
	}
	return "+"
}

// signed prints a relative change: +12.0 %, and x 12.5 for what became many times as much.
func signed(v float64) string {
	if v >= 9.995 {
		return "x " + digits(v+1)
	}
	text := percent(v)
	if text == "-0.0 %" {
		text = "0.0 %"
	}
	return plus(v) + text
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" }

// share prints a probability with the digits that it has: 95 %, 0.5 %.
func share(v float64) string { return strconv.FormatFloat(100*v, 'g', 4, 64) + " %" }
