package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/gate"
)

// The advice for the operator stands here and nowhere else: which command
// changes what the kernel answered.

// advice returns what to do about err, or "".
func advice(err error) string {
	var open *perfring.OpenError
	var source sourceError
	var path *fs.PathError
	var limits incomparable
	switch {
	case errors.As(err, &limits):
		return adviceLimits(limits)
	case errors.Is(err, gate.ErrOneRun):
		return "make it of more runs: `energyprof bench -r 20`, and `energyprof bench --plan` says how many"
	case errors.As(err, &source) && refuses(err):
		return refusedSource
	case errors.Is(err, pebs.ErrNone), errors.As(err, new(pebs.Reason)):
		return adviceMemory(err)
	case errors.As(err, &open):
		return adviceOpen(open)
	case errors.Is(err, perfring.ErrEventError):
		return "another tool holds the counters (`sudo lsof | grep perf_event`), or these events do not fit on the PMU together: count fewer at once"
	case errors.As(err, new(stackError)):
		return adviceStacks(err)
	case errors.Is(err, session.ErrNoLBR):
		return "sample an event of the cores, -e cycles, on a processor of Intel's that has them and shows them; -g auto needs none"
	case errors.Is(err, session.ErrNoMemory):
		return moreRing + ", or a smaller -m"
	case errors.Is(err, session.ErrForeignProc):
		return "mount one of this namespace (`mount -t proc proc /proc`, `unshare --mount-proc`), or record from outside"
	case errors.Is(err, session.ErrTooManyFD):
		return "raise the limit with `ulimit -n`, or run as root to record whole CPUs and filter"
	case errors.Is(err, unix.EMFILE):
		return "raise the limit of open files with `ulimit -n`"
	case errors.Is(err, perfdata.ErrClock):
		return adviceClock
	case errors.Is(err, perfdata.ErrPerThread):
		return "`perf record -a` counts all the time, on all CPUs"
	case errors.Is(err, errNoAccesses):
		return "`perf mem record`, `perf record -d -W`, `perf record -d -e page-faults` and `energyprof mem --perf-data` record them"
	case errors.Is(err, errNoTimes):
		return "`perf record -T` records them"
	case errors.Is(err, pmu.ErrNoTracefs):
		return "`sudo mount -t tracefs nodev /sys/kernel/tracing`"
	case errors.Is(err, pmu.ErrNoPMU), errors.Is(err, pmu.ErrNoEvent):
		return "`energyprof list` shows what this machine has"
	case errors.Is(err, rapl.ErrNoDriver):
		if errors.As(err, &path) && strings.HasSuffix(path.Path, "/msr") {
			return "`sudo modprobe msr`"
		}
		return "`sudo modprobe -a rapl intel_rapl_msr msr`"
	case errors.Is(err, rapl.ErrNoHardware):
		return "`--energy auto` takes the best source that this machine has"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "free some space, or write elsewhere"
	case errors.Is(err, unix.EPIPE):
		return "whoever read it has gone away"
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		return advicePath(path.Path)
	case errors.As(err, &path) && errors.Is(err, fs.ErrNotExist) && (path.Path == "/proc/stat" || path.Path == "/proc/cpuinfo"):
		return "`mount -t proc proc /proc`"
	}
	return ""
}

// adviceLimits says what to do where limits on joules are refused.
func adviceLimits(found incomparable) string {
	var all []string
	flag := func(kind runs.Kind, advice string) {
		if slices.ContainsFunc(found, func(d runs.Difference) bool { return d.Kind == kind }) {
			all = append(all, advice)
		}
	}
	flag(runs.DifferentSource, "record both sides with one --energy source")
	flag(runs.DifferentAttribution, "record both sides with one --attribution and --baseline")
	flag(runs.Estimate, "--allow-model checks an estimate all the same")
	if slices.ContainsFunc(found, func(d runs.Difference) bool { return d.Kind == runs.DifferentMachine || d.Kind == runs.Unknown }) {
		all = append(all, "record both sides on one machine, or --allow-different-machine")
	}
	return strings.Join(append(all, "--max-time and --function-time need no joules"), "; ")
}

// paranoidMost is the highest level that Linux itself knows. Debian and Ubuntu add
// one above, which they ship: Debian's lets nobody pass without CAP_SYS_ADMIN.
const paranoidMost = 2

// setCapabilities lets this executable do without root.
func setCapabilities() string {
	return "sudo setcap cap_perfmon,cap_sys_ptrace,cap_syslog+ep " + executable()
}

