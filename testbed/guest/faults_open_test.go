package guest

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// refusals are what a PMU answers that is there and does not work, and what to
// do without an event of it.
var refusals = []struct {
	name   string
	errno  unix.Errno
	advice string
}{
	{"EBUSY", unix.EBUSY, "`sudo sysctl kernel.nmi_watchdog=0`"},
	{"ENODEV", unix.ENODEV, "-e cpu-clock works everywhere"},
	{"EOPNOTSUPP", unix.EOPNOTSUPP, "sample -e cpu-clock"},
}

// fails runs energyprof record, which must refuse before the command runs, and
// wants these parts in its message.
func fails(t *testing.T, want []string, args ...string) {
	t.Helper()
	dir := scratch(t)
	ran := filepath.Join(dir, "ran")
	args = append([]string{"record", "-o", filepath.Join(dir, "energyprof.pb.gz")}, args...)
	_, stderr, code := run(t, "energyprof", append(args, "--", "touch", ran)...)
	if code != 125 {
		t.Errorf("exit code %d, want 125", code)
	}
	for _, part := range want {
		if !strings.Contains(stderr, part) {
			t.Errorf("%q lacks %q", stderr, part)
		}
	}
	if strings.Count(stderr, "\n") != 1 {
		t.Errorf("the message is not one line: %q", stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("a refused recording leaves %v", left)
	}
}

// A power PMU that refuses is an error where it was asked for. Otherwise the next
// source takes its place, which is said.
func TestOpenPowerRefused(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			param(t, "simrapl", "open_errno", strconv.Itoa(int(r.errno)))
			fails(t, []string{"energy source perf-power: package 0: ", r.errno.Error(), "`--energy auto`", "`energyprof list`"}, "--energy", "perf")
		})
	}
	t.Run("auto", func(t *testing.T) {
		param(t, "simrapl", "open_errno", strconv.Itoa(int(unix.EBUSY)))
		openBooks(t)
		s := record(t, append(lean, "--energy", "auto", "--", "workload", "-seconds", "0.5", "-naps", "0")...)
		if s.Source.Name != "powercap" || !s.Source.Measured {
			t.Errorf("energy comes from %s, want powercap", s.Source)
		}
		noted(t, s, "energy comes from powercap because the kernel refuses perf-power: package 0: ", unix.EBUSY.Error())
		near(t, "package", domain(s, "package", 0), drawn(t), 0.01)
		sane(t, s)
	})
}

// An event that was asked for is not left out where its PMU refuses it.
func TestOpenCoreRefused(t *testing.T) {
	only(t, "icx-6.1")
	param(t, "simpmu", "open_pmu", "core")
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			param(t, "simpmu", "open_errno", strconv.Itoa(int(r.errno)))
			fails(t, []string{"opening cycles for process ", " on CPU 0: " + r.errno.Error(), r.advice}, "--energy", "none", "-e", "cycles")
		})
	}
	// Of whole CPUs it is also what a CPU answers that is offline.
	t.Run("all CPUs", func(t *testing.T) {
		param(t, "simpmu", "open_errno", strconv.Itoa(int(unix.ENODEV)))
		_, stderr, code := run(t, "energyprof", "record", "-o", filepath.Join(scratch(t), "p"), "--energy", "none", "-e", "cycles", "-a", "--duration", "1")
		if want := "opening cycles for all processes on CPU 0: " + unix.ENODEV.Error(); code != 125 || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d and %q, want 125 and %q", code, stderr, want)
		}
	})
}
