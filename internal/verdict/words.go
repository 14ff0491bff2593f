package verdict

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/report/gate"
)

// quantity is what a gate.Quantity is called.
type quantity struct {
	name     string // in JSON
	label    string // for people
	unit     string
	ofEnergy bool // a model's has another name
}

var quantities = map[gate.Quantity]quantity{
	gate.Energy:  {"energy", "energy", "J", true},
	gate.Time:    {"time", "CPU time", "s", false},
	gate.Elapsed: {"elapsed", "elapsed time", "s", false},
	gate.Power:   {"power", "power", "W", true},
	gate.Cycles:  {"cycles", "cycles", "count", false},
}

const modelSuffix = "_model"

// unknown is what a table shows of what the data cannot say.
const unknown = "-"

// label is the limited quantity's name for people. One of an estimate says so.
func (l *Limit) label() string {
	name, estimated := strings.CutSuffix(l.Quantity, modelSuffix)
	for _, q := range quantities {
		if q.name == name {
			name = q.label
			break
		}
	}
	if estimated {
		return "ESTIMATED " + name
	}
	return name
}

// String is the limit as a table has it: energy +5 %.
func (l *Limit) String() string { return l.label() + " " + bound(l.Max) }

// title names what a verdict is about.
func (v *Verdict) title() string {
	switch {
	case v.Limit.Pattern == "":
		return "total"
	case v.Library == "":
		return v.Name
	}
	return v.Name + " (" + v.Library + ")"
}

// reason is a verdict as a sentence.
func (r *Report) reason(v *Verdict) string {
	var b strings.Builder
	what := v.title()
	if v.Limit.Pattern == "" {
		what = "the total"
	}
	fmt.Fprintf(&b, "%s of %s: %s", v.Limit.label(), what, signed(v.Change))
	if v.Low != nil && v.High != nil {
		fmt.Fprintf(&b, " (%s interval %s)", share(r.Confidence), v.interval())
	}
	fmt.Fprintf(&b, ", from %s to %s", amount(v.Old, v.Unit), amount(v.New, v.Unit))
	switch v.Decision {
	case Fail:
		fmt.Fprintf(&b, ", is above the limit of %s", bound(v.Limit.Max))
	case Pass:
		fmt.Fprintf(&b, ", is below the limit of %s", bound(v.Limit.Max))
	default:
		fmt.Fprintf(&b, ": the data cannot tell whether that is above the limit of %s", bound(v.Limit.Max))
	}
	if why := because[v.Because]; why != "" {
		b.WriteString(": " + why)
	}
	if v.Decision == Undecided {
		b.WriteString(": " + v.more() + "; " + r.detectable(v))
	}
	return b.String()
}

// because says what moved the energy.
var because = map[string]string{"time": "time, not power", "power": "power, not time", "both": "time and power"}

// more says how many runs are missing.
func (v *Verdict) more() string {
	switch {
	case v.MoreRuns == nil:
		return fmt.Sprintf("more than %d runs of each side would be needed, the change is so close to the limit", gate.MaxRuns)
	case *v.MoreRuns == 0:
		return "more runs do not help"
	case *v.MoreRuns == 1:
		return "1 more run of each side needed"
	}
	return fmt.Sprintf("%d more runs of each side needed", *v.MoreRuns)
}

// detectable says what so many runs would have shown.
func (r *Report) detectable(v *Verdict) string {
	runs := fmt.Sprintf("%d and %d runs", r.Baseline.Runs, r.New.Runs)
	if r.Baseline.Runs == r.New.Runs {
		runs = fmt.Sprintf("%d runs of each side", r.New.Runs)
	}
	if v.Detectable == nil {
		return runs + " show no change of any size to be above it"
	}
	return fmt.Sprintf("%s show an increase of %s or more to be above it", runs, signed(v.Detectable))
}

