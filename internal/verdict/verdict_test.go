package verdict

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/energyprof/energyprof/report/gate"
)

var update = flag.Bool("update", false, "write the golden files anew")

var none = math.NaN()

// escape is a printable that shows what it was given: names below hold what a terminal, GitHub, XML and Markdown obey.
func escape(s string) string { return strings.ReplaceAll(s, "\x1b", `\x1b`) }

const evil = "::error::|`<b>\x1b[2J%0A&]]>"

func change(q gate.Quantity, old, new, low, high float64) gate.Change {
	return gate.Change{Quantity: q, Old: old, New: new, Ratio: new / old, Low: low, High: high, P: 1e-6, Adjusted: 1e-4, Noise: 0.03, Detectable: 0.04}
}

// example is a check with a verdict of each kind, on the total and on functions.
func example() *gate.Result {
	work, hot := gate.Key{Name: "work", Library: "app"}, gate.Key{Name: evil}
	energy, seconds := change(gate.Energy, 10, 11.5, 1.13, 1.17), change(gate.Time, 2, 2.02, 1.0, 1.02)
	alone := gate.Change{Quantity: gate.Energy, Old: 0.5, New: 0.515, Ratio: 1.03, Low: none, High: none, P: none, Adjusted: none, Noise: none, Detectable: math.Inf(1)}
	all := regexp.MustCompile("^(work|.*error)")
	return &gate.Result{
		Comparison: &gate.Comparison{Added: []gate.Single{{Key: gate.Key{Name: "work2", Library: "app"}, Amount: gate.Amount{Seconds: 0.1, Joules: 1, Cycles: none}}, {Key: gate.Key{Name: "beside"}}},
			Old: 20, New: 21, Family: 5, Small: 7, Totals: []gate.Change{energy, seconds, change(gate.Elapsed, 1, 1.01, 1, 1.02)},
			Functions: []gate.FunctionChange{
				{Key: work, Energy: change(gate.Energy, 4, 5, 1.2, 1.3), Time: change(gate.Time, 1, 1.0004, 0.9, 1.1), Power: change(gate.Power, 4, 5, 1.2, 1.3), Named: true, Because: "power"},
				{Key: hot, Energy: alone, Time: change(gate.Time, 0.25, 0.25, 0.9, 1.1), Power: alone},
				{Key: gate.Key{Name: "other", Library: "libc.so.6"}, Energy: change(gate.Energy, 2, 1, 0.4, 0.6), Time: change(gate.Time, 1, 0.5, 0.4, 0.6), Power: change(gate.Power, 2, 2, 0.9, 1.1), Named: true, Because: "time"},
			}},
		Verdicts: []gate.Verdict{
			{Limit: gate.Limit{Quantity: gate.Energy, Max: 0.05}, Change: energy, Decision: gate.Fail, P: 1e-5, PassP: 1, Detectable: 0.09, Because: "power"},
			{Limit: gate.Limit{Quantity: gate.Time, Max: 0.03}, Change: seconds, Decision: gate.Pass, P: 1, PassP: 1e-4, Detectable: 0.07},
			{Limit: gate.Limit{Quantity: gate.Power, Max: 0}, Change: change(gate.Power, 9.9, 9.95, 0.99, 1.02), Decision: gate.Undecided, P: 0.4, PassP: 0.6, MoreRuns: 1, Detectable: 0.025},
			{Limit: gate.Limit{Quantity: gate.Energy, Max: 0.1, Function: all}, Key: &work, Change: change(gate.Energy, 4, 5, 1.2, 1.3), Decision: gate.Fail, P: 1e-5, PassP: 1, Detectable: 0.15, Because: "power"},
			{Limit: gate.Limit{Quantity: gate.Energy, Max: 0.1, Function: all}, Key: &hot, Change: alone, Decision: gate.Undecided, P: none, PassP: none, MoreRuns: -1, Detectable: math.Inf(1)},
		},
		Unmatched: []gate.Limit{{Quantity: gate.Time, Max: -0.025, Function: regexp.MustCompile("gone")}},
	}
}

