package main

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// A driver that is missing has one command that loads it.
func TestAdviceOnSources(t *testing.T) {
	file := &fs.PathError{Op: "open", Path: "/dev/cpu/0/msr", Err: fs.ErrNotExist}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("energy source msr: %w: %w", file, rapl.ErrNoDriver), "`sudo modprobe msr`"},
		{fmt.Errorf("energy source powercap: %w", rapl.ErrNoDriver), "`sudo modprobe -a rapl intel_rapl_msr msr`"},
		{fmt.Errorf("energy source hwmon: %w", rapl.ErrNoHardware), "`--energy auto` takes the best source that this machine has"},
	} {
		if got := advice(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
	// Beside other sources, one that no hardware has needs no advice.
	f := judgeSource("hwmon", rapl.Status{Err: fmt.Errorf("no sensor: %w", rapl.ErrNoHardware)})
	if f.Usable || f.Reason == "" || f.Fix != "" {
		t.Errorf("%+v, want a reason and no fix", f)
	}
}

// What refuses to count is answered for who asked: only a source of energy has
// other sources to take its place.
func TestAdviceOnRefusedCounters(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EBUSY, unix.ENODEV, unix.EOPNOTSUPP} {
		refused := fmt.Errorf("package 0: %w", &perfring.OpenError{PID: -1, Errno: errno})
		if f := judgeSource("perf-power", rapl.Status{Err: refused}); f.Fix != refusedSource {
			t.Errorf("%v of a source of energy: %q, want %q", errno, f.Fix, refusedSource)
		}
		if f := judge("uncore_imc_0/cas_count_read/", refused); strings.Contains(f.Fix, "energy ") || strings.Contains(f.Fix, "sample with") {
			t.Errorf("%v of an event that is counted: %q", errno, f.Fix)
		}
	}
}

// A breakpoint too many is no full disk.
func TestAdviceOnBreakpoints(t *testing.T) {
	err := fmt.Errorf("opening mem:0x1/8:w: %w", &perfring.OpenError{PID: 1, Errno: unix.ENOSPC})
	if got := advice(err); !strings.Contains(got, "breakpoints are all in use") {
		t.Errorf("%v: %q, want that breakpoints are all in use", err, got)
	}
	err = fmt.Errorf("opening mem:0x1/8:w: %w", &perfring.OpenError{PID: 1, Errno: unix.EINVAL, Attr: perfring.Attr{Type: unix.PERF_TYPE_BREAKPOINT}})
	if got := advice(err); got != adviceBreakpoint {
		t.Errorf("%v: %q, want %q", err, got, adviceBreakpoint)
	}
}

// Where no PMU samples accesses to memory, there is advice if the operator can change that, and for
// the whole machine what is there in its place.
func TestAdviceOnMemorySamples(t *testing.T) {
	refused := func(errno unix.Errno) error { return &perfring.OpenError{Attr: perfring.Attr{Sample: 1}, Errno: errno} }
	trace := pebs.Reason{PMU: "arm_spe_0", Err: pebs.ErrTrace}
	denied := pebs.Reason{PMU: "cpu/mem-loads/", Err: refused(unix.EACCES)}
	imprecise := pebs.Reason{PMU: "cpu/mem-loads/", Err: refused(unix.EOPNOTSUPP)}
	for _, c := range []struct {
		err  error
		want string // a part of it; "" for none
	}{
		{trace, "perf inject --itrace=M"},
		{&pebs.NoneError{Reasons: []pebs.Reason{trace, {PMU: "ibs_op"}}}, "perf inject --itrace=M"},
		{denied, "kernel.perf_event_paranoid"},
		{&pebs.NoneError{Reasons: []pebs.Reason{denied}}, "kernel.perf_event_paranoid"},
		{imprecise, ""},
		{pebs.Reason{PMU: "mem:0x1:w", Err: refused(unix.EINVAL)}, ""},
		{&pebs.NoneError{Reasons: []pebs.Reason{imprecise, {PMU: "ibs_op"}}}, "page faults with their addresses"},
		{pebs.Reason{PMU: "ibs_op//", Err: fmt.Errorf("%w: %w", pebs.ErrWholeCPUs, refused(unix.EINVAL))}, "-a"},
	} {
		if got := advice(c.err); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q in it", c.err, got, c.want)
		}
	}
}