// sentence says why nothing is known of a limit on functions.
func (r *Report) sentence(l *Limit) string {
	least := number(r.MinSeconds) + " s of CPU time"
	if r.joules {
		least = number(r.MinJoules) + " J or " + least
	}
	return fmt.Sprintf("%s of functions like %s: no function of both sides matches that takes %s in a run: nothing was checked", l.label(), l.Pattern, least)
}

// isNew says that no limit can be held against a function that the baseline lacks.
func (r *Report) isNew(s *gate.Single) string {
	f := Function{Name: s.Name, Library: s.Library}
	took := amount(known(s.Seconds), "s")
	if r.joules {
		took = amount(known(s.Joules), "J") + " and " + took
	}
	return fmt.Sprintf("%s is new, so that no limit applies to it: it takes %s in a run", f.title(), took)
}

// hasNone says that no limit on joules can be held against a function that has none on one side or both.
func (r *Report) hasNone(c *gate.FunctionChange) string {
	f := Function{Name: c.Name, Library: c.Library}
	return fmt.Sprintf("%s has no joules in any run of a side, so that no limit on energy applies to it: it takes %s of CPU time in a run, and took %s",
		f.title(), amount(known(c.Time.New), "s"), amount(known(c.Time.Old), "s"))
}

func (f *Function) title() string {
	if f.Library == "" {
		return f.Name
	}
	return f.Name + " (" + f.Library + ")"
}

// change is a function that changed, as a sentence.
func (f *Function) change() string {
	var parts []string
	for _, p := range []struct {
		name string
		v    *float64
	}{{"energy", f.Energy}, {"CPU time", f.Time}, {"power", f.Power}} {
		if p.v != nil {
			parts = append(parts, p.name+" "+signed(p.v))
		}
	}
	text := f.title() + ": " + strings.Join(parts, ", ")
	if why := because[f.Because]; why != "" {
		text += ": " + why
	}
	return text
}

func (v *Verdict) interval() string {
	if v.Low == nil || v.High == nil {
		return unknown
	}
	return signed(v.Low) + " to " + signed(v.High)
}

// describe says what a side is.
func (s *Side) describe() string {
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

// claim is what a failure means.
func (r *Report) claim() string {
	return fmt.Sprintf("The chance that anything fails although all limits are kept is at most %s (Holm).", share(r.FamilyError))
}

// bound prints a limit with the digits that it was given.
func bound(v float64) string {
	text := number(math.Round(v*1e8)/1e6) + " %"
	if v >= 0 {
		return "+" + text
	}
	return text
}

// signed prints a relative change: +12.0 %, and x 12.5 for what became many times as much.
func signed(v *float64) string {
	switch {
	case v == nil:
		return unknown
	case *v >= 9.995:
		return "x " + strconv.FormatFloat(*v+1, 'g', 4, 64)
	}
	text := strconv.FormatFloat(100**v, 'f', 1, 64)
	if text == "-0.0" {
		text = "0.0"
	}
	if !strings.HasPrefix(text, "-") {
		text = "+" + text
	}
	return text + " %"
}

// share prints a probability: 95 %.
func share(v float64) string { return number(math.Round(v*1e8)/1e6) + " %" }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// amount prints a value with four digits, a prefix of the SI and its unit: 12.58 mJ.
func amount(v *float64, unit string) string {
	if v == nil {
		return unknown
	}
	if unit == "count" {
		unit = ""
	}
	x, prefix := *v, ""
	up, down := []string{"k", "M", "G", "T", "P"}, []string{"m", "u", "n"}
	if unit == "s" {
		up = nil // nobody counts in kiloseconds
	}
	for i := 0; i < len(up) && math.Abs(x) >= 999.95; i++ {
		x, prefix = x/1000, up[i]
	}
	for i := 0; i < len(down) && x != 0 && math.Abs(x) < 0.99995 && prefix != "n"; i++ {
		x, prefix = x*1000, down[i]
	}
	places := 3
	for limit := 9.9995; places > 0 && math.Abs(x) >= limit; limit *= 10 {
		places--
	}
	return strings.TrimRight(strconv.FormatFloat(x, 'f', places, 64)+" "+prefix+unit, " ")
}
