package compare

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/report/gate"
)

var update = flag.Bool("update", false, "write the golden files")

// printable is what the command gives: one line that no terminal obeys.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// change is one that ten runs of a side show: by a ratio, with a p-value.
func change(q gate.Quantity, old, ratio, p float64) gate.Change {
	if math.Abs(ratio-1) < 0.005 {
		p = 1
	}
	return gate.Change{Quantity: q, Old: old, New: old * ratio, Ratio: ratio, Low: ratio - 0.02, High: ratio + 0.02,
		P: p / 10, Adjusted: p, Significant: p <= 0.01, Noise: 0.015, Detectable: 0.034}
}

// untested is what one run of a side knows.
func untested(q gate.Quantity, old, new float64) gate.Change {
	nan := math.NaN()
	return gate.Change{Quantity: q, Old: old, New: new, Ratio: new / old, Low: nan, High: nan, P: nan, Adjusted: nan, Noise: nan, Detectable: math.Inf(1)}
}

func function(name, library string, joules, seconds, energy, time float64, because string, p float64) gate.FunctionChange {
	f := gate.FunctionChange{Key: gate.Key{Name: name, Library: library}, Energy: change(gate.Energy, joules, energy, p), Time: change(gate.Time, seconds, time, p),
		Power: change(gate.Power, joules/seconds, energy/time, p), Named: p <= 0.01, Because: because}
	// The contributions of two factors, by the logarithmic mean.
	if energy != 1 {
		mean := joules * (energy - 1) / math.Log(energy)
		f.TimePart, f.PowerPart = mean*math.Log(time), mean*math.Log(energy/time)
	}
	return f
}

const hostile = "std::map<int, A|B>::operator|(`x` \\ \x1b[31m\u202e<script>alert(1)</script> & _a_ *b* $c$ @me #1"

func perf() *Source { return &Source{Name: "perf-power", Measured: true} }

// cases are results of all kinds.
func cases() map[string]*Result {
	opt := gate.DefaultOptions()
	ten := func() *gate.Comparison {
		return &gate.Comparison{Old: 10, New: 12, Family: 11,
			Totals: []gate.Change{change(gate.Energy, 40, 1.1, 0.0000012), change(gate.Time, 4, 1.0025, 1), change(gate.Elapsed, 4.1, 1, 1),
				change(gate.Power, 9.756, 1.1, 0.0004), change(gate.Cycles, 1.2e10, 0.95, 0.03)},
			Because: "power", TimePart: 0.1, PowerPart: 3.9,
			Functions: []gate.FunctionChange{function("multiply", "libblas.so.3", 12, 1, 1.3, 1.001, "power", 0.00002),
				function("sort", "app", 6, 1, 1.2, 1.2, "time", 0.0003), function("both", "app", 2, 0.5, 1.44, 1.2, "both", 0.005),
				function("less", "app", 2, 0.5, 0.81, 0.9, "both", 0.005), function("same", "app", 8, 0.8, 1.002, 1.001, "", 1), function("idle", "", 4, 0.4, 1, 1, "", 1)},
			Small:   17,
			Added:   []gate.Single{{Key: gate.Key{Name: "fresh", Library: "app"}, Amount: gate.Amount{Joules: 1.5, Seconds: 0.2, Cycles: math.NaN()}}},
			Removed: []gate.Single{{Key: gate.Key{Name: "gone", Library: "app"}, Amount: gate.Amount{Joules: 0.75, Seconds: 0.1, Cycles: math.NaN()}}}}
	}
	sides := Compared{Old: Side{Name: "base", Command: []string{"./app", "-n", "5"}, Source: perf()}, New: Side{Name: "head", Command: []string{"./app", "-n", "5"}, Source: perf()}, Options: opt}
	all := map[string]*Result{"ten": New(ten(), sides)}

	counted := sides
	counted.Cycles = map[gate.Key]gate.Change{{Name: "multiply", Library: "libblas.so.3"}: untested(gate.Cycles, 3e9, 3.1e9), {Name: "same", Library: "app"}: change(gate.Cycles, 2.4e9, 0.98, math.NaN())}
	all["cycles"] = New(ten(), counted)

	c, what := ten(), sides
	c.Paired = true
	c.Functions[0].Name, c.Functions[5].Name = hostile, hostile
	c.Added[0].Maybe, c.Removed[0].Maybe = &c.Removed[0].Key, &c.Added[0].Key
	c.Added[0].Name, c.Removed[0].Maybe.Name = hostile, hostile
	c.Added = append(c.Added, gate.Single{Key: gate.Key{Name: hostile + "2"}, Amount: gate.Amount{Joules: 0.6, Seconds: 0.06}})
	what.Old.Name, what.Old.Command = hostile, []string{hostile}
	what.Differences = []Difference{{Kind: "machine", What: "CPU", Old: "one", New: hostile, Text: "the CPU is one in the old and " + hostile + " in the new runs"},
		{Kind: "estimate", What: "joules", Old: "estimated joules", New: "estimated joules", Text: "joules are estimated by a model, not measured"}}
	what.Notes = []string{"of " + hostile}
	all["hostile"] = New(c, what)

	what = sides
	what.Old.Source, what.New.Source = &Source{Name: "model"}, &Source{Name: "model"}
	all["estimate"] = New(ten(), what)

	what = sides
	what.Options.Energy, what.New.Source = false, nil
	c = ten()
	c.Totals = []gate.Change{c.Totals[1], c.Totals[2]}
	c.Because, c.TimePart, c.PowerPart = "", math.NaN(), math.NaN()
	c.Functions = c.Functions[1:2]
	c.Functions[0].Because = ""
	c.Small = 1
	all["time"] = New(c, what)

	what = sides
	what.Notes = []string{"one run of a side says nothing of how much runs differ: nothing is claimed"}
	c = &gate.Comparison{Old: 1, New: 1, Family: 5, Totals: []gate.Change{untested(gate.Energy, 40, 44), untested(gate.Time, 4, 4), untested(gate.Power, 10, 11)},
		TimePart: 0, PowerPart: 4,
		Functions: []gate.FunctionChange{{Key: gate.Key{Name: "multiply", Library: "app"}, Energy: untested(gate.Energy, 0, 15.6), Time: untested(gate.Time, 0, 1), Power: untested(gate.Power, math.NaN(), 15.6), TimePart: math.NaN(), PowerPart: math.NaN()},
			{Key: gate.Key{Name: "grown", Library: "app"}, Energy: untested(gate.Energy, 0.1, 4.6), Time: untested(gate.Time, 0.1, 0.09), Power: untested(gate.Power, 1, 51), TimePart: -1, PowerPart: 5.5}}}
	all["one"] = New(c, what)

	all["nothing"] = New(&gate.Comparison{Old: 3, New: 3}, sides)
	return all
}