func adviceOpen(e *perfring.OpenError) string {
	switch e.Errno {
	case unix.EACCES, unix.EPERM:
		level, err := sysctl("kernel/perf_event_paranoid")
		if e.PID > 0 && foreign(e.PID) && level <= paranoidMost {
			return fmt.Sprintf("process %d is another user's: run as root, or as that user, or `%s`", e.PID, setCapabilities())
		}
		need := 1
		if e.PID == -1 {
			need = 0
		}
		if err == nil && level > paranoidMost {
			return fmt.Sprintf("%s, where CAP_PERFMON may not be enough; `sudo sysctl kernel.perf_event_paranoid=%d`, or level %d and `%s`, or run as root", paranoidNow(), need, paranoidMost, setCapabilities())
		}
		return fmt.Sprintf("%s; `sudo sysctl kernel.perf_event_paranoid=%d`, or `%s`, or run as root", paranoidNow(), need, setCapabilities())
	case unix.ENOENT, unix.ENXIO, unix.ENODEV:
		return "this machine has no such event: a virtual machine often has no hardware PMU, -e cpu-clock works everywhere"
	case unix.EOPNOTSUPP:
		if e.Attr.Sample == 0 {
			return "" // it was only to be counted
		}
		return "the PMU has no interrupt to sample with, or not at this precision; count it instead, or sample -e cpu-clock"
	case unix.EINVAL:
		if e.Attr.Type == unix.PERF_TYPE_BREAKPOINT {
			return adviceBreakpoint
		}
		return "the kernel refuses this combination; an event outside the cores can only be counted"
	case unix.EBUSY:
		return "another tool holds the counter (`sudo lsof | grep perf_event`), or the NMI watchdog does: `sudo sysctl kernel.nmi_watchdog=0`"
	case unix.ENOSPC: // of perf events only breakpoints run out of places (reserve_bp_slot)
		return "the processor's breakpoints are all in use, x86 has four: watch fewer addresses at once, or end the debugger that has the others"
	case unix.EMFILE:
		return "raise the limit of open files with `ulimit -n`"
	case unix.ENOSYS:
		return "this kernel is built without CONFIG_PERF_EVENTS, or a seccomp filter hides it"
	}
	return ""
}

// adviceMemory says what to do where a PMU samples no accesses to memory. That it has no such event, or
// not with precision, nobody changes.
func adviceMemory(err error) string {
	var open *perfring.OpenError
	switch {
	case errors.Is(err, pebs.ErrTrace):
		return "`perf record -e arm_spe// -- COMMAND`, `perf inject --itrace=M -i perf.data -o mem.data`, then `energyprof mem -i mem.data` or `energyprof convert mem.data`"
	case errors.Is(err, pebs.ErrWholeCPUs):
		return "record all CPUs with -a"
	case errors.As(err, &open):
		switch open.Errno {
		case unix.EACCES, unix.EPERM, unix.EBUSY, unix.EMFILE, unix.ENFILE, unix.ENOSYS:
			return adviceOpen(open)
		}
	}
	if errors.Is(err, pebs.ErrNone) {
		return "page faults with their addresses (mem -e page-faults) are sampled everywhere, accesses to a variable (mem -e mem:ADDRESS:rw) nearly everywhere"
	}
	return ""
}

// adviceBreakpoint is what processors can watch: arch_build_bp_info and hw_breakpoint_arch_parse in
// arch/x86/kernel/hw_breakpoint.c.
const adviceBreakpoint = "a breakpoint is on 1, 2, 4 or 8 bytes, aligned to that; x86 has none on reads alone, and none on addresses of the kernel without root"

const refusedSource = "the driver refuses to count it: `energyprof list` shows what works, and `--energy auto` takes the first of it"

// refuses tells whether err is of a driver that has the event and does not count it.
func refuses(err error) bool {
	var open *perfring.OpenError
	if !errors.As(err, &open) {
		return false
	}
	return open.Errno == unix.EBUSY || open.Errno == unix.ENODEV || open.Errno == unix.EOPNOTSUPP
}

// foreign tells whether a process belongs to another user, or is kept from its
// own by a change of identity: the files in /proc are then root's.
func foreign(pid int) bool {
	var st unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d", pid), &st)
	return err == nil && int(st.Uid) != os.Geteuid()
}

