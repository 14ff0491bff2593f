package perfring

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tests against the running kernel. Breakpoints make most of them exact: each
// store to a watched variable is one event.

// user leaves the kernel out, which anybody may do.
const user = FlagExcludeKernel | FlagExcludeHV

// open opens an event of the calling thread, which stays on its OS thread for
// the test, or skips where the machine or the user cannot.
func open(t testing.TB, a *Attr, cpu int, leader *Event) *Event {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	if a.Type == unix.PERF_TYPE_BREAKPOINT {
		unpreempted(t)
	}
	e, err := Open(a, 0, cpu, leader)
	var refused *OpenError
	if errors.As(err, &refused) {
		switch refused.Errno {
		case unix.EACCES, unix.EPERM, unix.ENOSYS, unix.ENOENT, unix.EOPNOTSUPP:
			t.Skipf("this machine or user cannot: %v", err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func mapRing(t testing.TB, e *Event, pages int) *Ring {
	t.Helper()
	r, err := MapRing(e, pages)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// watched has every variable in a word of its own.
var watched [2]uint64

//go:noinline
func store(i, n int) {
	for ; n > 0; n-- {
		watched[i]++
	}
}

// unpreempted keeps the Go runtime's signals from the thread until the test ends.
// One that comes amid a store which arm64 steps over restarts it, and the store
// counts twice.
func unpreempted(t testing.TB) {
	t.Helper()
	var set, before unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGURG - 1)
	must(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before))
	t.Cleanup(func() { must(t, unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)) })
}

// stores is an event for each store to watched[i].
func stores(i int) *Attr {
	const write = 2 // HW_BREAKPOINT_W
	return &Attr{
		Type: unix.PERF_TYPE_BREAKPOINT, BPType: write,
		Config1: uint64(uintptr(unsafe.Pointer(&watched[i]))), Config2: 8,
		Flags: FlagDisabled | user,
	}
}

// spin runs for the given time of the thread's CPU clock, in ns.
//
//go:noinline
func spin(ns int64) {
	var ts unix.Timespec
	for end := int64(0); ; {
		if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
			return
		}
		if end == 0 {
			end = ts.Nano() + ns
		}
		if ts.Nano() >= end {
			return
		}
		store(1, 1000)
	}
}

func TestLiveSampling(t *testing.T) {
	const period = 500_000 // ns
	a := &Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: period,
		SampleFormat: SampleIdentifier | SampleIP | SampleTID | SampleTime | SampleCPU | SamplePeriod | SampleCallchain,
		Flags:        FlagDisabled | FlagSampleIDAll | FlagUseClockID | user, ClockID: unix.CLOCK_MONOTONIC,
	}
	e := open(t, a, -1, nil)
	r := mapRing(t, e, 16)
	d := decoderOf(t, a, e.ID)
	now := func() uint64 {
		var ts unix.Timespec
		must(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts))
		return uint64(ts.Nano())
	}
	before := now()
	must(t, e.Enable())
	spin(50e6)
	must(t, e.Disable())
	samples, inSpin := uint64(0), 0
	r.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		s, ok := rec.(*Sample)
		if !ok {
			return
		}
		samples++
		if int(s.PID) != os.Getpid() || int(s.TID) != unix.Gettid() || s.ID != e.ID || s.Period != period || s.CPUMode() != MiscUser {
			t.Errorf("sample %+v of event %d", s, e.ID)
		}
		if s.Time < before || s.Time > now() {
			t.Errorf("time %d, want %d to now", s.Time, before)
		}
		before = s.Time
		if len(s.Callchain) < 2 || s.Callchain[0] != ContextUser || s.Callchain[1] != s.IP {
			t.Errorf("callchain %#x of ip %#x", s.Callchain, s.IP)
		}
		for _, ip := range s.Callchain {
			if f := runtime.FuncForPC(uintptr(ip)); f != nil && strings.HasSuffix(f.Name(), "perfring.spin") {
				inSpin++
				break
			}
		}
	})
	count, err := e.ReadCount()
	must(t, err)
	if samples == 0 || samples*period > count.Value || inSpin == 0 || r.Bad != 0 {
		t.Errorf("%d samples of %d ns, %d in spin, %d ns counted, %d bad", samples, period, inSpin, count.Value, r.Bad)
	}
}

