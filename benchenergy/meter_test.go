package benchenergy

import (
	"errors"
	"flag"
	"math"
	"os"
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
