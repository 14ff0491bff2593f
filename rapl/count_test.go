package rapl

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
)

// twoPackages has two boxes a package, which count on the cpumask, a device of the machine that one CPU counts for, and
// one CPU with a kind of core of its own.
var twoPackages = cpus("0 0 0", "0 0 1", "1 0 0", "1 0 1") + box("uncore_cxlcm_0", 31, "0,2") + box("uncore_cxlcm_1", 32, "0,2") + box("cxl_pmu_mem0.0", 40, "0") + `
-- sys/bus/event_source/devices/cpu_core/type --
4
-- sys/bus/event_source/devices/cpu_core/cpus --
1
-- sys/bus/event_source/devices/cpu_core/format/event --
config:0-7
-- sys/bus/event_source/devices/uncore_cxlcm_0/events/reads --
event=0x41,umask=0x10
-- sys/bus/event_source/devices/uncore_cxlcm_0/events/reads.scale --
6.103515625e-5
-- sys/bus/event_source/devices/uncore_cxlcm_0/events/reads.unit --
MiB
-- sys/bus/event_source/devices/uncore_cxlcm_1/events/reads --
event=0x41,umask=0x10
-- sys/bus/event_source/devices/uncore_cxlcm_1/events/reads.scale --
6.103515625e-5
-- sys/bus/event_source/devices/uncore_cxlcm_1/events/reads.unit --
MiB
`

func box(name string, number int, cpumask string) string {
	dir := "-- sys/bus/event_source/devices/" + name
	return fmt.Sprintf("%s/type --\n%d\n%s/cpumask --\n%s\n%s/format/event --\nconfig:0-7\n%s/format/umask --\nconfig:8-15\n", dir, number, dir, cpumask, dir, dir)
}

// What is opened where, and what it is summed to.
func TestPlanCount(t *testing.T) {
	m := tree(t, twoPackages)
	online, err := m.online()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		spec   string
		name   string
		scale  float64
		series string // package: CPUs
		places string // PMU of CPU to series
	}{
		{"uncore_cxlcm/reads/", "uncore_cxlcm/reads/", 6.103515625e-5, "0:0-1 1:2-3", "0x1f@0>0 0x1f@2>1 0x20@0>0 0x20@2>1"},
		{"uncore_cxlcm_1/event=1/", "uncore_cxlcm_1/event=1/", 0, "0:0-1 1:2-3", "0x20@0>0 0x20@2>1"},
		{"cxl_pmu_mem0.0/event=1/", "cxl_pmu_mem0.0/event=1/", 0, "0:0-3", "0x28@0>0"},
		{"cpu_core/event=1/", "cpu_core/event=1/", 0, "0:1", "0x4@1>0"},
		{"page-faults", "page-faults", 0, "0:0-1 1:2-3", "0x1@0>0 0x1@1>0 0x1@2>1 0x1@3>1"},
	} {
		event, places, err := planCount(m.pmus(), tt.spec, online)
		if err != nil {
			t.Errorf("%s: %v", tt.spec, err)
			continue
		}
		var series, where []string
		for _, d := range event.Domains {
			series = append(series, fmt.Sprintf("%d:%s", d.Package, pmu.FormatCPUList(d.CPUs)))
		}
		for _, p := range places {
			where = append(where, fmt.Sprintf("%#x@%d>%d", p.event.Type, p.cpu, p.domain))
		}
		slices.Sort(where)
		got := []string{event.Name, fmt.Sprint(event.Scale), strings.Join(series, " "), strings.Join(where, " ")}
		if d := cmp.Diff([]string{tt.name, fmt.Sprint(tt.scale), tt.series, tt.places}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.spec, d)
		}
	}
	for spec, want := range map[string]string{
		"uncore_cxlcm/reads/,page-faults": "it is several events: each is a counter of its own",
		"uncore_nothing/event=1/":         "uncore_nothing",
	} {
		if _, _, err := planCount(m.pmus(), spec, online); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", spec, err, want)
		}
	}
}

