package session

import (
	"errors"
	"math"
	"os"
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

// Where the event of walks cannot be opened none of the others is left open.
func TestNoEventForWalks(t *testing.T) {
	r, _ := walking(t)
	cpu, _ := usable(t)
	// The clock, the faults and their leader are opened before it.
	var next []int
	for range 3 {
		fd, err := unix.Dup(0)
		if err != nil {
			t.Fatal(err)
		}
		next = append(next, fd)
	}
	for _, fd := range next {
		unix.Close(fd)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	before := openEvents(t)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next[2]) + 1, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	err := r.openOn(os.Getpid(), cpu)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var named *OpenError
	if !errors.Is(err, unix.EMFILE) || !errors.As(err, &named) || named.Event != "bpf-output" || named.CPU != cpu {
		t.Errorf("%v, want %v for bpf-output on CPU %d", err, unix.EMFILE, cpu)
	}
	if n := openEvents(t) - before; n != 0 || len(r.events) != 0 || len(r.rings) != 0 {
		t.Errorf("%d events are left open, %d are known, %d rings", n, len(r.events), len(r.rings))
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