func about() About {
	opt := gate.DefaultOptions()
	for _, v := range example().Verdicts {
		opt.Limits = append(opt.Limits, v.Limit)
	}
	return About{Options: opt, When: time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600)), Host: "ci-7",
		Baseline: Side{Name: "base", Runs: 20, Command: []string{"./app", "old"}, Source: &Source{"perf-power", true}},
		New:      Side{Name: "new", Runs: 21, Command: []string{"./app", "new"}, Source: &Source{"perf-power", true}},
		Warnings: []string{"kernel: 6.1, now \x1b6.2"}, Notes: []string{"base: 1 run failed and is left out"}}
}

func write(t *testing.T, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGolden holds every form of a report to what it was: a check with everything in it, and one that was refused.
func TestGolden(t *testing.T) {
	refused := about()
	refused.Warnings, refused.Notes = nil, nil
	for name, r := range map[string]*Report{"all": New(example(), about()), "refused": Refuse("joules are <estimated>, not measured", refused)} {
		for form, f := range map[string]func(io.Writer) error{
			"txt":         func(w io.Writer) error { return r.Text(w, escape) },
			"json":        r.JSON,
			"xml":         func(w io.Writer) error { return r.JUnit(w, escape) },
			"annotations": func(w io.Writer) error { return r.Annotations(w, escape) },
			"md":          func(w io.Writer) error { return r.Summary(w, escape) },
			"badge.json":  r.Badge,
		} {
			got, file := write(t, f), filepath.Join("testdata", name+"."+form)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
			}
			if strings.ContainsRune(got, '\x1b') {
				t.Errorf("%s: an escape character got through", file)
			}
		}
	}
}

// TestDecision: what was not looked at does not pass.
func TestDecision(t *testing.T) {
	for _, c := range []struct {
		name    string
		verdict gate.Decision
		missed  bool // a limit matches no function
		want    string
	}{
		{"pass", gate.Pass, false, Pass},
		{"pass, but a limit matches nothing", gate.Pass, true, Undecided},
		{"undecided", gate.Undecided, false, Undecided},
		{"fail", gate.Fail, false, Fail},
		{"fail, and a limit matches nothing", gate.Fail, true, Fail},
	} {
		result := example()
		result.Verdicts = result.Verdicts[:1]
		result.Verdicts[0].Decision = c.verdict
		if !c.missed {
			result.Unmatched = nil
		}
		if got := New(result, about()).Decision; got != c.want {
			t.Errorf("%s: the decision is %s, want %s", c.name, got, c.want)
		}
	}
}

// TestNoJoules: a function whose joules nothing can be relative to, as it has none on one side, is not passed over in silence.
func TestNoJoules(t *testing.T) {
	side := func(idle float64) []gate.Run {
		var runs []gate.Run
		for i := range 20 {
			noise := 1 + 0.01*float64(i%5)
			runs = append(runs, gate.Run{Elapsed: noise, Total: gate.Amount{Seconds: 2 * noise, Joules: 20 * noise, Cycles: none},
				Functions: map[gate.Key]gate.Amount{{Name: "work"}: {Seconds: noise, Joules: 10 * noise, Cycles: none}, {Name: "idle"}: {Seconds: noise, Joules: idle * noise, Cycles: none}}})
		}
		return runs
	}
	for _, c := range []struct {
		quantity gate.Quantity
		pattern  string
		idle     float64
		want     int
	}{{gate.Energy, ".", 10, 1}, {gate.Energy, "work", 10, 0}, {gate.Time, ".", 10, 0}, {gate.Energy, ".", 0, 1}} {
		a := about()
		a.Warnings = nil
		a.Options.Limits = []gate.Limit{{Quantity: c.quantity, Max: 0.1, Function: regexp.MustCompile(c.pattern)}}
		result, err := gate.Check(side(0), side(c.idle), a.Options)
		if err != nil {
			t.Fatal(err)
		}
		r := New(result, a)
		if len(r.Warnings) != c.want || c.want == 1 && !strings.Contains(r.Warnings[0], "idle has no joules in any run of a side") {
			t.Errorf("limit on %v of %q, idle takes 0 and %v J: warnings %q, want %d", c.quantity, c.pattern, c.idle, r.Warnings, c.want)
		}
	}
}

