package stat

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/uncore"
)

// Rates and joules each go with the means beside them: a repeat in which nothing happened
// used time and joules as well.
func TestRatesOfRepeats(t *testing.T) {
	faults := []uncore.Term{{Name: "task-clock", Clock: true, Group: -1}, {Name: "page-faults", Group: -1}}
	b := &Builder{Options: counting.Options{Command: []string{"app"}, Repeats: 2}, Terms: faults, Source: onePackage}
	of := func(faults uint64, ran, took time.Duration, joules float64) counting.Run {
		return run(reading(0, took, []float64{joules},
			counted{term: 0, cpu: -1, value: uint64(ran), enabled: ran, running: ran},
			counted{term: 1, cpu: -1, value: faults, enabled: ran, running: ran}), launch.Exit{}, 0, 0)
	}
	c := b.result([]counting.Run{of(0, time.Second, 2*time.Second, 6), of(6, 2*time.Second, 4*time.Second, 12)}).Counts[1]
	for _, test := range []struct {
		what string
		got  *float64
		want float64
	}{
		{"mean", c.Value, 3},
		{"per second", c.PerSecond, 1},
		{"per CPU second", c.PerCPUSecond, 2},
		{"joules each", c.JoulesPerCount, 3},
	} {
		if test.got == nil || *test.got != test.want {
			t.Errorf("%s: %v, want %g", test.what, number(test.got), test.want)
		}
	}
}

var onePackage = rapl.Info{Name: "perf-power", Measured: true, Domains: []rapl.Domain{{Name: "package", CPUs: []int{0, 1}, Sum: true}}}

// Figures are made of the events that belong together: IPC of those in one group, and joules per
// instruction of the first that was counted, also if another was not.
func TestFiguresOfSeveralGroups(t *testing.T) {
	b := &Builder{Options: counting.Options{Command: []string{"app"}, Repeats: 1}, Source: onePackage, Terms: []uncore.Term{
		{Name: "cycles", Group: 0}, {Name: "branches", Group: 0},
		{Name: "cpu-cycles", Group: 1}, {Name: "instructions", Group: 1}, {Name: "instructions", Group: -1}}}
	ran := func(term int, value uint64) counted {
		return counted{term: term, cpu: -1, value: value, enabled: time.Second, running: time.Second}
	}
	starved := counted{term: 3, cpu: -1, enabled: time.Second}
	for range 20 { // the order of a map is another each time
		r := b.result([]counting.Run{run(reading(0, time.Second, []float64{8}, ran(0, 100), ran(1, 1), ran(2, 200), ran(3, 400), ran(4, 800)), launch.Exit{}, 0, 0)})
		if got := r.Metrics[0]; *got.Value != 2 || got.Formula != "instructions / cpu-cycles" {
			t.Fatalf("%s = %g, want 400/200: the cycles of its group", got.Formula, *got.Value)
		}
		if got := *r.Energy.JoulesPerInstruction.Value; math.Abs(got-8.0/400) > 1e-12 {
			t.Fatalf("%g J an instruction, want 8/400: of the first", got)
		}
		r = b.result([]counting.Run{run(reading(0, time.Second, []float64{8}, ran(0, 100), ran(2, 200), starved, ran(4, 800)), launch.Exit{}, 0, 0)})
		if q := r.Energy.JoulesPerInstruction; q == nil || math.Abs(*q.Value-8.0/800) > 1e-12 {
			t.Fatalf("%v J an instruction, want 8/800: of the one that was counted", q)
		}
	}
}

// A result says on which CPUs counting was: those that were chosen, or all.
func TestCPUs(t *testing.T) {
	online := []int{0, 1, 2, 3}
	for _, test := range []struct {
		chosen []int
		want   string
	}{{nil, "0-3"}, {[]int{1, 3}, "1,3"}} {
		b := &Builder{Options: counting.Options{All: true, CPUs: test.chosen}, Online: online}
		if r := b.result([]counting.Run{{Reading: reading(0, time.Second, nil), Elapsed: time.Second}}); r.CPUs != test.want {
			t.Errorf("%v chosen: says CPUs %q, want %q", test.chosen, r.CPUs, test.want)
		}
	}
}

// How long joules were counted decides whether they are blurred, not how long the command took.
func TestShortRun(t *testing.T) {
	long := run(reading(0, time.Second, nil), launch.Exit{}, 0, 0)
	short := run(reading(0, 5*ms, nil), launch.Exit{}, 0, 0)
	short.Elapsed = time.Second // most of it the delay
	for _, test := range []struct {
		interval time.Duration
		runs     []counting.Run
		want     string
	}{
		{0, []counting.Run{long}, ""},
		{0, []counting.Run{long, short}, "joules of 5ms are blurred"},
		{10 * ms, []counting.Run{long}, "joules of 10ms are blurred"},
		{0, []counting.Run{{}}, ""}, // counting had not begun
	} {
		b := &Builder{Options: counting.Options{Interval: test.interval}, Source: onePackage}
		if got := b.shortRun(b.shortest(test.runs)); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("interval %v: %q, want %q", test.interval, got, test.want)
		}
	}
}
