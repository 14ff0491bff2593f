package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch/shim"
)

// workerEnv makes the test binary burn so much CPU time, a time.Duration, and exit.
const workerEnv = "ENERGYPROF_TEST_WORKER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(workerEnv); spec != "" {
		d, err := time.ParseDuration(spec)
		if err != nil {
			panic(err)
		}
		for used(unix.RUSAGE_SELF) < d {
			x := 1.0
			for range 100000 {
				x *= 1.0000001
			}
			runtime.KeepAlive(x)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// used is the CPU time of this process, or of its children that were waited for.
func used(who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// An event that is opened on the shim while the kernel has not finished the
// shim's own execve is turned on by it. So Start must not return before the shim
// has become what it is.
func TestStartReturnsAfterTheShimsExecve(t *testing.T) {
	for range 20 {
		c, err := Start([]string{"true"})
		if err != nil {
			t.Fatal(err)
		}
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.PID))
		c.Abandon()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(cmdline), shim.Name+"\x00") {
			t.Fatalf("Start returned while the shim was still %q", cmdline)
		}
	}
}

// What the shim needs to start is not the command's, and on a slow CPU it is much. The
// scheduler's books of its threads say how much it is.
func TestShimsTimeIsNotTheCommands(t *testing.T) {
	t.Setenv(workerEnv, "100ms") // more than the books may be wrong by
	c, err := Start([]string{self(t)})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	least, err := booked(c.PID)
	if err != nil {
		c.Abandon()
		t.Skip(err)
	}
	if err := c.Go(); err != nil {
		t.Fatal(err)
	}
	// Of a thread that runs, the books may lack what it ran since the last tick, 10 ms ago at most.
	most := least + 2*time.Since(began) + 10*time.Millisecond
	before := used(unix.RUSAGE_CHILDREN)
	_, own, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if shim := c.before.User + c.before.System; shim < least || shim > most {
		t.Errorf("%v are the shim's, want %v to %v", shim, least, most)
	}
	const rounding = 10 * time.Microsecond
	whole := used(unix.RUSAGE_CHILDREN) - before
	if sum := own.User + own.System; sum < whole-most-rounding || sum > whole-least+rounding {
		t.Errorf("%v of %v are the command's, want all but %v to %v", sum, whole, least, most)
	}
}

// The kernel parts a process's time into user and system time by where its ticks
// fell: the parts may be nothing like they were when the shim looked, their sum is.
func TestUsageAddsUp(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct{ shim, whole, want Usage }{
		{Usage{3 * ms, 2 * ms}, Usage{10 * ms, 5 * ms}, Usage{7 * ms, 3 * ms}},
		{Usage{3 * ms, 2 * ms}, Usage{0, 15 * ms}, Usage{0, 10 * ms}},
		{Usage{3 * ms, 2 * ms}, Usage{15 * ms, 0}, Usage{10 * ms, 0}},
		{Usage{3 * ms, 2 * ms}, Usage{2 * ms, 2 * ms}, Usage{}},
	} {
		c := Command{before: test.shim}
		if got := c.used(test.whole); got != test.want {
			t.Errorf("%v without the shim's %v: %v, want %v", test.whole, test.shim, got, test.want)
		}
	}
}

// booked is the CPU time that the scheduler has in its books for the threads of a process.
func booked(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		var ns int64
		if _, err := fmt.Sscan(string(b), &ns); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += time.Duration(ns)
	}
	if sum == 0 {
		return 0, fmt.Errorf("this kernel keeps no schedstat of process %d", pid)
	}
	return sum, nil
}