// advicePath says how a file becomes readable.
func advicePath(path string) string {
	switch {
	case strings.Contains(path, "/powercap/"):
		return "`sudo chmod o+r /sys/class/powercap/*/energy_uj` (until the next boot), or run as root"
	case strings.HasSuffix(path, "/msr"):
		return "run as root with `sudo modprobe msr`; a kernel in lockdown refuses it even then"
	case strings.HasPrefix(path, "/proc/") && strings.HasSuffix(path, "/maps"):
		return fmt.Sprintf("the mappings of other processes need CAP_SYS_PTRACE: run as root, or `%s`", setCapabilities())
	case strings.Contains(path, "/tracing/"):
		return "`sudo chmod -R o+rX /sys/kernel/tracing`, or run as root"
	}
	return ""
}

// adviceClock is how samples get times that another program can read.
const adviceClock = "`perf record -k CLOCK_MONOTONIC` puts them on the clock of energy traces"

const moreRing = "`sudo sysctl kernel.perf_event_mlock_kb=4096` or `ulimit -l unlimited`, and fewer profilers at once"

// copies are the way to stacks where no program walks them.
const copies = "`-g dwarf` needs no BPF"

// adviceNote says what to do about a limitation that a recording met.
func adviceNote(n session.Note) string {
	switch n.Kind {
	case session.NoteUserOnly:
		return fmt.Sprintf("%s; `sudo sysctl kernel.perf_event_paranoid=1` or `%s`", paranoidNow(), setCapabilities())
	case session.NoteSmallRing:
		return moreRing
	case session.NoteMissed:
		return "lower -F"
	case session.NoteNoStacks:
		return copies
	case session.NoteLostStacks:
		return "larger rings with -m, or a lower -F"
	case session.NoteCoarse:
		return "raise -F, or record all CPUs with -a"
	case session.NoteNoBPF:
		return adviceBPF(bpf.ErrPermission)
	case session.NoteIdentity:
		return "run energyprof as root"
	case session.NoteFiltered:
		return "raise the limit with `ulimit -n` to record the threads alone"
	}
	return ""
}

// adviceStacks says what to do where the callers of user code cannot be found as they were asked for.
func adviceStacks(err error) string {
	if hint := adviceBPF(err); hint != "" {
		return hint + "; " + copies
	}
	return copies
}

// adviceBPF says what to do where BPF programs cannot be loaded.
func adviceBPF(err error) string {
	switch {
	case !errors.Is(err, bpf.ErrPermission):
		return ""
	case os.Geteuid() == 0:
		return "the container needs CAP_BPF and CAP_PERFMON and a seccomp profile that allows bpf(2); a kernel in lockdown (confidentiality) refuses it altogether"
	}
	return fmt.Sprintf("`sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_syslog+ep %s`, or run as root", executable())
}

// adviceCount says what to do about a limitation that counting met.
func adviceCount(n counting.Note) string {
	switch n.Kind {
	case counting.NoteUserOnly:
		return fmt.Sprintf("%s; `sudo sysctl kernel.perf_event_paranoid=1` or `%s`", paranoidNow(), setCapabilities())
	case counting.NoteIdentity:
		return "run energyprof as root"
	}
	return ""
}

// adviceKernelNames says how this user gets to see the kernel's symbols.
func adviceKernelNames() string {
	restrict, err := sysctl("kernel/kptr_restrict")
	hidden := err == nil && restrict > 1 // from everybody, whatever the capabilities (kallsyms_show_value)
	if hidden && os.Geteuid() == 0 {
		return fmt.Sprintf("kernel.kptr_restrict is %d, which hides them from root, too: `sudo sysctl kernel.kptr_restrict=1`", restrict)
	}
	fix := "`sudo sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1`"
	if hidden {
		return fix
	}
	return fix + ", or `sudo setcap cap_syslog,cap_perfmon+ep " + executable() + "`"
}

// reason is an error in one line, with the errno's name where there is one.
func reason(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	var errno unix.Errno
	if errors.As(err, &errno) {
		if name := unix.ErrnoName(errno); name != "" && !strings.Contains(text, name) {
			text += " (" + name + ")"
		}
	}
	return text
}

func paranoidNow() string {
	level, err := sysctl("kernel/perf_event_paranoid")
	if err != nil {
		return "perf events are not allowed"
	}
	return fmt.Sprintf("kernel.perf_event_paranoid is %d", level)
}

func sysctl(name string) (int, error) {
	b, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func executable() string {
	exe, err := os.Executable()
	if err != nil {
		return "energyprof"
	}
	return exe
}
