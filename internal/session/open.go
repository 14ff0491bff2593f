package session

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// OpenError names the event that the kernel refused.
type OpenError struct {
	Event string
	PID   int // -1: every process of the CPU
	CPU   int
	Err   error
}

func (e *OpenError) Error() string {
	who := "all processes"
	if e.PID >= 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	cause := e.Err.Error()
	if kernel := (*perfring.OpenError)(nil); errors.As(e.Err, &kernel) {
		// What was asked for is named already.
		cause = fmt.Sprintf("%v (%s)", kernel.Errno, unix.ErrnoName(kernel.Errno))
	}
	return fmt.Sprintf("opening %s for %s on CPU %d: %s", e.Event, who, e.CPU, cause)
}

func (e *OpenError) Unwrap() error { return e.Err }

// features are parts of the interface that older kernels or this user's rights
// lack. They are found out with the first event and hold for all.
type features struct {
	buildID  bool // 5.12: MMAP2 records carry the build id
	readLost bool // 6.0: PERF_FORMAT_LOST
	userOnly bool // perf_event_paranoid forbids samples in the kernel
}

// indices are the events to open on a CPU, for each thread; the sideband first.
func (r *recording) indices(cpu int) []int {
	var out []int
	if r.opt.Delay > 0 {
		out = append(out, sidebandEvent)
	}
	for i, e := range r.opt.Events {
		if e.CPUs == nil || slices.Contains(e.CPUs, cpu) {
			out = append(out, i)
		}
	}
	return out
}

// descriptors is how many files all events of a thread are, on each of cpus.
func (r *recording) descriptors(cpus []int) int {
	n := 0
	for _, cpu := range cpus {
		for _, index := range r.indices(cpu) {
			n++
			if index != sidebandEvent && r.opt.Events[index].Leader != nil {
				n++
			}
		}
	}
	return n
}

// checkOpened refuses a recording without one of its events, for which none of the CPUs was there.
func (r *recording) checkOpened() error {
	for i, e := range r.opt.Events {
		if !slices.ContainsFunc(r.events, func(o openEvent) bool { return o.index == i }) {
			return fmt.Errorf("%s counts on CPUs %s, and none of them is recorded", e.Name, pmu.FormatCPUList(e.CPUs))
		}
	}
	return nil
}

// opened lists what was opened. The ids of a leader are among those of its member, in
// whose name a reader of the records takes what they say. Those of energy stamps and of walks of stacks,
// which are no records of the events, are the clock's: a LOST record is in the name of whichever event
// finds the room, and perf refuses a file with an id that it does not know.
func (r *recording) opened() []Opened {
	all := make([]Opened, len(r.opt.Events), len(r.opt.Events)+1)
	for i, e := range r.opt.Events {
		all[i].Name = e.Name
	}
	if r.sidebandIndex() == sidebandEvent {
		all = append(all, Opened{Name: r.eventName(sidebandEvent)})
	}
	for id, of := range r.byID {
		i := of.event
		switch i {
		case StackEvent:
			all[0].IDs = append(all[0].IDs, id)
			continue
		case sidebandEvent:
			i = len(r.opt.Events)
		}
		if all[i].Attr.Flags == 0 {
			all[i].Attr = r.attr(of.event, of.pid)
		}
		all[i].IDs = append(all[i].IDs, id)
	}
	for id := range r.stampID {
		all[0].IDs = append(all[0].IDs, id)
	}
	for i := range all {
		slices.Sort(all[i].IDs)
	}
	return all
}

func (r *recording) eventName(index int) string {
	if index == sidebandEvent {
		return "dummy"
	}
	return r.opt.Events[index].Name
}

// openOn opens all events for pid on cpu and lets them write to the CPU's
// ring. On an error nothing of it stays open.
func (r *recording) openOn(pid, cpu int) error {
	ring := r.rings[cpu]
	var opened []openEvent
	fail := func(index int, err error) error {
		if ring != nil && r.rings[cpu] == nil {
			ring.ring.Close()
		}
		for _, o := range opened {
			o.Close()
		}
		if named := (*OpenError)(nil); errors.As(err, &named) {
			return named
		}
		return &OpenError{Event: r.eventName(index), PID: pid, CPU: cpu, Err: err}
	}
	for _, index := range r.indices(cpu) {
		var o openEvent
		var err error
		if ring == nil {
			o, ring, err = r.openRing(index, pid, cpu)
		} else {
			o, err = r.openEvent(index, pid, cpu)
		}
		if err != nil {
			return fail(index, err)
		}
		opened = append(opened, o)
		if err := o.writeTo(ring.owner); err != nil {
			return fail(index, fmt.Errorf("sharing the ring: %w", err))
		}
	}
	for _, o := range opened {
		for _, e := range o.both() {
			if err := r.decoder.Add(&e.Attr, e.ID); err != nil {
				return fail(o.index, fmt.Errorf("decoding its records: %w", err))
			}
			r.byID[e.ID] = identity{event: o.index, pid: pid}
		}
	}
	if r.rings[cpu] == nil {
		if err := r.openWalks(ring); err != nil {
			return fail(sidebandEvent, err)
		}
	}
	r.rings[cpu] = ring
	r.events = append(r.events, opened...)
	return nil
}

// openAlone opens one event, in the group of leader unless that is nil. The first one
// of a recording finds out what this kernel and user allow: features it lacks are
// dropped one by one.
func (r *recording) openAlone(index, pid, cpu int, leader *perfring.Event) (*perfring.Event, error) {
	for {
		a := r.attr(index, pid)
		e, err := perfring.Open(&a, pid, cpu, leader)
		if err == nil {
			r.probed = true
			return e, nil
		}
		switch err = noLBR(&a, err); {
		case r.probed:
			return nil, err
		case errors.Is(err, unix.EINVAL) && r.features.readLost:
			r.features.readLost = false
		case errors.Is(err, unix.EINVAL) && r.features.buildID:
			r.features.buildID = false
		case (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) && pid >= 0 &&
			!r.features.userOnly && !r.opt.ExcludeUser && a.Flags&perfring.FlagExcludeKernel == 0:
			r.features.userOnly = true
			r.note(NoteUserOnly, "this user may not sample the kernel: only user code is recorded")
		default:
			return nil, err
		}
	}
}

// openEverywhere opens all events of pid on each of cpus. A CPU that went away
// is passed over.
func (r *recording) openEverywhere(pid int, cpus []int) error {
	for _, cpu := range cpus {
		if err := r.openOn(pid, cpu); err != nil && !r.wentAway(cpu, err) {
			return err
		}
	}
	if len(r.rings) == 0 {
		return fmt.Errorf("none of the CPUs %v is online", cpus)
	}
	return nil
}

// wentAway tells whether err, of opening an event, is that of a CPU that is
// offline. A PMU may answer the same (ENODEV) on one that is not.
func (r *recording) wentAway(cpu int, err error) bool {
	if !errors.Is(err, unix.ENODEV) {
		return false
	}
	online, err := r.opt.FS.OnlineCPUs()
	return err == nil && !slices.Contains(online, cpu)
}