// openCounts opens counters of the running kernel.
func openCounts(t *testing.T, specs ...string) *Counts {
	t.Helper()
	c, err := OpenCounts(Machine{}, specs, nil)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("counters of CPUs cannot be opened here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Counts are whole numbers from 0 that grow, and a point without growth is one all the same: nothing was counted.
func TestCountRecorder(t *testing.T) {
	c := openCounts(t, "dummy", "cpu-clock")
	if len(c.Info().Domains) != len(c.Events[0].Domains)+len(c.Events[1].Domains) || c.Events[1].Name != "cpu-clock" {
		t.Fatalf("events %+v", c.Events)
	}
	r := NewCountRecorder(c, time.Millisecond)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	const polls = 5
	for range polls {
		if err := r.Poll(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	points := make([][]float64, len(c.Info().Domains))
	r.Take(math.MaxInt64, func(series int, _ int64, counts float64) { points[series] = append(points[series], counts) })
	for i, p := range points {
		name := c.Info().Domains[i].Name
		if len(p) != polls+2 || p[0] != 0 || !slices.IsSorted(p) || slices.ContainsFunc(p, func(v float64) bool { return v != math.Trunc(v) }) {
			t.Errorf("%s: points %v, want %d whole numbers that rise from 0", name, p, polls+2)
		}
		if last := p[len(p)-1]; (last > 0) != (name == "cpu-clock") {
			t.Errorf("%s: %v counts in all", name, last)
		}
	}
}

// A counter of the cores ends when its CPU goes offline, as far as anybody sees like one that was disabled. What it
// counted until then stays, and once it can be opened again it counts on.
func TestCountReopened(t *testing.T) {
	c := openCounts(t, "cpu-clock", "dummy")
	counts := make([]float64, len(c.series))
	read := func() Moment {
		t.Helper()
		m, err := c.Read(counts)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	clock := func() (sum float64) {
		for i := range c.Events[0].Domains {
			sum += counts[i]
		}
		return sum
	}
	old := c.series[0].counters[0]
	if err := old.Disable(); err != nil {
		t.Fatal(err)
	}
	last, err := old.ReadCount()
	if err != nil {
		t.Fatal(err)
	}
	read()
	if c.series[0].last[0] != last {
		t.Errorf("%+v was read, it ended at %+v", c.series[0].last[0], last)
	}
	dropped := 0
	for end := time.Now().Add(20 * time.Second); dropped == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		dropped += read().Dropped
	}
	if counter := c.series[0].counters[0]; dropped != 1 || counter == old || counter.CPU != old.CPU {
		t.Fatalf("%d times dropped: %+v, want a new counter in place of %+v", dropped, counter, old)
	}
	before, end := clock(), time.Now().Add(20*time.Second)
	for c.series[0].last[0].Value == 0 && time.Now().Before(end) {
		dropped += read().Dropped
	}
	if dropped != 1 || c.series[0].last[0].Value == 0 || clock() < before+float64(c.series[0].last[0].Value) {
		t.Errorf("dropped %d times; the new counter has %d of %v counts, %v before it", dropped, c.series[0].last[0].Value, clock(), before)
	}
}

// A series that cannot be read any more says so, and stops no other one.
func TestCountThatFails(t *testing.T) {
	c := openCounts(t, "dummy", "cpu-clock")
	if notes := c.Info().Notes; len(notes) > 0 {
		t.Errorf("notes %q before anything failed", notes)
	}
	if err := c.series[0].counters[0].Close(); err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, len(c.series))
	for range 2 {
		m, err := c.Read(counts)
		if err != nil {
			t.Fatal(err)
		}
		last := len(c.series) - 1
		if m.Failed == nil || m.Failed[0] == nil || m.Failed[last] != nil || counts[last] == 0 {
			t.Errorf("%+v with %v, want the first to fail and the last to count", m, counts)
		}
	}
	if notes := c.Info().Notes; len(notes) != 1 || !strings.HasPrefix(notes[0], "counter "+c.series[0].name+" could not be read 2 times (on CPU ") {
		t.Errorf("notes %q", notes)
	}
	c.series[0].counters = c.series[0].counters[1:] // which is closed
}

func TestOpenCountsRefuses(t *testing.T) {
	for _, tt := range []struct {
		specs []string
		want  string
	}{
		{[]string{"cpu-clock", "cpu-clock"}, "counter cpu-clock: it is counted already under the name cpu-clock"},
		{[]string{"page-faults,cpu-clock"}, "counter page-faults,cpu-clock: it is several events"},
		{[]string{"no-such-event"}, "counter no-such-event: "},
	} {
		c, err := OpenCounts(Machine{}, tt.specs, nil)
		if errors.Is(err, fs.ErrPermission) {
			t.Skipf("counters of CPUs cannot be opened here: %v", err)
		}
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.specs, err, tt.want)
		}
	}
}