// TestEstimate: joules of a model are called that, wherever they are.
func TestEstimate(t *testing.T) {
	a := about()
	a.New.Source = &Source{"model", false}
	r := New(example(), a)
	if got := r.Verdicts[0].Limit.Quantity; got != "energy_model" {
		t.Errorf("JSON calls the estimate %s, want energy_model", got)
	}
	if got := r.Verdicts[1].Limit.Quantity; got != "time" {
		t.Errorf("JSON calls CPU time %s, want time", got)
	}
	for form, text := range map[string]string{
		"text":    write(t, func(w io.Writer) error { return r.Text(w, escape) }),
		"JUnit":   write(t, func(w io.Writer) error { return r.JUnit(w, escape) }),
		"badge":   write(t, r.Badge),
		"summary": write(t, func(w io.Writer) error { return r.Summary(w, escape) }),
		"notice":  write(t, func(w io.Writer) error { return r.Annotations(w, escape) }),
	} {
		if !strings.Contains(text, "ESTIMATED energy") {
			t.Errorf("%s does not say that the energy is estimated:\n%s", form, text)
		}
	}
}

// TestSchema holds the JSON to its documentation.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/check.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Report{"a check": New(example(), about()), "a refusal": Refuse("because", About{})} {
		var v any
		if err := json.Unmarshal([]byte(write(t, r.JSON)), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s is not as documented: %v", name, err)
		}
	}
}

// TestManyAnnotations: GitHub drops what is beyond ten of a kind, without a word.
func TestManyAnnotations(t *testing.T) {
	for _, c := range []struct{ verdicts, lines int }{{9, 9}, {10, 10}, {11, 10}, {500, 10}} {
		result := example()
		one := result.Verdicts[0]
		result.Verdicts, result.Unmatched, result.Added = nil, nil, nil
		for range c.verdicts {
			result.Verdicts = append(result.Verdicts, one)
		}
		a := about()
		a.Warnings = nil
		r := New(result, a)
		got := write(t, func(w io.Writer) error { return r.Annotations(w, escape) })
		if lines := strings.Count(got, "\n"); lines != c.lines {
			t.Errorf("%d verdicts make %d annotations, want %d", c.verdicts, lines, c.lines)
		}
		if left := "more, all in the step's log"; strings.Contains(got, left) != (c.verdicts > c.lines) {
			t.Errorf("%d verdicts: whether %q is said is wrong:\n%s", c.verdicts, left, got)
		}
		if summary := write(t, func(w io.Writer) error { return r.Summary(w, escape) }); len(summary) > 1<<17 {
			t.Errorf("%d verdicts make a summary of %d bytes, want less than GitHub's limit by far", c.verdicts, len(summary))
		}
	}
}

// TestAmounts prints values with their unit.
func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{12.3456, "J", "12.35 J"}, {0.0123456, "J", "12.35 mJ"}, {1.5e-7, "J", "150.0 nJ"}, {0, "J", "0.000 J"}, {12345, "s", "12345 s"},
		{0.5, "s", "500.0 ms"}, {2.5e9, "count", "2.500 G"}, {-0.5, "W", "-500.0 mW"}, {999.96, "J", "1.000 kJ"}, {0.99996, "J", "1.000 J"},
	} {
		if got := amount(&c.v, c.unit); got != c.want {
			t.Errorf("%v %s is printed %q, want %q", c.v, c.unit, got, c.want)
		}
	}
	for v, want := range map[float64]string{0.05: "+5 %", 0: "+0 %", -0.025: "-2.5 %", 0.07: "+7 %", 12.5: "+1250 %"} {
		if got := bound(v); got != want {
			t.Errorf("limit %v is printed %q, want %q", v, got, want)
		}
	}
}
