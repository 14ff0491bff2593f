// Package verdict shows what a check of limits decided (package report/gate): as text for people, as the documented
// JSON, as JUnit XML for the test reports of CI systems, as annotations and a step summary for GitHub Actions, and as
// a badge. All of them say the same: nothing passes or fails here that the check did not decide.
package verdict

import (
	"math"
	"slices"
	"time"

	"github.com/energyprof/energyprof/report/gate"
)

// The decisions, of a limit and of the whole.
const (
	Pass      = "pass"
	Fail      = "fail"
	Undecided = "undecided"
	Refused   = "refused" // of the whole alone: the two sides cannot be held against these limits
)

// Report is what `energyprof check --json` prints: docs/ci.md has the meaning of the fields, docs/check.schema.json
// their types. Amounts are those of one run: the centre of the runs of a side (gate.Change).
type Report struct {
	Version  int    `json:"version"` // 1
	Decision string `json:"decision"`
	// Refused is why nothing was checked; then there are no verdicts.
	Refused string `json:"refused,omitempty"`

	Baseline Side `json:"baseline"`
	New      Side `json:"new"`
	// Paired says that the runs of the two sides were made in turn, and compared pair by pair.
	Paired bool `json:"paired"`

	FamilyError float64 `json:"family_error"` // the chance that anything fails although all limits are kept
	Confidence  float64 `json:"confidence"`   // of the intervals
	MinJoules   float64 `json:"min_joules"`   // J; functions that take less of this and of MinSeconds are not tested
	MinSeconds  float64 `json:"min_seconds"`  // s of CPU time
	Small       int     `json:"small"`        // functions that were not tested for that

	Verdicts []Verdict `json:"verdicts"`
	// Unmatched are limits on functions of which none was tested, so that nothing is known of them.
	Unmatched []Limit `json:"unmatched"`
	// Changed are functions that changed beside what failed; there are none unless a limit failed.
	Changed  []Function `json:"changed"`
	Warnings []string   `json:"warnings"` // what makes the result worth less
	Notes    []string   `json:"notes"`

	// When is when the check was made, Host the machine that made it; both are for the JUnit file.
	When time.Time `json:"-"`
	Host string    `json:"-"`

	joules bool // are compared
}

// Side is one of the two groups of runs.
type Side struct {
	Name    string   `json:"name"` // of the directory or file
	Runs    int      `json:"runs"`
	Command []string `json:"command,omitempty"`
	Source  *Source  `json:"source,omitempty"` // of the joules; nil: there are none
}

// Source says where joules come from.
type Source struct {
	Name     string `json:"name"`
	Measured bool   `json:"measured"`
}

// Limit is the largest increase that is allowed.
type Limit struct {
	Quantity string  `json:"quantity"`           // energy, energy_model, time, elapsed, power, power_model or cycles
	Max      float64 `json:"max"`                // 0.05: +5 %
	Pattern  string  `json:"function,omitempty"` // the regular expression of a limit on functions
}

// Verdict is what became of a limit, on the total or on one function.
type Verdict struct {
	Limit    Limit  `json:"limit"`
	Name     string `json:"name,omitempty"` // of the function; "" for the total
	Library  string `json:"library,omitempty"`
	Decision string `json:"decision"`
	Unit     string `json:"unit"` // J, s, W or count
	// What follows is null where the data cannot say it.
	Old    *float64 `json:"old"`
	New    *float64 `json:"new"`
	Change *float64 `json:"change"` // relative to Old: 0.05 is +5 %, as are all that follow
	Low    *float64 `json:"low"`    // the interval of Change
	High   *float64 `json:"high"`
	P      *float64 `json:"p"`      // of such data if the limit were kept, adjusted for all verdicts
	PassP  *float64 `json:"pass_p"` // of such data if it were not kept
	Noise  *float64 `json:"noise"`  // the standard deviation of a run
	// Detectable is the smallest increase that so many runs show to be above the limit, in 95 of 100 cases; null: none.
	Detectable *float64 `json:"detectable"`
	// MoreRuns is how many more runs of each side decide it, if the change is what it seems to be: 0 of what is
	// decided; null: more than any bench makes.
	MoreRuns *int   `json:"more_runs"`
	Because  string `json:"because,omitempty"` // what moved the energy: time, power or both
	Reason   string `json:"reason"`            // the verdict as a sentence

	seconds float64 // of the new side, for JUnit
}

// Function is a function that changed.
type Function struct {
	Name    string   `json:"name"`
	Library string   `json:"library,omitempty"`
	Energy  *float64 `json:"energy"` // relative changes, null where they are not known
	Time    *float64 `json:"time"`
	Power   *float64 `json:"power"`
	Because string   `json:"because,omitempty"`
}

// About is what a Report says beside the result of the check.
type About struct {
	Baseline, New   Side
	Options         gate.Options
	Warnings, Notes []string
	When            time.Time
	Host            string
}

