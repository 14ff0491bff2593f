package session

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

func TestHotplugIsSaid(t *testing.T) {
	sys := t.TempDir()
	cpus := filepath.Join(sys, "devices/system/cpu")
	if err := os.MkdirAll(cpus, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &recording{opt: Options{Command: []string{"true"}, FS: pmu.NewFS(sys, "/proc")}, online: []int{0, 1, 2, 3}}
	for _, online := range []string{"0-3", "0,2", "0-3"} {
		if err := os.WriteFile(filepath.Join(cpus, "online"), []byte(online+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.followCPUs(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.result.Notes) != 2 ||
		!strings.Contains(r.result.Notes[0].Text, "CPU 1,3 went offline") ||
		!strings.Contains(r.result.Notes[1].Text, "CPU 1,3 came online") {
		t.Errorf("notes %v", r.result.Notes)
	}
}

// Which kind of core a CPU has is known when it is online.
func TestKindOfCPUThatComes(t *testing.T) {
	sys := t.TempDir()
	for name, text := range map[string]string{
		"devices/system/cpu/online":              "0-3\n",
		"bus/event_source/devices/cpu_core/type": "4\n",
		"bus/event_source/devices/cpu_core/cpus": "0-1,3\n",
		"bus/event_source/devices/cpu_atom/type": "10\n",
		"bus/event_source/devices/cpu_atom/cpus": "2\n",
	} {
		path := filepath.Join(sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	events := []Event{
		{Event: pmu.Event{Name: "cpu-clock"}},
		{Event: pmu.Event{Name: "cpu_core/mem-loads/", PMU: "cpu_core", CPUs: []int{0, 1}}},
		{Event: pmu.Event{Name: "cpu_atom/mem-loads/", PMU: "cpu_atom", CPUs: []int{2}}},
	}
	all := &recording{opt: Options{All: true, FS: pmu.NewFS(sys, "/proc"), Events: slices.Clone(events)}}
	all.learnKind(3)
	if got := all.indices(3); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("events %v on CPU 3, want the clock and that of cpu_core", got)
	}
	task := &recording{opt: Options{Command: []string{"true"}, FS: pmu.NewFS(sys, "/proc"), Events: events}, online: []int{0, 1, 2}}
	if err := task.followCPUs(); err != nil {
		t.Fatal(err)
	}
	if n := task.result.Notes; len(n) != 2 || !strings.Contains(n[0].Text, "cpu_core/mem-loads/ is not sampled on CPU 3") {
		t.Errorf("notes %v, want that the event of cpu_core is not there", n)
	}
}

// A thread may be moved to a CPU that is offline when we attach.
func TestAttachOpensEveryPresentCPU(t *testing.T) {
	opt := options(t)
	present, err := opt.FS.PresentCPUs()
	if err != nil {
		t.Fatal(err)
	}
	if len(present) < 2 {
		t.Skip("one CPU cannot go offline")
	}
	r := &recording{
		opt:     opt,
		rings:   map[int]*cpuRing{},
		byID:    map[uint64]identity{},
		decoder: perfring.NewDecoder(),
	}
	r.opt.PIDs = []int{os.Getpid()}
	defer r.closeAll()
	if err := r.attach(r.opt.PIDs, present, present[:1]); err != nil {
		t.Fatal(err)
	}
	for _, cpu := range present {
		if r.rings[cpu] == nil {
			t.Errorf("no ring for CPU %d", cpu)
		}
	}
}

// Events that a CPU lost while it was offline for a moment count no more.
func TestStoppedCPUIsFound(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("recording all CPUs needs root here")
	}
	opt := options(t)
	opt.All = true
	r := &recording{opt: opt, rings: map[int]*cpuRing{}, byID: map[uint64]identity{}, decoder: perfring.NewDecoder()}
	defer r.closeAll()
	if err := r.openCPU(0); err != nil {
		t.Fatal(err)
	}
	event := r.rings[0].owner
	if err := event.Enable(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if cpus := r.stopped(); len(cpus) > 0 {
			t.Fatalf("CPUs %v counted as stopped while their events run", cpus)
		}
	}
	if err := event.Disable(); err != nil {
		t.Fatal(err)
	}
	r.stopped() // sees the time that passed until then
	if cpus := r.stopped(); len(cpus) != 1 || cpus[0] != 0 {
		t.Errorf("stopped CPUs %v, want [0]", cpus)
	}
}
