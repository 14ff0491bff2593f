package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func at(address uint64, names ...string) *pprofile.Location {
	l := &pprofile.Location{Address: address, Mapping: &pprofile.Mapping{Start: 0x1000, Limit: 0x9000, File: "/bin/app"}}
	for _, name := range names {
		l.Lines = append(l.Lines, pprofile.Frame{Function: name})
	}
	return l
}

// example is a command of two processes on one package with dram, and hostile names.
func example() *Recording {
	code := 3
	main, work, inlined, deep := at(0x1000, "main"), at(0x1100, "work"), at(0x1200, "std::vector<int>::push_back", "work"), at(0x1300)
	evil := at(0x1400, "evil\x1b[2Jname\u009b31m\u202e"+strings.Repeat("::very::long::namespace", 6)+"::end")
	r := &Recording{
		Data: pprofile.Profile{
			Columns: []pprofile.Column{
				{Domain: "package", CPUs: "0-3", Sum: true, Joules: 29.4999999, Synthetic: pprofile.Synthetic{Baseline: 19.9999999, Other: 2, Lost: 0.5}},
				{Domain: "dram", CPUs: "0-3", Sum: true, Joules: 3, Synthetic: pprofile.Synthetic{Baseline: 1, Unattributed: 0.25}},
				{Domain: "psys", CPUs: "0-3", Joules: 50, Synthetic: pprofile.Synthetic{Idle: 50}},
			},
			Measured: true, LostSamples: 12, LostNanoseconds: 12e6,
			Period: time.Millisecond, Start: time.Unix(1_700_000_000, 0), Duration: 2 * time.Second,
		},
		Tool: "energyprof test", Source: "perf-power",
		Attribution: Attribution{Method: attribution.Proportional, BaselineWatts: []float64{10, 0.5, 0}},
		Command:     &Command{Args: []string{"./app", "two words", "\x1b]0;title\a"}, ExitCode: &code},
		Stacks:      &Stacks{Method: "bpf", Samples: 1200, Complete: 1195, Truncated: 2, Failed: map[string]int64{"bad frame": 3}},
		Throttled:   1, BadRecords: 2, Notes: []string{"the counter is filtered\x1b[0m"},
	}
	add := func(process string, joules float64, samples int64, stack ...*pprofile.Location) {
		r.Data.Stacks = append(r.Data.Stacks, pprofile.Stack{Locations: stack, Process: process, PID: 7, TID: 7,
			Samples: samples, Nanoseconds: samples * 1e6, Joules: []float64{joules, joules / 4, 0}})
	}
	add("app", 4, 900, work, main)
	add("app", 1.5, 100, work, work, inlined, main) // recursion
	add("app", 0.5, 50, inlined, main)
	add("app", 0.25, 20, deep, main)
	add("child", 0.625, 125, evil, main)
	add("child", 0.125, 5, work, main)
	return r
}

