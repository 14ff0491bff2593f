package session

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// limitRate lowers the rate at which the kernel throttles events. Tests of other
// processes that want the same wait.
func limitRate(t *testing.T, hertz int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("root alone may lower the kernel's limit of samples")
	}
	f, err := os.OpenFile("/proc/sys/kernel/perf_event_max_sample_rate", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var buf [32]byte
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && n == 0 {
		t.Fatal(err)
	}
	before := strings.TrimSpace(string(buf[:n]))
	t.Cleanup(func() {
		if _, err := f.WriteAt([]byte(before), 0); err != nil {
			t.Error(err)
		}
		f.Close()
	})
	if _, err := f.WriteAt([]byte(strconv.Itoa(hertz)), 0); err != nil {
		t.Fatal(err)
	}
}

// What the kernel throttled is in the books of that event alone: in its own name, or in
// that of its leader since Linux 6.16.
func TestThrottleIsBooked(t *testing.T) {
	limitRate(t, 25_000)
	opt := options(t)
	fast, err := opt.FS.Parse("cpu-clock")
	if err != nil {
		t.Fatal(err)
	}
	opt.Events = append(opt.Events, Event{Event: fast, Period: 10_000})
	opt.Command = []string{self(t)}
	t.Setenv(workerEnv, "1 0.3 0")
	for _, lead := range []string{"", "dummy"} {
		if lead != "" {
			leader, err := opt.FS.Parse(lead)
			if err != nil {
				t.Fatal(err)
			}
			opt.Events[1].Leader = &leader
		}
		sink := &toucher{recorder: recorder{t: t}, event: 1}
		result, err := Run(opt, sink)
		if err != nil {
			t.Fatal(err)
		}
		result.Close()
		slow, b := result.Events[0], result.Events[1]
		if slow.Throttles != 0 || b.Throttles == 0 || b.Unthrottles == 0 || b.Throttles != result.Books.Total().Throttles {
			t.Errorf("leader %q: the throttled event has the books %+v, the other one %+v", lead, b, slow)
		}
		if b.Samples != uint64(len(sink.samples)) || b.Represented != 10_000*b.Samples || b.Represented >= b.Counted {
			t.Errorf("leader %q: %+v, want fewer samples than it counted, of 10 us each", lead, b)
		}
	}
}

// Samples that the hardware dropped are those of the event that the record names.
func TestLostSamplesAreBooked(t *testing.T) {
	r := leading(t)
	r.sink = &recorder{t: t}
	r.lostSeen = map[int]uint64{}
	r.streams = []int{3}
	if err := r.openOn(os.Getpid(), 0); err != nil {
		t.Fatal(err)
	}
	for _, dropped := range []struct{ id, n uint64 }{
		{r.events[0].ID, 5}, {r.events[1].ID, 5}, {r.events[1].leader.ID, 2},
	} {
		// Header, number, and what stands at the end of all records: thread, time, CPU, id.
		b := binary.NativeEndian.AppendUint64(nil, uint64(perfring.RecordLostSamples)|48<<48)
		for _, v := range []uint64{dropped.n, 0, 0, 0, dropped.id} {
			b = binary.NativeEndian.AppendUint64(b, v)
		}
		r.deliverOne(0, b)
	}
	if b := r.booked(); b[0].LostSamples != 5 || b[1].LostSamples != 7 {
		t.Errorf("books %+v, want 5 dropped of the first and 7 of the second", b)
	}
}

// What the kernel counted is settled once for everything that was opened, also where it was closed.
func TestCountsAreSettled(t *testing.T) {
	events := []Event{{Event: pmu.Event{Name: "cpu-clock"}, Frequency: 1}, {Event: pmu.Event{Name: "loads"}, Period: 1}}
	loads := func(pid, cpu int) openEvent {
		return openEvent{Event: &perfring.Event{PID: pid, CPU: cpu}, index: 1}
	}
	count := perfring.Count{Value: 100, Enabled: 40, Running: 7, Lost: 3}
	for name, test := range map[string]struct {
		opt    Options
		settle func(r *recording)
		want   perfring.EventBooks
	}{
		"a task, which is on the CPU for a part of the time": {Options{Command: []string{"true"}}, func(r *recording) {
			r.settle(loads(5, 0), count, 10)
			r.settle(loads(5, 1), count, 5) // the clock was a little late
		}, perfring.EventBooks{HasCount: true, Counted: 200, Enabled: 17, Running: 14, HasLost: true, Lost: 6}},
		"a CPU": {Options{All: true}, func(r *recording) { r.settle(loads(-1, 0), count, 10) },
			perfring.EventBooks{HasCount: true, Counted: 100, Enabled: 40, Running: 7, HasLost: true, Lost: 3}},
		"a thread that counts twice": {Options{PIDs: []int{5}}, func(r *recording) {
			r.targets = &targets{redundant: map[onCPU]bool{{6, 0}: true}}
			r.settle(loads(5, 0), count, 10)
			r.settle(loads(6, 0), count, 10)
		}, perfring.EventBooks{HasCount: true, Counted: 100, Enabled: 10, Running: 7, HasLost: true, Lost: 6}},
		"processes picked out of all": {Options{PIDs: []int{5}}, func(r *recording) {
			r.targets = &targets{everyone: true}
			r.settle(loads(-1, 0), count, 10)
		}, perfring.EventBooks{HasLost: true, Lost: 3}},
		"one that could not be read": {Options{All: true}, func(r *recording) {
			r.settle(loads(-1, 0), count, 10)
			r.unread(loads(-1, 1))
		}, perfring.EventBooks{}},
		"a kernel that counts no losses": {Options{All: true}, func(r *recording) {
			r.features.readLost = false
			r.settle(loads(-1, 0), perfring.Count{Value: 1, Enabled: 1, Running: 1}, 1)
		}, perfring.EventBooks{HasCount: true, Counted: 1, Enabled: 1, Running: 1}},
	} {
		test.opt.Events = events
		r := &recording{opt: test.opt, features: features{readLost: true}, account: newAccount(events)}
		test.settle(r)
		test.want.Name = "loads"
		if got := r.booked()[1]; got != test.want {
			t.Errorf("%s: books %+v, want %+v", name, got, test.want)
		}
	}
}

// An event that had to wait for its hardware was enabled for longer than it ran, and for no longer than the clock says that
// the target ran; what the kernel counts itself never waits.
func TestWaiting(t *testing.T) {
	for _, c := range []struct {
		kind    uint32
		led     bool
		enabled time.Duration
	}{
		{unix.PERF_TYPE_RAW, false, 90}, {unix.PERF_TYPE_HW_CACHE, true, 90}, {unix.PERF_TYPE_SOFTWARE, true, 90},
		{unix.PERF_TYPE_SOFTWARE, false, 60}, {unix.PERF_TYPE_BREAKPOINT, false, 60}, {unix.PERF_TYPE_TRACEPOINT, false, 60},
	} {
		r := &recording{opt: Options{Events: []Event{{Event: pmu.Event{Type: c.kind}}}}}
		r.account = newAccount(r.opt.Events)
		e := openEvent{Event: &perfring.Event{}}
		if c.led {
			e.leader = &perfring.Event{}
		}
		r.settle(e, perfring.Count{Value: 7, Enabled: 1000, Running: 60, Lost: 3}, 90)
		if b := r.account.events[0]; b.Enabled != c.enabled || b.Running != 60 || b.Counted != 7 || b.Lost != 3 {
			t.Errorf("type %d, led %v: the books are %+v, want that it was enabled for %d ns", c.kind, c.led, b, c.enabled)
		}
	}
}
