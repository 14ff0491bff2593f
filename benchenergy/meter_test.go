package benchenergy

import (
	"errors"
	"flag"
	"math"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/rapl"
)

// TestMain makes the benchmarks of these tests short, and leaves those of -bench as they are asked for.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.benchtime" })
	if f := flag.Lookup("test.bench"); !given && f.Value.String() == "" {
		if err := flag.Set("test.benchtime", "120ms"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// steps is a source of known power whose counters move every step, as hardware's do: in between they show the past.
type steps struct {
	measured bool
	watts    []float64 // of two domains; the second is part of the first
	step     time.Duration
	dropped  int
	failed   error
	closed   *int
	reads    int
}

func (s *steps) Info() rapl.Info {
	info := rapl.Info{Name: "steps", Measured: s.measured}
	for i := range s.watts {
		info.Domains = append(info.Domains, rapl.Domain{Name: "package", Package: i, Sum: i != 1})
	}
	return info
}

func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

func (s *steps) Read(joules []float64) (rapl.Moment, error) {
	t := now()
	for i := range joules {
		joules[i] = s.watts[i] * float64(t/int64(s.step)*int64(s.step)) / 1e9
	}
	s.reads++
	m := rapl.Moment{Before: t, After: t}
	if s.reads > 1 {
		m.Dropped = s.dropped
		if s.failed != nil {
			m.Failed = make([]error, len(joules))
			m.Failed[0] = s.failed
		}
	}
	return m, nil
}

func (s *steps) Close() error {
	if s.closed != nil {
		*s.closed++
	}
	return nil
}

// work is an operation.
func work() {
	n := 0
	for i := range 1000 {
		n += i
	}
	runtime.KeepAlive(n)
}

// measured runs a benchmark until it reports something: one whose timer another process held up reports nothing, and
// says so, which on a busy machine is right.
func measured(t *testing.T, f func(b *testing.B)) testing.BenchmarkResult {
	t.Helper()
	for range 20 {
		if r := testing.Benchmark(f); len(r.Extra) > 0 {
			return r
		}
	}
	t.Fatal("20 benchmarks have no joules")
	return testing.BenchmarkResult{}
}

// TestWatts: the joules are those of the source's power for the time of the loop, though its counters move now and then,
// of the domains that can be summed.
func TestWatts(t *testing.T) {
	const want = 20 + 5
	for name, loop := range map[string]func(b *testing.B, m *Meter){
		"b.N": func(b *testing.B, _ *Meter) {
			for range b.N {
				work()
			}
		},
		"b.Loop": func(b *testing.B, _ *Meter) {
			for b.Loop() {
				work()
			}
		},
		"stopped twice": func(b *testing.B, m *Meter) {
			for b.Loop() {
				work()
			}
			m.Stop()
			m.Stop()
			time.Sleep(50 * time.Millisecond) // is not measured any more
		},
		"parallel": func(b *testing.B, _ *Meter) {
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					work()
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			started, closed := 0, 0
			r := measured(t, func(b *testing.B) {
				time.Sleep(time.Millisecond) // set up
				started++
				loop(b, start(b, &steps{measured: true, watts: []float64{20, 7, 5}, step: time.Millisecond, closed: &closed}))
			})
			// Each end is off by a step at most, of 120.
			if got := r.Extra["W"]; math.Abs(got-want) > want*2./120 {
				t.Errorf("the benchmark reports %v W, want %v", got, want)
			}
			if got, want := r.Extra["J/op"], r.Extra["W"]*r.T.Seconds()/float64(r.N); math.Abs(got-want) > 1e-9*want {
				t.Errorf("the benchmark reports %v J/op, want %v: its watts for its time by its operations", got, want)
			}
			if got, want := r.Extra["nJ/op"], 1e9*r.Extra["J/op"]; got != want {
				t.Errorf("the benchmark reports %v nJ/op, want %v", got, want)
			}
			if closed != started {
				t.Errorf("%d sources were opened, %d closed", started, closed)
			}
		})
	}
}

// TestPower: the watts of two readings, or why there are none.
func TestPower(t *testing.T) {
	info := rapl.Info{Name: "perf-power", Domains: []rapl.Domain{{Name: "package", Sum: true}, {Name: "cores"}, {Name: "dram", Sum: true}}}
	at := func(ms int64, sharp bool, joules ...float64) (out []edge) {
		for i, j := range joules {
			out = append(out, edge{(ms + int64(i)) * 1e6, j, sharp || i == 1}) // the domains move one after the other
		}
		return out
	}
	for _, c := range []struct {
		name          string
		begin, end    []edge
		timed, passed time.Duration
		want          float64
		why           string
	}{
		{"all is well", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), time.Second, time.Second, 23, ""},
		{"in the slack", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), 971 * time.Millisecond, time.Second, 23, ""},
		{"paused", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), 969 * time.Millisecond, time.Second, 0, "timer ran for 969ms of the 1s"},
		{"started late", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), 2 * time.Second, time.Second, 0, "timer ran for 2s of the 1s"},
		{"short", at(1000, true, 5, 50, 1), at(1100, true, 7, 51, 2), 99 * time.Millisecond, 99 * time.Millisecond, 0, "too slow for less than 100ms"},
		{"slow counter", at(1000, false, 5, 50, 1), at(2000, false, 25, 60, 4), time.Second, time.Second, 0, "too slow for less than 2s"},
		{"slow counter, long loop", at(1000, false, 5, 50, 1), at(4000, false, 25, 60, 4), 3 * time.Second, 3 * time.Second, 23. / 3, ""},
		{"only a part moves", at(1000, true, 5, 50, 1), at(2000, true, 5, 60, 1), time.Second, time.Second, 0, "perf-power did not move"},
		{"no time", at(1000, true, 5, 50, 1), at(1000, true, 25, 60, 4), time.Second, time.Second, 0, "no time passed"},
	} {
		got, err := power(info, c.begin, c.end, c.timed, c.passed)
		if c.why == "" && (err != nil || math.Abs(got-c.want) > 1e-9) {
			t.Errorf("%s: %v W (%v), want %v", c.name, got, err, c.want)
		}
		if c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s: %v W (%v), want an error: %s", c.name, got, err, c.why)
		}
	}
}