// New makes a report of what a check found.
func New(result *gate.Result, about About) *Report {
	r := about.report()
	r.Decision = words[result.Decision()]
	r.Paired, r.Small = result.Paired, result.Small
	elapsed := r.elapsed(result)
	failed := make(map[gate.Key]bool)
	for i := range result.Verdicts {
		v := &result.Verdicts[i]
		r.Verdicts = append(r.Verdicts, r.verdict(v, secondsOf(v, result, elapsed)))
		if v.Key != nil && v.Decision == gate.Fail {
			failed[*v.Key] = true
		}
	}
	for _, l := range result.Unmatched {
		r.Unmatched = append(r.Unmatched, r.limit(l))
	}
	limited := func(name string, of func(gate.Quantity) bool) bool {
		return slices.ContainsFunc(about.Options.Limits, func(l gate.Limit) bool {
			return l.Function != nil && of(l.Quantity) && l.Function.MatchString(name)
		})
	}
	for i := range result.Added {
		if s := &result.Added[i]; limited(s.Name, func(gate.Quantity) bool { return true }) {
			r.Warnings = append(r.Warnings, r.isNew(s))
		}
	}
	for i := range result.Functions {
		f := &result.Functions[i]
		if r.joules && math.IsNaN(f.Energy.Ratio) && limited(f.Name, func(q gate.Quantity) bool { return quantities[q].ofEnergy }) {
			r.Warnings = append(r.Warnings, r.hasNone(f))
		}
	}
	for i := range result.Functions {
		f := &result.Functions[i]
		if !f.Named || failed[f.Key] {
			continue
		}
		r.Changed = append(r.Changed, Function{Name: f.Name, Library: f.Library, Because: f.Because,
			Energy: relative(f.Energy.Ratio), Time: relative(f.Time.Ratio), Power: relative(f.Power.Ratio)})
	}
	return r
}

// Refuse makes a report of why nothing was checked.
func Refuse(reason string, about About) *Report {
	r := about.report()
	r.Decision, r.Refused = Refused, reason
	return r
}

func (a *About) report() *Report {
	// Empty lists are [] in JSON, not null.
	return &Report{Version: 1, Baseline: a.Baseline, New: a.New,
		FamilyError: a.Options.FamilyError, Confidence: a.Options.Confidence, MinJoules: a.Options.MinJoules, MinSeconds: a.Options.MinSeconds,
		Verdicts: []Verdict{}, Unmatched: []Limit{}, Changed: []Function{},
		Warnings: append([]string{}, a.Warnings...), Notes: append([]string{}, a.Notes...),
		When: a.When, Host: a.Host, joules: a.Options.Energy}
}

var words = map[gate.Decision]string{gate.Pass: Pass, gate.Fail: Fail, gate.Undecided: Undecided}

// estimated tells whether the joules are those of a model, on a side at least.
func (r *Report) estimated() bool {
	for _, s := range []*Source{r.Baseline.Source, r.New.Source} {
		if s != nil && !s.Measured {
			return true
		}
	}
	return false
}

func (r *Report) limit(l gate.Limit) Limit {
	out := Limit{Quantity: quantities[l.Quantity].name, Max: l.Max}
	if r.estimated() && quantities[l.Quantity].ofEnergy {
		out.Quantity += modelSuffix
	}
	if l.Function != nil {
		out.Pattern = l.Function.String()
	}
	return out
}

func (r *Report) verdict(v *gate.Verdict, seconds float64) Verdict {
	c := &v.Change
	out := Verdict{Limit: r.limit(v.Limit), Decision: words[v.Decision], Unit: quantities[v.Limit.Quantity].unit,
		Old: known(c.Old), New: known(c.New), Change: relative(c.Ratio), Low: relative(c.Low), High: relative(c.High),
		P: known(v.P), PassP: known(v.PassP), Noise: known(c.Noise), Detectable: known(v.Detectable), seconds: seconds}
	if v.Key != nil {
		out.Name, out.Library = v.Key.Name, v.Key.Library
	}
	if v.MoreRuns >= 0 {
		out.MoreRuns = &v.MoreRuns
	}
	if v.Limit.Quantity == gate.Energy {
		out.Because = v.Because
	}
	out.Reason = r.reason(&out)
	return out
}

// elapsed is the wall time of a run of the new side; its CPU time where that is not known.
func (r *Report) elapsed(result *gate.Result) float64 {
	seconds := 0.0
	for i := range result.Totals {
		c := &result.Totals[i]
		if (c.Quantity == gate.Elapsed || c.Quantity == gate.Time && seconds == 0) && c.New > 0 && !math.IsInf(c.New, 0) {
			seconds = c.New
		}
	}
	return seconds
}

// secondsOf is how long what a verdict is about took in a run of the new side: a function its CPU time.
func secondsOf(v *gate.Verdict, result *gate.Result, elapsed float64) float64 {
	if v.Key == nil {
		return elapsed
	}
	for i := range result.Functions {
		if f := &result.Functions[i]; f.Key == *v.Key && f.Time.New > 0 && !math.IsInf(f.Time.New, 0) {
			return f.Time.New
		}
	}
	return 0
}

// known is nil for what a number cannot say.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// relative makes a change of a ratio: 0.05 of 1.05.
func relative(ratio float64) *float64 { return known(ratio - 1) }
