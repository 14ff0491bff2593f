package session

import (
	"fmt"
	"os"
	"strings"
	"testing"
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
