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

// sideband is the flags of the one event per CPU and thread that tells about
// processes: fork, exec, comm, mmap and exit.
const sideband = perfring.FlagMmap | perfring.FlagMmap2 | perfring.FlagComm | perfring.FlagCommExec | perfring.FlagTask

// sidebandEvent is the index of the event that carries only the sideband. It
// exists while a delay keeps the sampling events off.
const sidebandEvent = -1

// attr builds the attributes of event index for pid (-1 for every process).
func (r *recording) attr(index, pid int) perfring.Attr {
	a := perfring.Attr{
		SampleFormat: perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID |
			perfring.SampleTime | perfring.SampleCPU | perfring.SamplePeriod,
		ReadFormat: perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning | perfring.ReadID,
		Flags:      r.flags(index, pid) | perfring.FlagWatermark,
		ClockID:    unix.CLOCK_MONOTONIC,
		Wakeup:     uint32(r.opt.Pages * pageSize * watermarkPercent / 100),
	}
	if r.features.readLost {
		a.ReadFormat |= perfring.ReadLost
	}
	if index == sidebandEvent {
		a.Type = unix.PERF_TYPE_SOFTWARE
		a.Config = unix.PERF_COUNT_SW_DUMMY
		a.Sample = 1
	} else {
		e := r.opt.Events[index]
		a.Type, a.Config, a.Config1, a.Config2, a.Config3, a.Config4 = e.Type, e.Config, e.Config1, e.Config2, e.Config3, e.Config4
		a.BPType, a.PreciseIP = e.BPType, e.Precise
		a.Sample = e.Period
		if e.Period == 0 {
			a.Sample = e.Frequency
			a.Flags |= perfring.FlagFreq
		}
		a.SampleFormat |= e.SampleFormat
		if r.opt.Callchains {
			a.SampleFormat |= perfring.SampleCallchain
		}
		a.Flags |= perfring.Flags(e.Flags())
		if e.Leader != nil {
			a.Flags &^= ofLeader
		}
	}
	if a.SampleFormat&perfring.SampleCallchain != 0 && a.Flags&perfring.FlagExcludeKernel != 0 {
		// Newer kernels (seen on Debian's 6.12.117) want the right to sample the
		// kernel for a callchain that could lead into it, even of user code.
		a.Flags |= perfring.FlagExcludeCallchainKernel
	}
	if index == r.sidebandIndex() {
		a.Flags |= sideband
		if r.features.buildID {
			a.Flags |= perfring.FlagBuildID
		}
	}
	return a
}

// flags are those that an event and the leader of its group have in common.
func (r *recording) flags(index, pid int) perfring.Flags {
	f := perfring.FlagDisabled | perfring.FlagSampleIDAll | perfring.FlagUseClockID
	if pid >= 0 {
		// An inherited event with cpu = -1 cannot be mapped, hence one per CPU.
		f |= perfring.FlagInherit
	}
	if index != sidebandEvent && r.opt.ExcludeUser {
		f |= perfring.FlagExcludeUser
	}
	if index != sidebandEvent && r.opt.ExcludeKernel {
		f |= perfring.FlagExcludeKernel
	}
	if r.features.userOnly {
		f |= perfring.FlagExcludeKernel | perfring.FlagExcludeHV
	}
	// With a delay the sampling events wait for it; the sideband never does.
	if r.command != nil && (r.opt.Delay == 0 || index == sidebandEvent) {
		f |= perfring.FlagEnableOnExec
	}
	return f
}

// sidebandIndex is the event that carries the sideband: the clock, except that
// with a delay an event that counts nothing carries it from the start.
func (r *recording) sidebandIndex() int {
	if r.opt.Delay > 0 {
		return sidebandEvent
	}
	return 0
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
// whose name a reader of the records takes what they say. Those of energy stamps, which are
// no records of the recording, are the clock's: a LOST record is in the name of whichever event
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
		if i == sidebandEvent {
			i = len(r.opt.Events)
		}
		if all[i].IDs == nil {
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
		for _, o := range opened {
			o.Close()
		}
		if named := (*OpenError)(nil); errors.As(err, &named) {
			return named
		}
		return &OpenError{Event: r.eventName(index), PID: pid, CPU: cpu, Err: err}
	}
	for _, index := range r.indices(cpu) {
		o, err := r.openEvent(index, pid, cpu)
		if err != nil {
			return fail(index, err)
		}
		opened = append(opened, o)
		if ring == nil {
			if ring, err = r.mapRing(o.Event, cpu); err != nil {
				return fail(index, err)
			}
		}
		if err := o.writeTo(ring.owner); err != nil {
			return fail(index, fmt.Errorf("sharing the ring: %w", err))
		}
	}
	r.rings[cpu] = ring
	for _, o := range opened {
		for _, e := range o.both() {
			if err := r.decoder.Add(&e.Attr, e.ID); err != nil {
				return fmt.Errorf("decoding %s: %w", r.eventName(o.index), err)
			}
			r.byID[e.ID] = identity{event: o.index, pid: pid}
		}
	}
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
		switch {
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
