package pebs

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// ofLevel tells whether another precise level may be answered otherwise.
func ofLevel(err error) bool {
	for _, errno := range []unix.Errno{unix.EINVAL, unix.EOPNOTSUPP, unix.ENOENT, unix.ENODATA, unix.ENODEV} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// why says in plain English what the kernel means by err.
func (t *trial) why(c *candidate, level uint8, err error) string {
	var a perfring.Attr
	if refused := (*perfring.OpenError)(nil); errors.As(err, &refused) {
		a = refused.Attr
	}
	switch {
	case errors.Is(err, unix.EOPNOTSUPP) && level > 0:
		if greatest, ok := t.maxPrecise(c.pmu.Name); ok && greatest < level {
			return fmt.Sprintf("the highest precise level of %s is %d (caps/max_precise)", c.pmu.Name, greatest)
		}
		return "the PMU has no samples as precise as that"
	case errors.Is(err, unix.EINVAL) && a.Flags&perfring.FlagFreq != 0 && a.Sample > t.maxRate():
		return fmt.Sprintf("the kernel takes no more than %d samples a second (kernel.perf_event_max_sample_rate), and %d are wanted", t.maxRate(), a.Sample)
	case errors.Is(err, unix.EINVAL) && strings.HasPrefix(c.pmu.Name, "ibs_"):
		return t.whyNotIBS(c, a, err)
	case errors.Is(err, unix.EINVAL) && c.kind == Breakpoints && a.Flags&perfring.FlagExcludeKernel != 0 && int64(a.Config1) < 0:
		return "the address is the kernel's, which is left out"
	case errors.Is(err, unix.EINVAL) && c.kind == Breakpoints:
		return "the processor has no breakpoint like this: 1, 2, 4 or 8 bytes, aligned to that, and x86 has none on reads alone"
	case errors.Is(err, unix.EINVAL) && level > 0:
		return "no counter of the PMU takes the event with that precision"
	case errors.Is(err, unix.ENODATA):
		return "loads have their data sources only beside " + auxAlias + ", and sysfs names none"
	case errors.Is(err, unix.ENOSPC) && c.kind == Breakpoints:
		return "the processor's debug registers are all in use"
	case errors.Is(err, unix.ENOENT) && level > 0 && c.pmu.Name != "":
		return "the processor has nothing that samples this event with precision"
	}
	return explain(err)
}

// whyNotIBS knows what AMD's driver refuses (perf_ibs_init, arch/x86/events/amd/ibs.c).
func (t *trial) whyNotIBS(c *candidate, a perfring.Attr, err error) string {
	const excluding = perfring.FlagExcludeKernel | perfring.FlagExcludeUser | perfring.FlagExcludeHV
	_, filters := c.pmu.Format[ibsExcludes]
	switch {
	case a.Flags&excluding != 0 && !filters:
		return "IBS samples user space and the kernel alike; from Linux 6.14 on the kernel can pass over the samples of one"
	case a.Flags&excluding != 0 && a.Config2 == 0:
		return "IBS samples user space and the kernel alike, unless " + ibsExcludes + "=1 is among the event's terms"
	case a.Flags&perfring.FlagFreq == 0 && a.Sample%16 != 0:
		return fmt.Sprintf("the period of IBS is a multiple of 16, and %d is none", a.Sample)
	case !t.opt.AllCPUs:
		whole := question{attr: a, pid: -1, cpu: t.online[0]}
		whole.attr.Flags &^= perfring.FlagInherit
		if t.ask(whole) == nil {
			c.wholeCPUs = true
			return "before Linux 6.2 IBS samples whole CPUs, and no single processes"
		}
	}
	return explain(err)
}

// explain says what the kernel means by an error of any event.
func explain(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	switch errno {
	case unix.EACCES, unix.EPERM:
		return "this user may not sample it"
	case unix.EOPNOTSUPP:
		return "the PMU has no interrupt to sample with"
	case unix.EINVAL:
		return "the kernel refuses the event, or its combination with what is to be sampled"
	case unix.ENOENT, unix.ENXIO, unix.ENODEV:
		return "this machine has no such event"
	case unix.EBUSY:
		return "somebody else has the PMU to themselves"
	case unix.EMFILE, unix.ENFILE:
		return "too many files are open"
	case unix.ENOSYS:
		return "this kernel has no perf events"
	}
	return errno.Error()
}

// maxRate is the greatest frequency of samples that the kernel takes; without end where it does not say.
func (t *trial) maxRate() uint64 {
	text, err := os.ReadFile(filepath.Join(t.proc, "sys/kernel/perf_event_max_sample_rate"))
	if err != nil {
		return math.MaxUint64
	}
	rate, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return rate
}

// maxPrecise is what the PMU itself says of its precise levels (caps/max_precise of x86,
// since Linux 4.13); ok is false where it does not.
func (t *trial) maxPrecise(name string) (level uint8, ok bool) {
	if name == "" {
		return 0, false
	}
	text, err := os.ReadFile(filepath.Join(t.sys, "bus/event_source/devices", name, "caps/max_precise"))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 8)
	return uint8(n), err == nil
}
