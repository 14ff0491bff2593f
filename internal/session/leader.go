package session

import (
	"github.com/energyprof/energyprof/perfring"
)

// openEvent is an open event, its place in Options.Events, and the event that leads
// its group. Of a group the leader is what is enabled and disabled: the member was
// opened enabled, and counts while its leader does.
type openEvent struct {
	*perfring.Event
	index  int
	leader *perfring.Event // nil without
}

// head is the event that is enabled and disabled.
func (e openEvent) head() *perfring.Event {
	if e.leader != nil {
		return e.leader
	}
	return e.Event
}

// both are the event and, if there is one, its leader.
func (e openEvent) both() []*perfring.Event {
	if e.leader != nil {
		return []*perfring.Event{e.Event, e.leader}
	}
	return []*perfring.Event{e.Event}
}

// Enable starts the event, with its leader.
func (e openEvent) Enable() error { return e.head().Enable() }

// Disable stops the event, with its leader.
func (e openEvent) Disable() error { return e.head().Disable() }

// Close closes the event, then its leader.
func (e openEvent) Close() {
	for _, one := range e.both() {
		one.Close()
	}
}

// writeTo lets the records of the event go to the ring of owner. A leader that takes no
// samples has records too: since Linux 6.16 a group is throttled as a whole, and that is
// told in the leader's name alone (perf_event_throttle in kernel/events/core.c).
func (e openEvent) writeTo(owner *perfring.Event) error {
	for _, one := range e.both() {
		if one == owner {
			continue
		}
		if err := one.SetOutput(owner); err != nil {
			return err
		}
	}
	return nil
}

// ofLeader are the flags that a group's leader has and its members do not.
const ofLeader = perfring.FlagDisabled | perfring.FlagEnableOnExec | perfring.FlagPinned | perfring.FlagExclusive

// leaderAttr builds the attributes of the leader of event index for pid. It takes no
// samples, so it is not precise either: x86 refuses that. All of a group have one clock.
func (r *recording) leaderAttr(index, pid int) perfring.Attr {
	e := r.opt.Events[index]
	member := r.attr(index, pid)
	return perfring.Attr{
		Type: e.Leader.Type, Config: e.Leader.Config, Config1: e.Leader.Config1, Config2: e.Leader.Config2,
		Config3: e.Leader.Config3, Config4: e.Leader.Config4, BPType: e.Leader.BPType,
		SampleFormat: perfring.SampleIdentifier | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU,
		ReadFormat:   member.ReadFormat,
		ClockID:      member.ClockID,
		Flags:        r.flags(index, pid) | perfring.Flags(e.Leader.Flags()) | perfring.Flags(e.Flags())&ofLeader,
	}
}

// openEvent opens event index, and before it the leader of its group.
func (r *recording) openEvent(index, pid, cpu int) (openEvent, error) {
	o := openEvent{index: index}
	var err error
	if index != sidebandEvent && r.opt.Events[index].Leader != nil {
		a := r.leaderAttr(index, pid)
		if o.leader, err = perfring.Open(&a, pid, cpu, nil); err != nil {
			e := r.opt.Events[index]
			return o, &OpenError{Event: e.Leader.Name + " to lead the group of " + e.Name, PID: pid, CPU: cpu, Err: err}
		}
	}
	if o.Event, err = r.openAlone(index, pid, cpu, o.leader); err == nil {
		// At once: what children inherit before that has no program, and is not given one.
		if err = r.runProgram(o); err != nil {
			o.Event.Close()
		}
	}
	if err != nil && o.leader != nil {
		o.leader.Close()
	}
	return o, err
}