// TestNothing: where the joules are not known nothing is reported, and the benchmark has its time.
func TestNothing(t *testing.T) {
	for name, c := range map[string]struct {
		source steps
		loop   func(b *testing.B)
		broken string
	}{
		"lost counter":   {steps{measured: true, watts: []float64{20}, step: time.Millisecond, dropped: 1}, looping, "could not be followed"},
		"failed counter": {steps{measured: true, watts: []float64{20}, step: time.Millisecond, failed: errors.New("gone")}, looping, "package 0: gone"},
		"stopped timer":  {steps{measured: true, watts: []float64{20}, step: time.Millisecond}, pausing, ""},
		"after the loop": {steps{measured: true, watts: []float64{20}, step: time.Millisecond}, lingering, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var m *Meter
			r := testing.Benchmark(func(b *testing.B) {
				source := c.source
				m = start(b, &source)
				c.loop(b)
			})
			if len(r.Extra) > 0 {
				t.Errorf("the benchmark reports %v", r.Extra)
			}
			if r.N == 0 || r.T == 0 {
				t.Errorf("the benchmark has no result: %v", r)
			}
			if m.broken == nil && c.broken != "" || m.broken != nil && (c.broken == "" || !strings.Contains(m.broken.Error(), c.broken)) {
				t.Errorf("what is broken is %v, want %q", m.broken, c.broken)
			}
		})
	}
}

func looping(b *testing.B) {
	for range b.N {
		work()
	}
}

func pausing(b *testing.B) {
	for range b.N {
		b.StopTimer()
		time.Sleep(2 * time.Millisecond)
		b.StartTimer()
		for range 1000 {
			work()
		}
	}
}

func lingering(b *testing.B) {
	for b.Loop() {
		work()
	}
	time.Sleep(100 * time.Millisecond)
}

