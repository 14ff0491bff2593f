package pmu

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The real sysfs, whatever this machine has.
func TestOracleLive(t *testing.T) {
	perf := findPerf(t)
	machine := NewFS("", "")
	specs := []string{
		"cycles:u", "instructions:kpp", "branch-misses:h", "cpu-clock", "faults:uk", "cgroup-switches",
		"L1-dcache-load-misses", "dTLB-store-misses:u", "LLC-prefetches", "branch-loads", "r1a8:u", "mem:0x1000", "mem:4096/8:w:u", "mem:0x1000/2:rw",
		"{task-clock,faults}:u",
	}
	if runtime.GOARCH == "amd64" { // on arm64 perf's length depends on its version
		specs = append(specs, "mem:0x1000:x:k")
	}
	if _, err := machine.PMU("msr"); err == nil {
		specs = append(specs, "msr/event=0x12345/u", "tsc")
	}
	if _, err := machine.PMU("uprobe"); err == nil {
		specs = append(specs, "uprobe/retprobe,ref_ctr_offset=0xfedcba98/", "uprobe/config=0x10,retprobe=1,config1=3/")
	}
	pmus, err := machine.PMUs()
	if err != nil {
		t.Error(err)
	}
	for _, p := range pmus {
		for _, a := range p.Events {
			// Of the cores' own, perf makes generic events where there are several kinds.
			if !p.Core && !strings.Contains(a.Terms, "?") {
				specs = append(specs, p.Name+"/"+a.Name+"/")
			}
		}
	}
	t.Logf("%d events", len(specs))
	compareLive(t, func(args ...string) (string, error) { return runPerf(perf, "/sys", args...) }, machine, specs)
}

func compareLive(t *testing.T, run func(args ...string) (string, error), machine FS, specs []string) {
	t.Helper()
	rows := make([]oracleRow, len(specs))
	for i, spec := range specs {
		groups, err := machine.ParseGroups(spec)
		if err != nil {
			t.Error(err)
		}
		rows[i] = oracleRow{mark: '=', spec: spec, want: describeGroups(groups)}
	}
	compareRows(t, run, rows, looseTypes(t, machine))
}

// tracefs need not be mounted: the test mounts it for a thread of its own.
func TestOracleTracepoint(t *testing.T) {
	perf := findPerf(t)
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
		run := func(args ...string) (string, error) { return runPerfHere(perf, "/sys", args...) }
		compareLive(t, run, machine, []string{"sched:sched_switch", "raw_syscalls:sys_enter:u", "{sched:sched_switch,cycles}:k"})
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

// What only sampling knows, as perf record has it.
func TestOracleRecord(t *testing.T) {
	perf := findPerf(t)
	machine, root := openSysfs(t, "server")
	specs := []string{
		"cycles/period=1000/", "cycles/freq=99/u", "cycles/no-inherit,period=7/", "cycles/no-inherit=0,period=7/", "cycles/inherit=0,period=7/",
		"cycles/inherit,period=7/", "cpu/event=0x3c,period=0x10/pp", "cycles/period=7/P", "r1a8/period=5/P",
	}
	run := func(args ...string) (string, error) { return runPerf(perf, root, args...) }
	texts, refusal, err := attrsOfPerf(run, specs, describeSampling, "record", "-vv", "-o", "/dev/null")
	if err != nil || refusal != "" {
		t.Fatalf("%v %s", err, refusal)
	}
	for i, spec := range specs {
		ev, err := machine.Parse(spec)
		if err != nil {
			t.Error(err)
			continue
		}
		if ev.MaxPrecise {
			ev.Precise = 3 // what perf tries first
		}
		if got := describeSampling(ev); got != texts[i] {
			t.Errorf("%s: perf has %q, got %q", spec, texts[i], got)
		}
	}
}

func describeSampling(ev Event) string {
	return fmt.Sprintf("%s period %d frequency %d no-inherit %v", ev.describeAttr(), ev.Period, ev.Frequency, ev.NoInherit)
}
