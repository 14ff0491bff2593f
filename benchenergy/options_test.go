package benchenergy

import (
	"errors"
	"flag"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/rapl"
)

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
		`(?m)^--- SKIP: BenchmarkForOutput/skipped`:                             1,
		`(?m)^BenchmarkForOutput/optional\S*\s+\d+\s+\S+ ns/op$`:                1,
		`(?m)^BenchmarkForOutput/paused\S*\s+\d+\s+\S+ ns/op$`:                  1,
		`options_test.go:\d+: benchenergy: energy from no-such-pmu/energy/: .*`: 1,
		`benchenergy: no J/op: energy from no-such-pmu/energy/: .*`:             1,
		`benchenergy: no J/op: the benchmark's timer ran for .*`:                1,
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