// TestModel: an estimate is never J/op, and has to be asked for.
func TestModel(t *testing.T) {
	r := measured(t, func(b *testing.B) {
		start(b, &steps{watts: []float64{20}, step: time.Millisecond})
		for b.Loop() {
			work()
		}
	})
	for _, unit := range []string{"model-J/op", "model-nJ/op", "model-W"} {
		if r.Extra[unit] <= 0 {
			t.Errorf("there is no %s: %v", unit, r.Extra)
		}
	}
	if len(r.Extra) != 3 {
		t.Errorf("an estimate is reported as %v", r.Extra)
	}

	if _, err := (Options{Source: "model"}).open(); err == nil || !strings.Contains(err.Error(), "not measured") {
		t.Errorf("a model that was not asked for: %v", err)
	}
	src, err := Options{Source: "model", Model: true}.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSkip: without a source the benchmark is skipped, or runs for its time.
func TestSkip(t *testing.T) {
	for _, optional := range []bool{false, true} {
		ran, skipped := false, false
		r := testing.Benchmark(func(b *testing.B) {
			defer func() { skipped = b.Skipped() }()
			m := Options{Event: "no-such-pmu/energy/", Scale: 1, Optional: optional}.Start(b)
			for range b.N {
				ran = true
				work()
			}
			m.Stop()
		})
		if ran != optional || skipped == optional {
			t.Errorf("without a source, Optional %v: ran %v, skipped %v", optional, ran, skipped)
		}
		if len(r.Extra) > 0 {
			t.Errorf("without a source there is %v", r.Extra)
		}
	}
	_, err := Options{Event: "no-such-pmu/energy/", Scale: 1}.open()
	if err == nil || !strings.Contains(err.Error(), "no-such-pmu") {
		t.Errorf("the reason is %v, want the event that is missing", err)
	}
	if _, err := (Options{Source: "perpetuum"}).open(); !errors.Is(err, rapl.ErrUnknownKind) {
		t.Errorf("a source of an unknown kind: %v", err)
	}
}

// forOutput asks BenchmarkForOutput for something to look at.
const forOutput = "BENCHENERGY_FOR_OUTPUT"

// BenchmarkForOutput is what TestOutput looks at.
func BenchmarkForOutput(b *testing.B) {
	if os.Getenv(forOutput) == "" {
		b.Skip("this is for TestOutput")
	}
	nowhere := Options{Event: "no-such-pmu/energy/", Scale: 1}
	b.Run("skipped", func(b *testing.B) {
		nowhere.Start(b)
		looping(b)
	})
	b.Run("optional", func(b *testing.B) {
		o := nowhere
		o.Optional = true
		o.Start(b)
		looping(b)
	})
	b.Run("paused", func(b *testing.B) {
		start(b, &steps{measured: true, watts: []float64{20}, step: time.Millisecond})
		pausing(b)
	})
}

// TestOutput: the reason why there are no joules is printed, and once: not for the runs by which package testing looks for
// the number of operations.
func TestOutput(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkForOutput$", "-test.benchtime=20ms", "-test.v")
	c.Env = append(os.Environ(), forOutput+"=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for pattern, want := range map[string]int{
		`(?m)^--- SKIP: BenchmarkForOutput/skipped`:                           1,
		`(?m)^BenchmarkForOutput/optional\S*\s+\d+\s+\S+ ns/op$`:              1,
		`(?m)^BenchmarkForOutput/paused\S*\s+\d+\s+\S+ ns/op$`:                1,
		`meter_test.go:\d+: benchenergy: energy from no-such-pmu/energy/: .*`: 1,
		`benchenergy: no J/op: energy from no-such-pmu/energy/: .*`:           1,
		`benchenergy: no J/op: the benchmark's timer ran for .*`:              1,
	} {
		if got := len(regexp.MustCompile(pattern).FindAll(out, -1)); got != want {
			t.Errorf("%s is in the output %d times, want %d:\n%s", pattern, got, want, out)
		}
	}
}

// TestLive counts the time stamp counter in place of joules: its rate is the same in every run.
func TestLive(t *testing.T) {
	if _, err := os.Stat("/sys/bus/event_source/devices/msr/events/tsc"); err != nil {
		t.Skip("this machine has no event to stand in for energy: ", err)
	}
	src, err := Options{Event: "msr/tsc/", Scale: 1e-9}.open()
	if err != nil {
		if os.Geteuid() == 0 && os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	var watts []float64
	for range 2 {
		r := measured(t, func(b *testing.B) {
			Options{Event: "msr/tsc/", Scale: 1e-9}.Start(b)
			for b.Loop() {
				work()
			}
		})
		watts = append(watts, r.Extra["W"])
		if r.Extra["J/op"] <= 0 {
			t.Fatalf("there are no joules: %v", r.Extra)
		}
		for _, unit := range []string{"J/op", "W"} {
			if text := r.String(); !strings.Contains(text, unit) {
				t.Errorf("the line of the benchmark has no %s: %s", unit, text)
			}
		}
	}
	if a, b := watts[0], watts[1]; math.Abs(a-b) > 0.02*a {
		t.Errorf("the counter ran at %v and at %v GHz", a, b)
	}
}

// TestLast: which run of a benchmark is its result.
func TestLast(t *testing.T) {
	before := flag.Lookup("test.benchtime").Value.String()
	t.Cleanup(func() {
		if err := flag.Set("test.benchtime", before); err != nil {
			t.Error(err)
		}
	})
	for _, benchtime := range []string{"1x", "7x", "2ms"} {
		if err := flag.Set("test.benchtime", benchtime); err != nil {
			t.Fatal(err)
		}
		runs, lasts, when := 0, 0, 0
		r := testing.Benchmark(func(b *testing.B) {
			for range b.N {
				work()
			}
			b.StopTimer()
			if runs++; last(b) {
				lasts++
				when = runs
			}
		})
		if lasts != 1 || when != runs {
			t.Errorf("-benchtime %s: of %d runs %d are the last one, the latest of them is number %d (%v)", benchtime, runs, lasts, when, r)
		}
	}
}

// BenchmarkEdges is what Start and Stop take beside the loop, with a source that is there at once.
func BenchmarkEdges(b *testing.B) {
	m := &Meter{source: &steps{measured: true, watts: []float64{20}, step: time.Nanosecond}}
	m.info = m.source.Info()
	m.joules = make([]float64, 1)
	for b.Loop() {
		m.edges()
	}
	if m.broken != nil {
		b.Fatal(m.broken)
	}
}
