package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// window is a call of Others' function.
type window struct {
	cpu          int
	from, to, ns int64
}

// read takes the windows there are and checks that they follow each other.
func read(t *testing.T, a *Account, until int64, after []window) []window {
	t.Helper()
	all := after
	a.Others(until, func(cpu int, from, to, ns int64) {
		if to <= from || ns < 0 || ns > to-from {
			t.Errorf("CPU %d: %d ns of (%d, %d]", cpu, ns, from, to)
		}
		if n := len(all); n > 0 && from < all[n-1].from {
			t.Errorf("window at %d after one at %d", from, all[n-1].from)
		}
		all = append(all, window{cpu, from, to, ns})
	})
	return all
}

func TestTwoOnOneCPU(t *testing.T) {
	a := account(t)
	cpus := online(t)
	cpu := cpus[len(cpus)-1]
	target, _ := start(t, fmt.Sprintf("spin %d", cpu))
	start(t, fmt.Sprintf("spin %d", cpu))
	if err := errors.Join(a.Follow(target.Process.Pid), a.Start(cpus)); err != nil {
		t.Fatal(err)
	}
	var windows []window
	var before int64
	for range 4 {
		time.Sleep(50 * time.Millisecond)
		before = monotonic() - 10*int64(time.Millisecond)
		if err := a.Settle(before); err != nil {
			t.Fatal(err)
		}
		windows = read(t, a, before, windows)
	}
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	windows = read(t, a, math.MaxInt64, windows)

	given := make([]int64, len(a.cpus))
	for _, w := range windows {
		given[w.cpu] += w.ns
	}
	for i, ns := range given {
		if counted := int64(a.cpus[i].other.Load()); ns != counted {
			t.Errorf("CPU %d: %d ns of others in windows, %d counted", i, ns, counted)
		}
	}
	// The CPU was never idle, so that the two are all the time there was, but for
	// what came after the last look.
	own, length := int64(a.cpus[cpu].target.Load()), a.ended-a.began
	if all := own + given[cpu]; all+a.ended-before < length*99/100 || all > length {
		t.Errorf("target %d ns and others %d ns of %d ns on a CPU that was never idle", own, given[cpu], length)
	}
	if own == 0 {
		t.Errorf("the target ran %d ns of %d ns beside one other task", own, length)
	}
}

// taskClock counts, from its execve on, what a process that this thread starts runs
// with all that descends from it, by perf's software clock. That goes from switch to switch as
// the account does, but leaves out the switches themselves, so that it is a little
// less. getrusage and CPU clocks would not do: to them a task that is woken runs from
// then on, also while the CPU still does something else (rq_clock_skip_update in
// kernel/sched/core.c).
type taskClock int

func newTaskClock(t *testing.T) taskClock {
	t.Helper()
	fd, err := unix.PerfEventOpen(&unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Size: unix.PERF_ATTR_SIZE_VER1,
		Bits: unix.PerfBitDisabled | unix.PerfBitInherit | unix.PerfBitEnableOnExec,
	}, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return taskClock(fd)
}

func (c taskClock) read(t *testing.T) time.Duration {
	t.Helper()
	var ns [8]byte
	if n, err := unix.Read(int(c), ns[:]); n != len(ns) {
		t.Fatal(n, err)
	}
	return time.Duration(binary.NativeEndian.Uint64(ns[:]))
}

func TestDescendants(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a := account(t)
	cpus := online(t)
	clock := newTaskClock(t)
	target, goAhead := start(t, fmt.Sprintf("families %d", cpus[0]))
	if err := errors.Join(a.Follow(target.Process.Pid), a.Start(cpus)); err != nil {
		t.Fatal(err)
	}
	before := clock.read(t)
	goAhead.Write([]byte{1})
	if _, err := target.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	used := clock.read(t) - before
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	ran := time.Duration(a.Ran())
	// Each puts another end to a slice, and what a hypervisor takes away between
	// the two may be some ms.
	if used == 0 || ran < used*9/10-10*time.Millisecond {
		t.Errorf("the target and its children ran %v, by perf's clock %v", ran, used)
	}
	var sum time.Duration
	on, err := a.RanOn()
	for _, ns := range on {
		sum += time.Duration(ns)
	}
	if err != nil || sum != ran {
		t.Errorf("on all CPUs %v, by CPU %v: %v", ran, sum, err)
	}
	if n := a.Overflow(); n != 0 {
		t.Errorf("%d tasks too many", n)
	}
	// All have ended; the table forgets them when the kernel does, which puts that
	// off for many seconds (RCU) where all CPUs are busy.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var key uint64
		var value uint8
		n := 0
		for entries := a.objects.Members.Iterate(); entries.Next(&key, &value); {
			n++
		}
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%d members of a target that has ended", n)
			break
		}
	}
}

// TestStopInSlice: what runs when the account ends is accounted for up to then,
// though its CPU has not switched.
func TestStopInSlice(t *testing.T) {
	a := account(t)
	cpus := online(t)
	target, _ := start(t, fmt.Sprintf("spin %d", cpus[len(cpus)-1]))
	if err := errors.Join(a.Follow(target.Process.Pid), a.Start(cpus)); err != nil {
		t.Fatal(err)
	}
	for a.Ran() == 0 { // a settled slice, however short
		if _, err := a.RanOn(); err != nil {
			t.Fatal(err)
		}
	}
	end := monotonic()
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	for cpu := range a.cpus {
		state := a.cpus[cpu].state.Load()
		if kind, since := state&kindMask, int64(state>>kindBits); kind != idle && since < end {
			t.Errorf("CPU %d: a slice of kind %d is still open, %v long when the account ended", cpu, kind, time.Duration(end-since))
		}
	}
}

func TestNamespace(t *testing.T) {
	account(t)
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), fmt.Sprintf("%s=namespace %d", workerEnv, online(t)[0]))
	c.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	out, err := c.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("no PID namespace: %v", err)
	}
	var ran, used time.Duration // the latter with the beginning and the end of the account
	if _, scan := fmt.Sscan(string(out), &ran, &used); scan != nil || err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if ran < used/10 || ran == 0 {
		t.Errorf("process 1 of a PID namespace ran %v, and used %v meanwhile", ran, used)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	a := account(t)
	if err := a.Start(online(t)); err != nil {
		t.Fatal(err)
	}
	info, err := a.objects.Switched.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			break // it is gone, or only an administrator may look
		}
		p.Close()
		if time.Now().After(deadline) {
			t.Fatal("the program is still in the kernel")
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.Contains(to, "bpf") {
			t.Errorf("descriptor %s is still %s", fd.Name(), to)
		}
	}
}
