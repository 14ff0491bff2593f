package uncore

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/elastic/go-perf"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// asUserEnv makes the test binary count its own events and say what came of it.
const asUserEnv = "ENERGYPROF_TEST_COUNT"

func TestMain(m *testing.M) {
	if spec := os.Getenv(asUserEnv); spec != "" {
		e, err := Machine{}.Events(spec)
		if err == nil {
			var c *Counters
			if c, err = e.Open(Target{Threads: []int{os.Getpid()}}); err == nil {
				for _, c := range c.List() {
					fmt.Println(e.Terms()[c.Term].Name, c.UserOnly, c.Err)
				}
			}
		}
		if err != nil {
			fmt.Println("error", errors.Is(err, os.ErrPermission), err)
		}
		os.Exit(0)
	}
	code := m.Run()
	removeTrees()
	os.Exit(code)
}

// openOn opens events on the calling thread, which the test keeps.
func openOn(t *testing.T, m Machine, spec string) *Counters {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	e, err := m.Events(spec)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Open(Target{Threads: []int{unix.Gettid()}})
	if errors.Is(err, os.ErrPermission) && os.Getenv("CI") != "true" {
		t.Skipf("perf events are not allowed here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func read(t *testing.T, c *Counters) []perfring.Count {
	t.Helper()
	counts := make([]perfring.Count, len(c.List()))
	if err := c.Read(counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

// touch causes a page fault for each of n pages.
func touch(t *testing.T, n int) {
	t.Helper()
	b, err := unix.Mmap(-1, 0, n*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Madvise(b, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		t.Fatal(err)
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	if err := unix.Munmap(b); err != nil {
		t.Fatal(err)
	}
}

// other is what the runtime's own page faults may add.
const other = 20

// The same faults, counted by us and by go-perf.
func TestCountsAsTheOracle(t *testing.T) {
	c := openOn(t, Machine{}, "page-faults")
	attr := &perf.Attr{CountFormat: perf.CountFormat{Enabled: true, Running: true}}
	perf.PageFaults.Configure(attr)
	oracle, err := perf.Open(attr, unix.Gettid(), perf.AnyCPU, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer oracle.Close()
	const pages = 2000
	count, err := oracle.Measure(func() {
		if err := c.Enable(); err != nil {
			t.Error(err)
		}
		touch(t, pages)
		if err := c.Disable(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, c)[0]
	if got.Value < pages || got.Value > count.Value || got.Value+other < count.Value || got.Running != got.Enabled || got.Enabled == 0 {
		t.Errorf("%+v, and go-perf counts %d: want both to be the %d pages and a few", got, count.Value, pages)
	}
}

// The members of a group have the same times, alone each has its own, and what is turned off counts nothing.
func TestGroup(t *testing.T) {
	c := openOn(t, Machine{}, "{page-faults,task-clock,minor-faults},page-faults")
	touch(t, 100)
	if before := read(t, c); before[0] != (perfring.Count{}) || before[3] != (perfring.Count{}) {
		t.Errorf("%+v before Enable, want nothing", before)
	}
	if err := c.Enable(); err != nil {
		t.Fatal(err)
	}
	touch(t, 1000)
	counts, list := read(t, c), c.List()
	for i, term := range []int{0, 1, 2, 3} {
		if list[i].Term != term || list[i].Err != nil || list[i].CPU != -1 || list[i].Thread != unix.Gettid() {
			t.Errorf("counter %d is %+v", i, list[i])
		}
		if sameTimes := counts[i].Enabled == counts[0].Enabled; sameTimes != (i < 3) || (list[i].Group == list[0].Group) != (i < 3) {
			t.Errorf("counter %d: group %d, %+v; the first: group %d, %+v", i, list[i].Group, counts[i], list[0].Group, counts[0])
		}
	}
	for _, i := range []int{0, 2, 3} {
		if v := counts[i].Value; v < 1000 || v > 1000+other {
			t.Errorf("counter %d: %d faults, want 1000 and a few", i, v)
		}
	}
	if clock := counts[1]; math.Abs(float64(clock.Value)/float64(clock.Running)-1) > 0.01 {
		t.Errorf("task-clock %+v, want the time that it ran", clock)
	}
	if err := c.Disable(); err != nil {
		t.Fatal(err)
	}
	before := read(t, c)
	touch(t, 100)
	for i, now := range read(t, c) {
		if now != before[i] {
			t.Errorf("counter %d went on from %+v to %+v after Disable", i, before[i], now)
		}
	}
}

// withPMU is this machine with one more PMU, of a type that the kernel does not have.
func withPMU(t *testing.T) Machine {
	t.Helper()
	sys := t.TempDir()
	if err := os.Symlink("/sys/devices", filepath.Join(sys, "devices")); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(sys, "bus/event_source/devices/nobody")
	if err := os.MkdirAll(filepath.Join(dir, "format"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"type": "4000000000\n", "format/event": "config:0-7\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Sys: sys}
}

// What is not supported does not take the rest of its group along, wherever it stands in it.
func TestNotSupported(t *testing.T) {
	for _, spec := range []string{"nobody/event=1/,page-faults,faults", "{nobody/event=1/,page-faults,faults}", "{page-faults,faults,nobody/event=1/}", "{page-faults,nobody/event=1/}"} {
		c := openOn(t, withPMU(t), spec)
		if err := c.Enable(); err != nil {
			t.Fatal(err)
		}
		touch(t, 100)
		counts := read(t, c)
		for i, counter := range c.List() {
			if counter.PMU == "nobody" {
				if !errors.Is(counter.Err, ErrNotSupported) || !strings.Contains(counter.Err.Error(), "ENOENT") || counts[i] != (perfring.Count{}) {
					t.Errorf("%s: %+v counts %+v, want that it is not supported", spec, counter, counts[i])
				}
			} else if counter.Err != nil || counts[i].Value < 100 || counts[i].Running == 0 {
				t.Errorf("%s: %+v counts %+v, want 100 faults and a few", spec, counter, counts[i])
			}
		}
		c.Close()
	}
}

// A CPU has few breakpoint registers (four of x86, two to sixteen of arm64). When they are
// used up, somebody holds them.
func TestBusy(t *testing.T) {
	var specs []string
	for i := range 17 {
		specs = append(specs, fmt.Sprintf("mem:%#x/8:w", 0x1000+8*i))
	}
	c := openOn(t, Machine{}, strings.Join(specs, ","))
	open, busy := 0, 0
	for _, counter := range c.List() {
		switch {
		case counter.Err == nil:
			open++
		case errors.Is(counter.Err, ErrBusy):
			busy++
		case errors.Is(counter.Err, ErrNotSupported):
			t.Skipf("no breakpoints here: %v", counter.Err)
		}
	}
	if open < 2 || busy == 0 || open+busy != len(specs) {
		t.Errorf("%d breakpoints open, %d busy, of %d", open, busy, len(specs))
	}
}

// Where a user may not count in the kernel, user code is counted, and what happens only in the
// kernel is not said to be zero.
func TestWithoutTheKernel(t *testing.T) {
	level, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil {
		t.Skip(err)
	}
	if os.Getuid() != 0 || strings.TrimSpace(string(level)) != "2" {
		t.Skipf("uid %d, kernel.perf_event_paranoid %s: what a user may not do is known to root where it is 2", os.Getuid(), strings.TrimSpace(string(level)))
	}
	as := func(spec string) string {
		c := exec.Command("/proc/self/exe")
		c.Env = []string{asUserEnv + "=" + spec}
		c.Dir = "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	got := as("task-clock,context-switches,page-faults,page-faults:u,{cpu-migrations,minor-faults}")
	why := ErrKernelOnly.Error()
	want := "task-clock false <nil>\ncontext-switches false " + why + "\npage-faults true <nil>\npage-faults:u false <nil>\ncpu-migrations false " + why + "\nminor-faults true <nil>\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	// A PMU that cannot leave the kernel out is no unsupported one.
	if _, err := (Machine{}).Events("msr/tsc/"); err == nil {
		if got := as("task-clock,msr/tsc/"); !strings.HasPrefix(got, "error true counting msr/tsc/ for thread ") {
			t.Errorf("%s; want no permission for msr/tsc/", got)
		}
	}
	if got := as("task-clock:k"); !strings.HasPrefix(got, "error true counting task-clock:k for thread ") {
		t.Errorf("%s; want no permission for task-clock:k", got)
	}
}

// A thread that has ended is passed over.
func TestThreadThatIsGone(t *testing.T) {
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Skip(err)
	}
	e, err := Machine{}.Events("task-clock")
	if err != nil {
		t.Fatal(err)
	}
	counters, err := e.Open(Target{Threads: []int{c.Process.Pid}})
	if err != nil || len(counters.List()) != 0 {
		t.Errorf("%v, %v: want no counters and no error", counters, err)
	}
}

// A pinned event that lost its counter counted nothing, which is not the same as no time to count in:
// a sum over its CPU has a hole.
func TestPinnedEventWithoutCounter(t *testing.T) {
	g := openGroup{at: []int{0, 2}}
	dst := []perfring.Count{{Value: 7, Enabled: 10, Running: 10}, {Value: 1, Enabled: 2, Running: 2}, {}}
	want := []perfring.Count{{Enabled: 11}, {Value: 1, Enabled: 2, Running: 2}, {Enabled: 1}}
	if err := g.lost(fmt.Errorf("reading: %w", perfring.ErrEventError), dst); err != nil || !slices.Equal(dst, want) {
		t.Errorf("%v, %v; want %v", dst, err, want)
	}
	for _, at := range g.at {
		if value, ok := dst[at].Scaled(); ok {
			t.Errorf("%+v is scaled to %g, want no value", dst[at], value)
		}
	}
	if err := g.lost(io.ErrUnexpectedEOF, dst); err != io.ErrUnexpectedEOF || !slices.Equal(dst, want) {
		t.Errorf("%v, %v: another error, want it back and no count touched", dst, err)
	}
}
