package session

import (
	"fmt"
	"os"
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

// What the shim needs to start is not the command's, and on a slow CPU it is much.
func TestShimsTimeIsNotTheCommands(t *testing.T) {
	c, err := fork([]string{"true"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	before := childrenUsed(t)
	if _, err := c.wait(); err != nil {
		t.Fatal(err)
	}
	whole := childrenUsed(t) - before
	if diff := (whole - c.shim - c.used).Abs(); c.shim <= 0 || diff > 10*time.Microsecond { // each is rounded
		t.Errorf("%v of %v are the command's and %v the shim's", c.used, whole, c.shim)
	}
}
