package session

import (
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/order"
	"github.com/energyprof/energyprof/internal/unwind"
)

// walking is a recording whose rings a test drains by itself.
func walking(t *testing.T) (*recording, *pairs) {
	t.Helper()
	r := leading(t)
	r.opt.Stacks.BPF = walker(t)
	r.merge, r.missed = order.New(0), newMissed(r.opt.Events[0])
	sink := newPairs(t)
	r.sink = sink
	return r, sink
}

// A CPU that was offline gets an event for walks again, whose ids are among those that a file has.
func TestWalksAfterHotplug(t *testing.T) {
	r, sink := walking(t)
	cpu, _ := usable(t)
	t.Setenv(pinEnv, strconv.Itoa(cpu))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &before)
	pinWorker()
	if err := r.openOn(unix.Gettid(), cpu); err != nil {
		t.Fatal(err)
	}
	first := r.rings[cpu].walks.event.ID
	for _, reopen := range []bool{false, true} {
		if reopen {
			if err := r.reopenWalks(cpu); err != nil {
				t.Fatal(err)
			}
		}
		walks := sink.walks
		if err := r.enable(0); err != nil {
			t.Fatal(err)
		}
		burnCPU(50 * time.Millisecond)
		for _, e := range r.events {
			e.Disable()
		}
		r.drainRing(r.rings[cpu])
		r.merge.Flush(math.MaxUint64, r.deliverOne)
		if sink.walks-walks < 10 {
			t.Errorf("%d walks in 50 ms at 997 Hz, opened again %v", sink.walks-walks, reopen)
		}
	}
	ids := r.opened()[0].IDs
	if second := r.rings[cpu].walks.event.ID; !slices.Contains(ids, first) || !slices.Contains(ids, second) || first == second {
		t.Errorf("ids %v of the clock, want those of walks, %d and %d, too", ids, first, second)
	}
}

// With events of whole CPUs for the sake of some processes, walks of others bring no copies of the stack for long.
func TestStrangersAreNotCopied(t *testing.T) {
	r, _ := walking(t)
	r.targets = &targets{everyone: true, processes: map[uint32]bool{}}
	cpu, _ := usable(t)
	t.Setenv(pinEnv, strconv.Itoa(cpu))
	t.Setenv(workerEnv, "1 60 0")
	c := exec.Command(self(t))
	started(t, c)
	if err := r.openOn(-1, cpu); err != nil {
		t.Fatal(err)
	}
	if err := r.enable(0); err != nil {
		t.Fatal(err)
	}
	ring := r.rings[cpu]
	for deadline := time.Now().Add(20 * time.Second); ; {
		time.Sleep(20 * time.Millisecond)
		var whole, stuck int
		ring.ring.Drain(func(record []byte) {
			var w bpf.Walked
			if !ring.walks.has(record) || bpf.DecodeWalk(record[walkRawAt+4:], &w) != nil || int(w.PID) != c.Process.Pid || len(w.Frames) == 0 && !w.Stuck {
				return
			}
			if w.Stuck {
				stuck++
			} else if w.Outcome == unwind.NoBinary {
				whole++
			}
			r.add(ring, 0, record)
		})
		r.merge.Flush(math.MaxUint64, r.deliverOne)
		if whole > 0 && stuck == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("of a process that is no target %d walks with a copy and %d without, want those alone", stuck, whole)
		}
	}
}
