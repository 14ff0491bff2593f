package pmu

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// perf prints the attribute it would open, before it opens it: what we read from
// a name must be what perf reads.
func TestOracle(t *testing.T) {
	perf, err := exec.LookPath("perf")
	if err != nil {
		t.Skipf("no perf to compare with: %v", err)
	}
	if _, err := attrOfPerf(perf, "dummy"); err != nil {
		t.Skipf("perf is of no use here: %v", err)
	}
	machine := NewFS("", "")
	specs := []string{
		"cycles:u", "instructions:kpp", "branch-misses:h", "cpu-clock", "faults:uk", "cgroup-switches",
		"L1-dcache-load-misses", "dTLB-store-misses:u", "LLC-prefetches", "branch-loads",
		"r1a8:u", "mem:0x1000", "mem:4096/8:w:u", "mem:0x1000/2:rw",
	}
	if runtime.GOARCH == "amd64" { // on arm64 perf's length depends on its version
		specs = append(specs, "mem:0x1000:x:k")
	}
	for name, events := range map[string][]string{
		"msr":    {"msr/tsc/", "msr/event=0x12345/u"},
		"uprobe": {"uprobe/retprobe,ref_ctr_offset=0xfedcba98/", "uprobe/config=0x10,retprobe=1,config1=3/"},
		"power":  {"power/energy-pkg/"},
	} {
		if _, err := machine.PMU(name); err == nil {
			specs = append(specs, events...)
		} else {
			t.Logf("not compared: %v", err)
		}
	}
	for _, spec := range specs {
		compareWithPerf(t, perf, machine, spec)
	}
}

// tracefs need not be mounted: the test mounts it for a thread of its own.
func TestOracleTracepoint(t *testing.T) {
	perf, err := exec.LookPath("perf")
	if err != nil {
		t.Skipf("no perf to compare with: %v", err)
	}
	skip := ""
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine, and its mounts with it.
		runtime.LockOSThread()
		machine := NewFS("", "")
		if _, err := machine.Parse("sched:sched_switch"); err != nil {
			if err := mountTracefs(); err != nil {
				skip = fmt.Sprintf("no tracefs: %v", err)
				return
			}
		}
		if _, err := attrOfPerf(perf, "dummy"); err != nil {
			skip = fmt.Sprintf("perf is of no use here: %v", err)
			return
		}
		for _, spec := range []string{"sched:sched_switch", "raw_syscalls:sys_enter:u"} {
			compareWithPerf(t, perf, machine, spec)
		}
	}()
	<-done
	if skip != "" {
		t.Skip(skip)
	}
}

// mountTracefs gives the calling thread, and what it starts, a tracefs.
func mountTracefs() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

func compareWithPerf(t *testing.T, perf string, machine FS, spec string) {
	t.Helper()
	ev, err := machine.Parse(spec)
	if err != nil {
		t.Error(err)
		return
	}
	want, err := attrOfPerf(perf, spec)
	if err != nil {
		t.Errorf("%s: %v", spec, err)
		return
	}
	ev.Name, ev.PMU, ev.CPUs, ev.Uncore, ev.Scale, ev.Unit, ev.Clock = "", "", nil, false, 0, "", false // not in the attribute
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Errorf("%s (-perf +ours):\n%s", spec, diff)
	}
}

// attrOfPerf reads the first attribute that perf stat -vv prints. Fields that
// are zero are left out there.
func attrOfPerf(perf, spec string) (Event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, perf, "stat", "-vv", "-e", spec, "true")
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	// The exit code tells whether the machine has the event, not whether perf knows it.
	out, runErr := cmd.CombinedOutput()
	_, dump, found := bytes.Cut(out, []byte("perf_event_attr:\n"))
	dump, _, whole := bytes.Cut(dump, []byte("\n----"))
	if !found || !whole {
		return Event{}, fmt.Errorf("perf printed no attribute (%v): %s", runErr, out)
	}
	var ev Event
	for line := range strings.Lines(string(dump)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return Event{}, fmt.Errorf("perf prints %q", line)
		}
		name, value := strings.Join(fields[:len(fields)-1], " "), fields[len(fields)-1]
		known := []string{"type", "config", "{ bp_addr, config1 }", "{ bp_len, config2 }", "config3", "bp_type", "exclude_user", "exclude_kernel", "exclude_hv", "precise_ip"}
		i := slices.Index(known, name)
		if i < 0 {
			continue
		}
		n, err := strconv.ParseUint(value, 0, 64)
		if err != nil {
			return Event{}, fmt.Errorf("perf prints %q", line)
		}
		switch known[i] {
		case "type":
			ev.Type = uint32(n)
		case "config":
			ev.Config = n
		case "{ bp_addr, config1 }":
			ev.Config1 = n
		case "{ bp_len, config2 }":
			ev.Config2 = n
		case "config3":
			ev.Config3 = n
		case "bp_type":
			ev.BPType = uint32(n)
		case "exclude_user":
			ev.ExcludeUser = n != 0
		case "exclude_kernel":
			ev.ExcludeKernel = n != 0
		case "exclude_hv":
			ev.ExcludeHV = n != 0
		case "precise_ip":
			ev.Precise = uint8(n)
		}
	}
	return ev, nil
}
