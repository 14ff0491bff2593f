package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// A callchain without the kernel must say so: there are kernels that refuse a
// user without rights otherwise.
func TestCallchainWithoutKernel(t *testing.T) {
	const without = perfring.FlagExcludeKernel | perfring.FlagExcludeCallchainKernel
	for _, c := range []struct {
		name string
		opt  Options
		has  features
		want perfring.Flags
	}{
		{"kernel and user", Options{Callchains: true}, features{}, 0},
		{"user alone is asked for", Options{Callchains: true, ExcludeKernel: true}, features{}, without},
		{"user alone is allowed", Options{Callchains: true}, features{userOnly: true}, without},
		{"no callchain", Options{ExcludeKernel: true}, features{}, perfring.FlagExcludeKernel},
	} {
		c.opt.Events = []Event{{Event: pmu.Event{Name: "cpu-clock", Clock: true}, Frequency: 997}}
		c.opt.Pages = DefaultPages
		r := &recording{opt: c.opt, features: c.has}
		a := r.attr(0, 1)
		if got := a.Flags & without; got != c.want {
			t.Errorf("%s: flags %#x, want %#x", c.name, got, c.want)
		}
	}
}

// Every id that a record can have is an event's: perf refuses files with others.
func TestOpenedHasAllIDs(t *testing.T) {
	r := leading(t)
	if err := r.openOn(os.Getpid(), 0); err != nil {
		t.Fatal(err)
	}
	const stamp = 1 << 40
	r.stampID = map[uint64]bool{stamp: true}
	clock, faults := r.events[0], r.events[1]
	all := r.opened()
	for i, want := range [][]uint64{{clock.ID, stamp}, {faults.leader.ID, faults.ID}} {
		if !slices.Equal(all[i].IDs, want) {
			t.Errorf("%s has ids %v, want %v", all[i].Name, all[i].IDs, want)
		}
	}
	if a := all[1].Attr; a.Config != unix.PERF_COUNT_SW_PAGE_FAULTS || a.Flags&perfring.FlagDisabled != 0 {
		t.Errorf("attributes %+v, want those of the member", a)
	}
}

// ENODEV is the kernel's answer for a CPU that is offline, and a PMU's that
// cannot count on one that is online.
func TestRefusedIsNotAway(t *testing.T) {
	sys := t.TempDir()
	cpus := filepath.Join(sys, "devices/system/cpu")
	if err := os.MkdirAll(cpus, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cpus, "online"), []byte("0,2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := &recording{opt: Options{FS: pmu.NewFS(sys, "/proc")}}
	for _, c := range []struct {
		cpu  int
		err  error
		want bool
	}{
		{1, unix.ENODEV, true},
		{2, unix.ENODEV, false},
		{1, unix.EBUSY, false},
	} {
		if got := r.wentAway(c.cpu, fmt.Errorf("opening: %w", c.err)); got != c.want {
			t.Errorf("CPU %d of 0,2, %v: went away %v, want %v", c.cpu, c.err, got, c.want)
		}
	}
}

// Of a thread that ended while its events were opened, or whose event the kernel refuses, nothing stays: no file
// and no ring, which is of the memory that a user may lock.
func TestNothingStaysOpen(t *testing.T) {
	r := leading(t)
	r.opt.Events[1].Config = 1 << 20 // no such event
	mapped := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(maps), "anon_inode:[perf_event]")
	}
	files, rings := openEvents(t), mapped()
	if err := r.openOn(os.Getpid(), 0); !errors.Is(err, unix.ENOENT) {
		t.Fatalf("error %v, want that there is no such event", err)
	}
	if n := openEvents(t) - files; n != 0 {
		t.Errorf("%d files are still open", n)
	}
	if n := mapped() - rings; n != 0 {
		t.Errorf("%d rings are still mapped", n)
	}
}
