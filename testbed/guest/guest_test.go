// Package guest holds the tests that run inside the testbed's virtual machines:
// on a stock kernel, with simulated hardware below it whose watts are known.
//
// They run one after another, as root, and leave the machine as they found it.
// Outside of a guest the package has no tests.
package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/energyprof/energyprof/report"
)

// guestEnv names the guest; the testbed sets it.
const guestEnv = "TESTBED_GUEST"

// runLimit is what a command may take, in the guest's time.
const runLimit = 90 * time.Second

// uid is the guest's ordinary user, and its group.
const uid = 1000

// TestMain runs the tests in a guest and nowhere else.
func TestMain(m *testing.M) {
	guest := os.Getenv(guestEnv)
	if guest == "" {
		fmt.Println("skipped: these tests run in the guests of ./testbed")
		os.Exit(0)
	}
	// A module that does not load must not pass as a reason to skip.
	if _, err := os.Stat("/sys/module/simrapl"); err != nil && runtime.GOARCH == "amd64" {
		fmt.Printf("%s is a guest with simulated counters, but simrapl is not loaded\n", guest)
		os.Exit(1)
	}
	code := m.Run()
	if missed, err := os.ReadFile("/sys/module/simrapl/parameters/missed"); err == nil && strings.TrimSpace(string(missed)) != "0" {
		fmt.Printf("%s reads of registers went past simrapl: the tests prove nothing\n", strings.TrimSpace(string(missed)))
		code = 1
	}
	os.Exit(code)
}

// only skips the test on guests other than these.
func only(t *testing.T, guests ...string) {
	t.Helper()
	if guest := os.Getenv(guestEnv); !slices.Contains(guests, guest) {
		t.Skipf("runs in %s, this is %s", strings.Join(guests, ", "), guest)
	}
}

// read returns a file of /sys or /proc without the white space around it.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// set writes a file of /sys or /proc, and what it had been when the test ends.
func set(t *testing.T, path, value string) {
	t.Helper()
	before := read(t, path)
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, []byte(before), 0); err != nil {
			t.Errorf("restoring: %v", err)
		}
	})
}

// param sets a parameter of a loaded module for the rest of the test.
func param(t *testing.T, module, name, value string) {
	t.Helper()
	set(t, filepath.Join("/sys/module", module, "parameters", name), value)
}

// scratch returns a new directory that every user may write to.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs a command to its end. The code is what a shell would say: 128+signal
// if it was killed. The test fails if the command does not start, or takes longer
// than runLimit.
func run(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return finish(t, nil, name, args)
}

// asUser is run as the guest's ordinary user.
func asUser(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return finish(t, &syscall.Credential{Uid: uid, Gid: uid}, name, args)
}

func finish(t *testing.T, as *syscall.Credential, name string, args []string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	var out, diag bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = &out, &diag
	// A group of its own: what the command started has to end with it.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	err := c.Run()
	line := strings.Join(append([]string{name}, args...), " ")
	if ctx.Err() != nil {
		t.Fatalf("%s: still running after %v\nstdout: %s\nstderr: %s", line, runLimit, &out, &diag)
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			code = 128 + int(status.Signal())
		}
	case err != nil:
		t.Fatalf("%s: %v", line, err)
	}
	return out.String(), diag.String(), code
}

// record runs energyprof record with these flags and command, which must
// succeed, and returns its summary. The profile goes where nobody looks, unless
// there is a -o among the flags.
func record(t *testing.T, args ...string) report.Summary {
	t.Helper()
	// Walks take a slow CPU much of its time; who wants them says so after this.
	args = append([]string{"-g", "fp"}, args...)
	dir := scratch(t)
	file := filepath.Join(dir, "summary.json")
	args = append([]string{"record", "-o", filepath.Join(dir, "energyprof.pb.gz"), "--summary", file}, args...)
	_, stderr, code := run(t, "energyprof", args...)
	if code != 0 {
		t.Fatalf("energyprof %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return readSummary(t, file)
}

// readSummary decodes what --summary wrote.
func readSummary(t *testing.T, file string) report.Summary {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s report.Summary
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}
