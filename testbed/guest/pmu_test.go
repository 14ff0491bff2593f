package guest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// counts is every time that the kernel gives with a counter.
const counts = perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning

// simulated skips where there is no simpmu.
func simulated(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skipf("runs in guests with simpmu, this is %s", os.Getenv(guestEnv))
	}
}

// parse reads an event as the command line does.
func parse(t *testing.T, spec string) pmu.Event {
	t.Helper()
	e, err := pmu.NewFS("", "").Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// attrOf is an event that counts.
func attrOf(e pmu.Event) *perfring.Attr {
	return &perfring.Attr{Type: e.Type, Config: e.Config, Config1: e.Config1, Config2: e.Config2, ReadFormat: counts}
}

// open opens an event of the calling thread (pid 0) or of a CPU (pid -1).
func open(t *testing.T, a *perfring.Attr, pid, cpu int, leader *perfring.Event) *perfring.Event {
	t.Helper()
	e, err := perfring.Open(a, pid, cpu, leader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func countOf(t *testing.T, e *perfring.Event) perfring.Count {
	t.Helper()
	c, err := e.ReadCount()
	must(t, err)
	return c
}

// counted wants as many counts as the rate gives in that many nanoseconds.
func counted(t *testing.T, what string, got, rate float64, ns uint64) {
	t.Helper()
	countedWithin(t, what, got, rate, ns, 0.005)
}

func countedWithin(t *testing.T, what string, got, rate float64, ns uint64, tolerance float64) {
	t.Helper()
	want := rate * float64(ns) / 1e6
	if ns == 0 || math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: %.0f counts in %.3f ms, want %.0f", what, got, float64(ns)/1e6, want)
	}
}

// spin keeps the calling thread on its CPU for this long.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// turns is what turns may cost: each of 4 ms has 20 us, in a guest of two CPUs and more in
// one of four, in which perf's clock runs and the counter does not yet.
const turns = 0.02

// multiplexed wants events that share so many counters to run all the time of wait
// if they have one each and part of it if not, and their scaled counts to be those of
// all of it. The counters are never idle, but who has how many turns is the kernel's.
func multiplexed(t *testing.T, events []*perfring.Event, rates []float64, counters int, wait func()) {
	t.Helper()
	var before []perfring.Count
	for _, e := range events {
		before = append(before, countOf(t, e))
	}
	wait()
	sum := 0.0
	for i, e := range events {
		c := countOf(t, e)
		c.Value -= before[i].Value
		c.Enabled -= before[i].Enabled
		c.Running -= before[i].Running
		name := fmt.Sprintf("event %#x", e.Attr.Config)
		countedWithin(t, name, float64(c.Value), rates[i], c.Running, turns)
		scaled, ok := c.Scaled()
		if !ok {
			t.Errorf("%s never ran in %d ns", name, c.Enabled)
			continue
		}
		countedWithin(t, name+" scaled", scaled, rates[i], c.Enabled, turns)
		part := float64(c.Running) / float64(c.Enabled)
		if sum += part; (part == 1) != (len(events) <= counters) && e.Attr.Flags&perfring.FlagPinned == 0 {
			t.Errorf("%s ran %.2f of the time, %d counters for %d events", name, part, counters, len(events))
		}
	}
	if want := float64(min(counters, len(events))); math.Abs(sum-want) > 0.05*want {
		t.Errorf("counters ran %.2f of the time together, want %.0f", sum, want)
	}
}

// energyprof list shows the simulated PMUs, and that they work.
func TestListSimulated(t *testing.T) {
	simulated(t)
	stdout, stderr, code := run(t, "energyprof", "list", "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	type finding struct {
		Name, Reason, Detail string
		Usable               bool
	}
	var list struct {
		Events []finding
		PMUs   []struct {
			Name, CPUs string
			Type       uint32
			Events     []finding
			Faults     []string
		}
	}
	must(t, json.Unmarshal([]byte(stdout), &list))
	usable := map[string]string{}
	for _, f := range list.Events {
		if f.Usable {
			usable[f.Name] = f.Detail
		}
	}
	for _, p := range list.PMUs {
		if len(p.Faults) > 0 {
			t.Errorf("%s: %v", p.Name, p.Faults)
		}
		if strings.HasPrefix(p.Name, "uncore_") {
			if want := read(t, "/sys/bus/event_source/devices/"+p.Name+"/cpumask"); p.CPUs != want {
				t.Errorf("%s: CPUs %q, want %q", p.Name, p.CPUs, want)
			}
		}
		for _, f := range p.Events {
			if f.Usable {
				usable[f.Name] = f.Detail
			}
		}
	}
	for name, detail := range map[string]string{
		"cycles": "", "instructions": "", "cache-misses": "", "branch-misses": "",
		"cpu/mem-loads/": "", "cpu/mem-stores/": "", "cpu/ref-cycles/": "",
		"uncore_imc_0/clockticks/": "", "uncore_imc_3/cas_count_read/": "MiB", "uncore_imc_3/cas_count_write/": "MiB",
	} {
		if got, ok := usable[name]; !ok || got != detail {
			t.Errorf("%s: usable %v with detail %q, want it with %q", name, ok, got, detail)
		}
	}
}
