package counting

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/uncore"
)

// By is what counters are summed up by.
type By int

// The places.
const (
	Total By = iota
	Socket
	Die
	Core
	CPU
	Thread
)

// State is whether an event was counted. Of those that are summed the last one in this
// order decides.
type State int

// The states.
const (
	Counted      State = iota
	NotCounted         // it never had a counter, or nothing ran that it could have counted
	NotPermitted       // it happens in the kernel, where this user may not count
	Busy               // somebody else holds the PMU
	NotSupported       // the kernel or the hardware knows no such event
)

// Place is where something was counted. What does not apply is -1.
type Place struct{ Socket, Die, Core, CPU, Thread int }

// Row is an event at one place.
type Row struct {
	Term  int // index of uncore.Events.Terms
	Where Place
	// Value is what would have been counted, had each counter run all the time that it was
	// enabled; 0 unless State is Counted.
	Value float64
	// Share is the part of that time in which the counters ran, 0 to 1: less than 1 where
	// events took turns.
	Share    float64
	State    State
	Err      error // why it is not counted, where that is known
	Counters int   // how many are summed
	UserOnly bool  // of user code alone: this user may not count in the kernel
}

// Aggregate sums the counters of events up by place: one row for each event, of which there are
// terms, at each place, in order of events and then of places. cpus says where the CPUs are.
// A counter that follows a thread is at no CPU: of its row all but Thread is -1.
func Aggregate(terms int, counters []uncore.Counter, counts []perfring.Count, by By, cpus []pmu.CPU) []Row {
	where := make(map[int]pmu.CPU, len(cpus))
	for _, c := range cpus {
		where[c.ID] = c
	}
	type key struct {
		term  int
		place Place
	}
	sums := map[key]*sum{}
	for i, c := range counters {
		k := key{c.Term, placeOf(c, by, where)}
		s := sums[k]
		if s == nil {
			s = &sum{row: Row{Term: c.Term, Where: k.place}}
			sums[k] = s
		}
		s.add(c, counts[i])
	}
	var rows []Row
	seen := make([]bool, terms)
	for k, s := range sums {
		seen[k.term] = true
		rows = append(rows, s.total())
	}
	for term, ok := range seen {
		if !ok { // all of its threads had ended, or all of its CPUs were offline
			rows = append(rows, Row{Term: term, Where: nowhere, State: NotCounted})
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(a.Term-b.Term, a.Where.compare(b.Where))
	})
	return rows
}

var nowhere = Place{-1, -1, -1, -1, -1}

func (p Place) compare(q Place) int {
	return cmp.Or(p.Socket-q.Socket, p.Die-q.Die, p.Core-q.Core, p.CPU-q.CPU, p.Thread-q.Thread)
}

func placeOf(c uncore.Counter, by By, where map[int]pmu.CPU) Place {
	p := nowhere
	if by == Thread {
		p.Thread = c.Thread
	}
	cpu, ok := where[c.CPU]
	if by == Total || by == Thread || c.CPU < 0 || !ok {
		return p
	}
	p.Socket = cpu.Package
	if by >= Die {
		p.Die = cpu.Die
	}
	if by >= Core {
		p.Core = cpu.Core
	}
	if by >= CPU {
		p.CPU = cpu.ID
	}
	return p
}

// sum is a row in the making.
type sum struct {
	row              Row
	tasks            []taskTime
	value            float64 // of the CPUs' counters, each scaled by its own times
	enabled, running float64 // ns, of all counters that were enabled
	starved          int     // counters that were enabled and never ran
}

// taskTime is the counters of a thread. On a machine with several kinds of core it has one for each,
// which run in turn as the thread moves: together they are one counter.
type taskTime struct {
	thread                  int
	value, enabled, running float64
}

func (s *sum) add(c uncore.Counter, count perfring.Count) {
	s.row.Counters++
	s.row.UserOnly = s.row.UserOnly || c.UserOnly
	if c.Err != nil {
		if state := stateOf(c.Err); state > s.row.State {
			s.row.State, s.row.Err = state, c.Err
		}
		return
	}
	value, enabled, running := float64(count.Value), float64(count.Enabled), float64(count.Running)
	if c.Thread >= 0 {
		i := slices.IndexFunc(s.tasks, func(t taskTime) bool { return t.thread == c.Thread })
		if i < 0 {
			i = len(s.tasks)
			s.tasks = append(s.tasks, taskTime{thread: c.Thread})
		}
		t := &s.tasks[i]
		t.value += value
		t.enabled = max(t.enabled, enabled)
		t.running = min(t.running+running, t.enabled)
		return
	}
	s.enabled += enabled
	s.running += running
	if scaled, ok := count.Scaled(); ok {
		s.value += scaled
	} else if enabled > 0 {
		s.starved++
	}
}

func stateOf(err error) State {
	switch {
	case errors.Is(err, uncore.ErrBusy):
		return Busy
	case errors.Is(err, uncore.ErrKernelOnly):
		return NotPermitted
	}
	return NotSupported
}

func (s *sum) total() Row {
	row := s.row
	if row.State != Counted {
		return row
	}
	value, enabled, running := s.value, s.enabled, s.running
	// A thread whose short time no counter saw is taken to be like the others.
	var tasks taskTime
	for _, t := range s.tasks {
		enabled += t.enabled
		running += t.running
		if t.running > 0 {
			value += t.value * t.enabled / t.running
			tasks.running += t.enabled
		}
		tasks.enabled += t.enabled
	}
	if tasks.running > 0 {
		value *= tasks.enabled / tasks.running
	}
	switch {
	case running == 0:
		row.State = NotCounted
	case s.starved > 0:
		row.State = NotCounted
		row.Err = fmt.Errorf("%d of its %d counters never had a turn", s.starved, row.Counters)
	default:
		row.Value, row.Share = value, min(1, running/enabled)
	}
	return row
}
