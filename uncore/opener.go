package uncore

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// opener opens events one by one.
type opener struct {
	machine  Machine
	target   Target
	counters *Counters
	group    int // number of the next group
}

// open opens a group at each of its sites.
func (o *opener) open(g pmu.Group, where []site) error {
	for _, p := range where {
		err := o.openAt(g.Events, p)
		var misfit *MisfitError
		if g.Weak && errors.As(err, &misfit) {
			for _, ev := range g.Events {
				if err = o.openAt([]pmu.Event{ev}, p); err != nil {
					break
				}
			}
		}
		if err != nil && !o.gone(p, err) {
			return err
		}
	}
	if len(where) == 0 {
		// A kind of core that is not among the CPUs to count on.
		for _, ev := range g.Events {
			o.counters.list = append(o.counters.list, Counter{Term: ev.Term, PMU: ev.PMU, CPU: -1, Thread: -1, Group: o.group,
				Err: fmt.Errorf("%w on the CPUs that are counted on: it is an event of CPUs %s", ErrNotSupported, pmu.FormatCPUList(ev.CPUs))})
		}
		o.group++
	}
	return nil
}

// openAt opens a group at one site. On an error nothing of it is open or listed.
func (o *opener) openAt(events []pmu.Event, p site) error {
	g := openGroup{onExec: o.target.OnExec && p.thread >= 0}
	list := o.counters.list
	listed := len(list)
	for i, ev := range events {
		c := Counter{Term: ev.Term, PMU: ev.PMU, CPU: p.cpu, Thread: p.thread, Group: o.group}
		var leader *perfring.Event
		if len(g.events) > 0 {
			leader = g.events[0]
		}
		e, err := o.openOne(ev, &c, p, leader, len(events) > 1)
		if leader != nil && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSPC)) {
			if misfit := o.misfit(events[:i+1], p, err); misfit != nil {
				g.close()
				return misfit
			}
		}
		switch {
		case p.thread < 0 && errors.Is(err, unix.ENODEV) && o.offline(p.cpu):
			g.close()
			return err
		case err == nil:
			g.events = append(g.events, e)
			g.at = append(g.at, listed+i)
		case refused(err) != nil:
			c.Err = fmt.Errorf("%w: %s", refused(err), answer(err))
		case errors.Is(err, ErrKernelOnly):
			c.Err = err
		default:
			g.close()
			return &OpenError{Event: ev.Name, Thread: p.thread, CPU: p.cpu, Err: err}
		}
		list = append(list, c)
	}
	o.counters.list = list
	if len(g.events) > 0 {
		o.counters.groups = append(o.counters.groups, g)
	}
	o.group++
	return nil
}

// openOne opens one event, without the kernel where only that is allowed.
func (o *opener) openOne(ev pmu.Event, c *Counter, p site, leader *perfring.Event, grouped bool) (*perfring.Event, error) {
	a := attr(ev)
	if grouped {
		a.ReadFormat |= perfring.ReadGroup
	}
	if p.thread >= 0 && o.target.Inherit && !ev.NoInherit {
		a.Flags |= perfring.FlagInherit
	}
	if leader == nil { // which the members follow
		a.Flags |= perfring.FlagDisabled
		if p.thread >= 0 && o.target.OnExec {
			a.Flags |= perfring.FlagEnableOnExec
		}
	}
	e, denied := perfring.Open(&a, p.thread, p.cpu, leader)
	mayDrop := p.thread >= 0 && !ev.ExcludeUser && !ev.ExcludeKernel
	if denied == nil || !mayDrop || !errors.Is(denied, unix.EACCES) && !errors.Is(denied, unix.EPERM) {
		return e, denied
	}
	// As perf does it where kernel.perf_event_paranoid forbids a user to count in the kernel.
	a.Flags |= perfring.FlagExcludeKernel | perfring.FlagExcludeHV
	e, err := perfring.Open(&a, p.thread, p.cpu, leader)
	switch {
	case errors.Is(err, unix.EINVAL):
		return nil, denied // msr/tsc/ cannot tell the kernel apart: for want of rights it is not counted at all
	case err != nil:
		return nil, err // the kernel looks at rights before it looks whether there is such an event
	}
	if kernelOnly(ev) {
		e.Close()
		return nil, ErrKernelOnly
	}
	c.UserOnly = !ev.Clock // which goes on in the kernel, whatever is excluded
	return e, nil
}

// refused tells why an event cannot be counted though others can; nil if err is
// none of those reasons.
func refused(err error) error {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.EOPNOTSUPP, unix.ENODEV, unix.ENXIO, unix.ENOSYS, unix.EINVAL, unix.E2BIG} {
		if errors.Is(err, errno) {
			return ErrNotSupported
		}
	}
	// ENOSPC is the answer where all breakpoint registers are in use.
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOSPC) {
		return ErrBusy
	}
	return nil
}

// misfit tells why the last of events cannot be in the group that it should be in, though it
// could be counted alone; nil if it is refused for itself.
func (o *opener) misfit(events []pmu.Event, p site, answer error) *MisfitError {
	last := events[len(events)-1]
	alone, err := o.openOne(last, &Counter{}, p, nil, false)
	if err != nil {
		return nil
	}
	alone.Close()
	misfit := &MisfitError{Err: answer}
	for _, ev := range events {
		misfit.Members = append(misfit.Members, ev.Name)
	}
	misfit.Why = "the PMU has not enough counters to count them at the same time"
	var members []Member
	for _, ev := range events {
		members = append(members, Member{Name: ev.Name, PMU: ev.PMU, Config: ev.Config})
		if ev.Type != last.Type && hardware(ev) && hardware(last) {
			misfit.Why = fmt.Sprintf("%s is counted by another PMU", ev.Name)
			return misfit
		}
	}
	if never := o.machine.CheckGroup(members); never != nil {
		misfit.Why = never.Error()
	}
	return misfit
}

// hardware tells whether an event takes a counter of a PMU. Software events, tracepoints
// and breakpoints go into any group.
func hardware(ev pmu.Event) bool {
	switch ev.Type {
	case unix.PERF_TYPE_SOFTWARE, unix.PERF_TYPE_TRACEPOINT, unix.PERF_TYPE_BREAKPOINT:
		return false
	}
	return true
}

// gone tells whether err is of a thread that has ended, or of a CPU that went offline.
func (o *opener) gone(p site, err error) bool {
	if p.thread >= 0 {
		return errors.Is(err, unix.ESRCH)
	}
	return errors.Is(err, unix.ENODEV) && o.offline(p.cpu)
}

func (o *opener) offline(cpu int) bool {
	online, err := o.machine.fs().OnlineCPUs()
	return err == nil && !slices.Contains(online, cpu)
}