// The addresses of the data and of the code that stored to it, and the
// counts of the whole group in each sample.
func TestLiveBreakpointGroup(t *testing.T) {
	const n = 100
	leader, other := stores(0), stores(1)
	leader.Sample = 1
	leader.SampleFormat = SampleIdentifier | SampleIP | SampleAddr | SampleRead
	leader.ReadFormat = ReadGroup | ReadID | ReadTotalTimeEnabled | ReadTotalTimeRunning
	other.Flags &^= FlagDisabled // it follows its leader
	e := open(t, leader, -1, nil)
	member := open(t, other, -1, e)
	r := mapRing(t, e, 8)
	must(t, e.EnableGroup())
	for range n {
		store(0, 1)
		store(1, 3)
	}
	must(t, e.DisableGroup())

	d := decoderOf(t, leader)
	seen := uint64(0)
	r.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		s := rec.(*Sample)
		if s.ID != e.ID || s.Addr != leader.Config1 || !strings.HasSuffix(runtime.FuncForPC(uintptr(s.IP)).Name(), "perfring.store") {
			t.Fatalf("sample %d: %+v", seen, s)
		}
		want := []ReadValue{{Value: seen + 1, ID: e.ID}, {Value: 3 * seen, ID: member.ID}}
		if len(s.Read) != 2 || s.Read[0] != want[0] || s.Read[1] != want[1] || s.Running == 0 || s.Enabled < s.Running {
			t.Fatalf("sample %d reads %+v (%d of %d ns), want %+v", seen, s.Read, s.Running, s.Enabled, want)
		}
		seen++
	})
	counts, err := e.ReadGroupCount(nil)
	must(t, err)
	if seen != n || len(counts) != 2 || counts[0].Value != n || counts[0].ID != e.ID ||
		counts[1].Value != 3*n || counts[1].ID != member.ID || counts[0].Enabled == 0 || counts[0].Enabled != counts[1].Enabled {
		t.Errorf("%d samples, counts %+v", seen, counts)
	}
	if _, err := e.ReadCount(); err == nil {
		t.Error("a group's counter was read as a single one")
	}
}

// Every store is either in the ring or in the books.
func TestLiveLost(t *testing.T) {
	const n = 5000
	a := stores(0)
	a.Sample, a.SampleFormat = 1, SampleIdentifier|SampleTime|SampleCallchain
	a.Flags |= FlagSampleIDAll
	a.ReadFormat = ReadLost
	e := open(t, a, -1, nil)
	r := mapRing(t, e, 1)
	must(t, e.Enable())
	store(0, n)
	d := decoderOf(t, a)
	var books Books
	drain := func() {
		r.Drain(func(raw []byte) {
			rec, err := d.Decode(raw)
			must(t, err)
			books.Count(rec, 0)
		})
	}
	drain()
	store(0, 1) // the record of the loss needs room, and one to come after it
	drain()
	must(t, e.Disable())
	c, err := e.ReadCount()
	must(t, err)
	total := books.Total()
	if total.Lost == 0 || total.Samples+total.Lost != n+1 || c.Value != n+1 || c.Lost != total.Lost {
		t.Errorf("books %+v, counter %+v, want %d stores", total, c, n+1)
	}
}

func TestLiveControls(t *testing.T) {
	a := stores(0)
	a.Sample, a.SampleFormat = 1, SampleIP
	e := open(t, a, -1, nil)
	r := mapRing(t, e, 8)
	samples := func() int { return r.Drain(func([]byte) {}) }
	value := func() uint64 {
		c, err := e.ReadCount()
		must(t, err)
		return c.Value
	}

	store(0, 5)
	if n := samples(); n != 0 || value() != 0 {
		t.Errorf("disabled: %d samples, count %d", n, value())
	}
	must(t, e.SetPeriod(5))
	must(t, e.Enable())
	store(0, 100)
	must(t, e.Disable())
	if n := samples(); n != 20 || value() != 100 {
		t.Errorf("period 5: %d samples, count %d", n, value())
	}
	must(t, e.SetPeriod(1))
	must(t, e.Reset())
	must(t, e.Refresh(3))
	store(0, 10)
	if n := samples(); n != 3 || value() != 3 {
		t.Errorf("refreshed for 3: %d samples, count %d", n, value())
	}
	if err := e.SetFilter("x == 1"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("filter on a breakpoint: %v", err)
	}
	if err := e.SetFilter("x\x00"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("filter with NUL: %v", err)
	}
}

// Two events of one CPU share a ring; the id tells their samples apart.
func TestLiveSharedRing(t *testing.T) {
	cpu := pin(t)
	one, two := stores(0), stores(1)
	one.Sample, one.SampleFormat = 1, SampleIdentifier|SampleIP
	two.Sample, two.SampleFormat = 1, SampleIdentifier|SampleAddr|SampleTime
	first := open(t, one, cpu, nil)
	second := open(t, two, cpu, nil)
	r := mapRing(t, first, 8)
	must(t, second.SetOutput(first))
	must(t, first.Enable())
	must(t, second.Enable())
	store(0, 3)
	store(1, 4)
	must(t, second.SetOutput(nil))
	store(1, 5)
	d := decoderOf(t, one, first.ID)
	must(t, d.Add(two, second.ID))
	got := map[uint64]int{}
	r.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		s := rec.(*Sample)
		if s.ID == second.ID && s.Addr != two.Config1 {
			t.Errorf("sample %+v", s)
		}
		got[s.ID]++
	})
	if got[first.ID] != 3 || got[second.ID] != 4 || len(got) != 2 {
		t.Errorf("samples by id %v, want 3 of %d and 4 of %d", got, first.ID, second.ID)
	}
	if _, err := MapRing(first, 3); err == nil || !strings.Contains(err.Error(), "power of two") {
		t.Errorf("3 pages: %v", err)
	}
}

// pin keeps the thread on the CPU that it is on.
func pin(t *testing.T) int {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	var old, one unix.CPUSet
	must(t, unix.SchedGetaffinity(0, &old))
	cpu := 0
	for !old.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	must(t, unix.SchedSetaffinity(0, &one))
	t.Cleanup(func() { must(t, unix.SchedSetaffinity(0, &old)) })
	return cpu
}
