package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An event that is opened on the shim while the kernel has not finished the
// shim's own execve is turned on by it. So fork must not return before the shim
// has become what it is.
func TestForkReturnsAfterTheShimsExecve(t *testing.T) {
	for range 20 {
		c, err := fork([]string{"true"})
		if err != nil {
			t.Fatal(err)
		}
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.process.Pid))
		c.abandon()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(cmdline), shimName+"\x00") {
			t.Fatalf("fork returned while the shim was still %q", cmdline)
		}
	}
}

// What the shim needs to start is not the command's, and on a slow CPU it is much. The
// scheduler's books of its threads say how much it is.
func TestShimsTimeIsNotTheCommands(t *testing.T) {
	t.Setenv(workerEnv, "1 0.1 0") // more than the books may be wrong by
	c, err := fork([]string{self(t)})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	least, err := booked(c.process.Pid)
	if err != nil {
		c.abandon()
		t.Skip(err)
	}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	// Of a thread that runs, the books may lack what it ran since the last tick, 10 ms ago at most.
	most := least + 2*time.Since(began) + 10*time.Millisecond
	before := childrenUsed(t)
	if _, err := c.wait(); err != nil {
		t.Fatal(err)
	}
	if c.shim < least || c.shim > most {
		t.Errorf("%v are the shim's, want %v to %v", c.shim, least, most)
	}
	const rounding = 10 * time.Microsecond
	whole := childrenUsed(t) - before
	if c.used < whole-most-rounding || c.used > whole-least+rounding {
		t.Errorf("%v of %v are the command's, want all but %v to %v", c.used, whole, least, most)
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