// golden compares what was written with what is kept.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got, -update writes it):\n%s", path, diff)
	}
}

// formats are all of them.
func formats(rows, width int) map[string]func(io.Writer, *Result) error {
	return map[string]func(io.Writer, *Result) error{
		"txt":  Text{Rows: rows, Width: width, Printable: printable}.Write,
		"md":   Markdown{Rows: rows, Printable: printable}.Write,
		"html": HTML{Rows: rows, Printable: printable}.Write,
		"json": func(w io.Writer, r *Result) error { return r.WriteJSON(w) },
	}
}

func written(t *testing.T, write func(io.Writer, *Result) error, r *Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, r := range cases() {
		for ext, write := range formats(0, 0) {
			golden(t, name+"."+ext, []byte(written(t, write, r)))
		}
	}
	golden(t, "narrow.txt", []byte(written(t, formats(1, 80)["txt"], cases()["hostile"])))
}

// numbersOfEstimate is the width of a table of numbers in which some are estimated.
const numbersOfEstimate = 86

// TestWidth: no line is wider than the terminal unless numbers alone are, and none is broken in two by what a name holds.
func TestWidth(t *testing.T) {
	for name, r := range cases() {
		for _, width := range []int{80, 100, 132} {
			for line := range strings.Lines(written(t, formats(0, width)["txt"], r)) {
				line = strings.TrimSuffix(line, "\n")
				for _, c := range line {
					if !unicode.IsPrint(c) {
						t.Errorf("%s: a terminal obeys %q", name, line)
					}
				}
				if n := len([]rune(line)); n > width && (name != "estimate" || n > numbersOfEstimate) {
					t.Errorf("%s: %d characters in a terminal of %d: %s", name, n, width, line)
				}
			}
		}
	}
}

// TestKeep: rows that are left out are counted in every format, and those of the result itself stay.
func TestKeep(t *testing.T) {
	r := cases()["ten"]
	for ext, write := range formats(1, 0) {
		text := written(t, write, r)
		for _, want := range map[string][]string{"txt": {"(3 more that changed)", "(1 more)"}, "md": {"(3 more)", "(1 more)"}, "html": {"(3 more)", "(1 more)"}}[ext] {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", ext, want, text)
			}
		}
	}
	if len(r.Changed) != 4 || len(r.Others) != 2 {
		t.Errorf("%d functions that changed and %d others are left, want 4 and 2", len(r.Changed), len(r.Others))
	}
}

// TestErrors: a writer that fails is told of.
func TestErrors(t *testing.T) {
	for ext, write := range formats(0, 0) {
		if err := write(broken{}, cases()["ten"]); err == nil || !strings.Contains(err.Error(), "writing the output: no room") {
			t.Errorf("%s: %v, want the writer's error", ext, err)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("no room") }
