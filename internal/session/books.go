package session

import (
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// account keeps the books of each event while events are opened and closed.
type account struct {
	events []perfring.EventBooks
	lost   map[int]uint64 // by CPU: what events that are closed had lost
}

func newAccount(events []Event) account {
	a := account{events: make([]perfring.EventBooks, len(events)), lost: make(map[int]uint64)}
	for i, e := range events {
		a.events[i] = perfring.EventBooks{Name: e.Name, HasCount: true, HasLost: true}
	}
	return a
}

// settle enters what the kernel counted of an event by its end. ran is how long the
// clock says that the target ran there.
func (r *recording) settle(e openEvent, count perfring.Count, ran time.Duration) {
	if e.index == sidebandEvent {
		return
	}
	b := &r.account.events[e.index]
	b.Lost += count.Lost
	if r.targets != nil && r.targets.redundant[onCPU{uint32(e.PID), e.CPU}] {
		return // what it counted another one counted too
	}
	enabled, running := time.Duration(count.Enabled), time.Duration(count.Running)
	switch {
	case !takesTurns(r.opt.Events[e.index].Type) && (e.leader == nil || !takesTurns(e.leader.Attr.Type)):
		enabled = running // it never waits; the clock of ran was enabled a little earlier
	case !r.systemWide():
		// An event of a task on one CPU is enabled for as long as the task runs on any.
		enabled = max(running, min(enabled, ran))
	}
	b.Counted += count.Value
	b.Enabled += enabled
	b.Running += running
}

// takesTurns tells whether events of a type share hardware that may be too little for all. The kernel
// counts its own itself, and has a debug register for each breakpoint from the start.
func takesTurns(kind uint32) bool {
	return kind != unix.PERF_TYPE_SOFTWARE && kind != unix.PERF_TYPE_TRACEPOINT && kind != unix.PERF_TYPE_BREAKPOINT
}

// settleClosing enters what is known of an event that is about to be closed, or else
// it would be forgotten.
func (r *recording) settleClosing(e openEvent) {
	count, err := e.ReadCount()
	if err != nil {
		r.unread(e)
		return
	}
	r.account.lost[e.CPU] += count.Lost
	r.settle(e, count, time.Duration(count.Running))
}

// unread notes that what the kernel counted of an event is not complete.
func (r *recording) unread(e openEvent) {
	if e.index != sidebandEvent {
		b := &r.account.events[e.index]
		b.HasCount, b.HasLost = false, false
	}
}

// readEvent is an open event and what the kernel counted of it.
type readEvent struct {
	openEvent
	count perfring.Count
}

// readAll reads every open event, and settles its books.
func (r *recording) readAll() []readEvent {
	all := make([]readEvent, 0, len(r.events))
	type place struct{ pid, cpu int }
	ran := make(map[place]time.Duration)
	for _, e := range r.events {
		count, err := e.ReadCount()
		if err != nil {
			r.unread(e)
			continue
		}
		all = append(all, readEvent{e, count})
		if e.index == 0 {
			ran[place{e.PID, e.CPU}] = time.Duration(count.Running)
		}
	}
	for _, e := range all {
		r.settle(e.openEvent, e.count, ran[place{e.PID, e.CPU}])
	}
	return all
}

// booked returns the books at the end of the recording.
func (r *recording) booked() []perfring.EventBooks {
	all := r.account.events
	for i := range all {
		b := &all[i]
		if b.HasLost = b.HasLost && r.features.readLost; !b.HasLost {
			b.Lost = 0
		}
		if r.targets != nil && r.targets.everyone {
			b.HasCount = false // it is of all processes
		}
		if !b.HasCount {
			b.Counted, b.Enabled, b.Running = 0, 0, 0
		}
	}
	return all
}

// settleLosses compares what the kernel counted with what the rings told: a
// LOST record is written only when a later record finds room, so what was lost
// last is in no ring.
func (r *recording) settleLosses() {
	lost := maps.Clone(r.account.lost)
	for _, e := range r.readAll() {
		lost[e.CPU] += e.count.Lost
		if e.index == 0 {
			r.result.Ran += time.Duration(e.count.Running)
		}
	}
	for cpu, n := range lost {
		if n <= r.lostSeen[cpu] {
			continue
		}
		rec := &perfring.Lost{Lost: n - r.lostSeen[cpu]}
		rec.Type = perfring.RecordLost
		rec.Time = uint64(r.result.End)
		r.books.Count(rec, cpu)
		r.sink.Record(rec, cpu, -1)
	}
}
