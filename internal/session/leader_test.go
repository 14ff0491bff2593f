package session

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// leading is a recording with an event in a group, of which nothing is open yet.
func leading(t *testing.T) *recording {
	t.Helper()
	opt := sampled(t, "page-faults:u", perfring.SampleAddr)
	opt.Events[1].Leader = &pmu.Event{Name: "dummy", Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY}
	r := &recording{opt: opt, rings: map[int]*cpuRing{}, byID: map[uint64]identity{}, decoder: perfring.NewDecoder(),
		features: features{readLost: true}, account: newAccount(opt.Events)}
	t.Cleanup(r.closeAll)
	return r
}

// openEvents counts this process's perf events.
func openEvents(t *testing.T) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if link, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && link == "anon_inode:[perf_event]" {
			n++
		}
	}
	return n
}

// With the event of a thread that counts twice its leader is closed.
func TestRedundantThreadWithLeader(t *testing.T) {
	r := leading(t)
	r.opt.PIDs = []int{os.Getpid()}
	if err := r.attach(r.opt.PIDs, []int{0}, []int{0}); err != nil {
		t.Fatal(err)
	}
	owner := r.rings[0].owner
	before := openEvents(t)
	for tid := range r.targets.opened {
		if int(tid) == owner.PID {
			continue
		}
		r.targets.drop(tid, 0)
		if got, want := before-openEvents(t), 3; got != want {
			t.Errorf("%d files closed of thread %d, want clock, faults and their leader", got, tid)
		}
		return
	}
	t.Skip("one thread")
}

// What events of a CPU counted is kept when it goes offline.
func TestCPUThatGoesIsBooked(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("recording all CPUs needs root here")
	}
	r := leading(t)
	r.opt.All, r.sampling = true, true
	if err := r.openCPU(0); err != nil {
		t.Fatal(err)
	}
	count, err := r.rings[0].owner.ReadCount()
	if err != nil {
		t.Fatal(err)
	}
	r.closeCPU(r.rings[0])
	if len(r.events) != 0 {
		t.Errorf("%d events are left open", len(r.events))
	}
	b := r.booked()
	if b[0].Counted < count.Value || b[0].Running < time.Duration(count.Running) || count.Running == 0 {
		t.Errorf("books %+v of a clock that had counted %d", b[0], count.Value)
	}
	if b[1].Enabled == 0 {
		t.Errorf("books %+v of an event that had been enabled with its leader", b[1])
	}
}