func mustProfile(t testing.TB, r *Recording) *profile.Profile {
	t.Helper()
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func golden(t *testing.T, name string, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// kinds are the recordings of the golden files.
func kinds() map[string]*Recording {
	model := example()
	model.Data.Measured, model.Source = false, "model"
	return map[string]*Recording{"measured": example(), "model": model, "none": bare(), "regression": fitted(),
		"noclock": unclocked(example()), "noclocknone": unclocked(bare())}
}

// bare is the example without energy and command.
func bare() *Recording {
	without := example()
	without.Data.Columns, without.Command = nil, nil
	for i := range without.Data.Stacks {
		without.Data.Stacks[i].Joules = nil
	}
	return without
}

// unclocked is a recording of an event that is no clock.
func unclocked(r *Recording) *Recording {
	r.Data.NoClock, r.Data.Events, r.Data.LostNanoseconds, r.Data.Period = true, []pprofile.EventType{{Name: "cycles"}}, 0, 1000
	for i := range r.Data.Stacks {
		s := &r.Data.Stacks[i]
		s.Events, s.Nanoseconds = []int64{1000 * s.Samples}, 0
	}
	return r
}

func TestGolden(t *testing.T) {
	for name, r := range kinds() {
		t.Run(name, func(t *testing.T) {
			var summary, closing, table, tableJSON, comments bytes.Buffer
			s := r.Summary()
			tab := ReadTable(mustProfile(t, r))
			for _, err := range []error{s.JSON(&summary), s.Text(&closing, 100), tab.Text(&table, 5, 100), tab.JSON(&tableJSON, 3)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range mustProfile(t, r).Comments {
				comments.WriteString(c + "\n")
			}
			golden(t, name+".summary.json", summary.String())
			golden(t, name+".closing.txt", closing.String())
			golden(t, name+".table.txt", table.String())
			golden(t, name+".table.json", tableJSON.String())
			for _, text := range []string{summary.String(), closing.String(), table.String(), tableJSON.String()} {
				for _, r := range text {
					if r != '\n' && (r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u202e') {
						t.Errorf("character %U reaches the terminal in\n%s", r, text)
					}
				}
			}
			for line := range strings.Lines(closing.String() + table.String() + comments.String()) {
				if !r.Data.Measured && strings.Contains(line, "J ") && !strings.Contains(line, "ESTIMATED") {
					t.Errorf("joules of a model and nothing that says so: %q", line)
				}
			}
		})
	}
}

// Functions and what belongs to none add up to the domains to the microjoule,
// and a reader in Go gets back what was written.
func TestSummaryAddsUp(t *testing.T) {
	var b bytes.Buffer
	if err := example().Summary().JSON(&b); err != nil {
		t.Fatal(err)
	}
	var s Summary
	dec := json.NewDecoder(&b)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	micro := func(joules float64) int64 { return int64(math.Round(joules * 1e6)) }
	var want, got int64
	for _, d := range s.Source.Domains {
		if d.InEnergy {
			want += micro(d.Joules)
		}
	}
	for _, f := range s.Functions {
		got += micro(*f.Joules)
	}
	for _, f := range s.synthetic() {
		got += micro(*f.Joules)
	}
	if got != want || want != 32_500_000 {
		t.Errorf("parts add up to %d uJ, domains to %d, want 32500000", got, want)
	}
	if d := cmp.Diff(example().Summary(), s); d != "" {
		t.Errorf("read back differently (-wrote +read):\n%s", d)
	}
}

// A recording that makes no profile still says what it knows and why.
func TestSummaryOfInconsistentData(t *testing.T) {
	r := example()
	r.Data.Columns[1].Joules = 77
	s := r.Summary()
	if !strings.Contains(s.Error, "dram of package 0") || len(s.Functions) != 0 || s.Samples != 1200 {
		t.Errorf("error %q, %d functions, %d samples", s.Error, len(s.Functions), s.Samples)
	}
	var b bytes.Buffer
	if err := s.Text(&b, 80); err != nil || !strings.Contains(b.String(), "error: pprofile: column 1") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// The closing table shows ten functions and adds up all the same.
func TestClosingRest(t *testing.T) {
	r := &Recording{Data: pprofile.Profile{Measured: true, Columns: []pprofile.Column{{Domain: "package", Sum: true, Joules: 78}}}}
	for i := range 12 {
		r.Data.Stacks = append(r.Data.Stacks, pprofile.Stack{Locations: []*pprofile.Location{at(0x2000+uint64(i), fmt.Sprintf("f%02d", i+1))},
			Process: "app", PID: 1, Samples: 1, Nanoseconds: 1e9, Joules: []float64{float64(i + 1)}})
	}
	var b bytes.Buffer
	if err := r.Summary().Text(&b, 80); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(b.String(), "\n\n")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	want := []string{"12.00 J  15.4 %   1.000 s  12.00 W  f12", "3.000 J   3.8 %   1.000 s  3.000 W  f03",
		"3.000 J   3.8 %   2.000 s  1.500 W  (2 more functions)"}
	if len(lines) != 12 || lines[1] != want[0] || lines[10] != want[1] || lines[11] != want[2] {
		t.Errorf("want ten functions and %q, got\n%s", want, table)
	}
}

// The table of a file is that of the recording, and sorts by each key.
func TestTableSort(t *testing.T) {
	var file bytes.Buffer
	if err := mustProfile(t, example()).Write(&file); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(&file)
	if err != nil {
		t.Fatal(err)
	}
	tab := ReadTable(p)
	if d := cmp.Diff(ReadTable(mustProfile(t, example())), tab); d != "" {
		t.Fatalf("the file reads differently:\n%s", d)
	}
	for key, want := range map[string]string{
		"joules":  "[baseline]/ work/app",
		"cum":     "[baseline]/ main/app", // main has more below it than work
		"seconds": "work/app evil",
		"watts":   "[lost]/ work/child", // 0.5 J in 12 ms, 0.15625 in 5
		"name":    "[baseline]/ [lost]/",
	} {
		if err := tab.Sort(key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		got := tab.Rows[0].Name + "/" + tab.Rows[0].Process + " " + tab.Rows[1].Name + "/" + tab.Rows[1].Process
		if !strings.HasPrefix(got, want) {
			t.Errorf("by %s: %s, want %s", key, got, want)
		}
	}
	if err := tab.Sort("size"); err == nil || !strings.Contains(err.Error(), `"size" is none of joules, cum,`) {
		t.Errorf("unknown key: %v", err)
	}
}

// Profiles of other tools: what is there is shown, what is not is said.
func TestForeignProfile(t *testing.T) {
	foreign := func(types ...string) *profile.Profile {
		f := &profile.Function{ID: 1, Name: "f"}
		l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
		p := &profile.Profile{Function: []*profile.Function{f}, Location: []*profile.Location{l}}
		s := &profile.Sample{Location: []*profile.Location{l}}
		for i, typ := range types {
			name, unit, _ := strings.Cut(typ, "/")
			p.SampleType = append(p.SampleType, &profile.ValueType{Type: name, Unit: unit})
			s.Value = append(s.Value, int64(i+1)*1e6)
		}
		p.Sample = []*profile.Sample{s}
		return p
	}
	for _, tt := range []struct {
		types   []string
		energy  string
		joules  float64
		seconds float64
		text    string
		sortBy  string // what sorting by joules says
	}{
		{[]string{"samples/count", "cpu/nanoseconds"}, "", 0, 0.002,
			"missing: no sample type energy/microjoules, so no joules; there is samples/count, cpu/nanoseconds\n", "cannot sort by joules: no sample type energy"},
		{[]string{"energy/joules", "cpu/nanoseconds"}, "", 0, 0.002, "so no joules; there is energy/joules, cpu/nanoseconds\n", "cannot sort"},
		{[]string{"inuse_space/bytes"}, "", 0, 0, "no sample type cpu/nanoseconds, so no CPU time and no watts; there is inuse_space/bytes\n", "cannot sort"},
		{[]string{"cycles/count", "energy/microjoules"}, "energy", 2, 0, "missing: no sample type cpu/nanoseconds", ""},
		{[]string{"cpu/nanoseconds", "energy_psys/microjoules"}, "energy_psys", 2, 0.001, "the joules are of energy_psys alone\n", ""},
	} {
		tab := ReadTable(foreign(tt.types...))
		var b bytes.Buffer
		if err := tab.Text(&b, 0, 0); err != nil {
			t.Fatal(err)
		}
		if tab.Energy != tt.energy || tab.Joules != tt.joules || tab.Seconds != tt.seconds || !strings.Contains(b.String(), tt.text) {
			t.Errorf("%v: energy %q, %v J, %v s\n%s", tt.types, tab.Energy, tab.Joules, tab.Seconds, b.String())
		}
		if strings.Contains(b.String(), " 0 J") || strings.Contains(b.String(), " 0 s") {
			t.Errorf("%v: a silent zero\n%s", tt.types, b.String())
		}
		err := tab.Sort("joules")
		if (err != nil) != (tt.sortBy != "") || err != nil && !strings.Contains(err.Error(), tt.sortBy) {
			t.Errorf("%v: sort: %v", tt.types, err)
		}
	}
}

func TestUnits(t *testing.T) {
	for want, got := range map[string]string{
		"0 J": joules(0), "1.000 uJ": joules(1e-6), "999.9 uJ": joules(0.0009999), "1.000 mJ": joules(0.00099999),
		"53.40 J": joules(53.4), "219.3 J": joules(219.3), "1.000 kJ": joules(999.96), "12.35 kJ": joules(12345.678),
		"3.600 MJ": joules(3.6e6), "5000 MJ": joules(5e9), "9.900 W": watts(9.9), "4.413 mW": watts(0.0044132),
		"20.00 s": seconds(20), "86400 s": seconds(86400), "-1.500 J": joules(-1.5), "0.001 uJ": joules(1e-9), "24.4 %": percent(0.2436),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"std::vector<int> größe":   "std::vector<int> größe",
		"a\x1b[31mb\a":             `a\x1b[31mb\a`,
		"bad\xffutf8":              `bad\xffutf8`,
		"c1 \u009b bidi \u202e":    `c1 \u009b bidi \u202e`,
		"new\nline\ttab\x7f\u2028": `new\nline\ttab\x7f\u2028`,
		"kept \ufffd":              "kept \ufffd",
	} {
		if got := terminal(in); got != want {
			t.Errorf("terminal(%q) = %q, want %q", in, got, want)
		}
	}
	for _, tt := range []struct {
		in    string
		width int
		want  string
	}{{"abcdefghij", 10, "abcdefghij"}, {"abcdefghij", 9, "abc...hij"}, {"abcdefghij", 8, "abc...ij"}, {"größenwahn", 7, "gr...hn"}} {
		if got := shorten(tt.in, tt.width); got != tt.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.want)
		}
	}
}

type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWriteError(t *testing.T) {
	s := example().Summary()
	tab := ReadTable(mustProfile(t, example()))
	for i, err := range []error{s.Text(fullDisk{}, 80), s.JSON(fullDisk{}), tab.Text(fullDisk{}, 0, 80), tab.JSON(fullDisk{}, 0)} {
		if !errors.Is(err, errFull) {
			t.Errorf("writer %d: %v", i, err)
		}
	}
}
