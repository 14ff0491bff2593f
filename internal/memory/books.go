package memory

import (
	"fmt"

	"github.com/energyprof/energyprof/perfring"
)

// books are the events as the recording kept books of them; what nobody counted is as the table saw it.
func (t *Table) books(books []perfring.EventBooks) []EventRow {
	rows := []EventRow{}
	for i, e := range t.opt.Events {
		row := EventRow{Event: e.Name, Memory: e.Memory, Samples: t.used[i].samples, StandsFor: t.used[i].represented}
		if !e.Clock {
			row.Used = &t.used[i].samples
		}
		if i < len(books) {
			k := &books[i]
			row.Samples, row.StandsFor, row.LostSamples = k.Samples, k.Represented, k.LostSamples
			row.Throttles, row.Unthrottles = k.Throttles, k.Unthrottles
			if k.HasCount {
				enabled, running := k.Enabled.Seconds(), k.Running.Seconds()
				row.Counted, row.EnabledSeconds, row.RunningSeconds = &k.Counted, &enabled, &running
			}
			if k.HasLost {
				row.Lost = &k.Lost
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// notes are what a reader of the tables must know.
func (b *builder) notes(out *Result) []string {
	var notes []string
	note := func(n uint64, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	for i := range out.Events {
		if e := &out.Events[i]; e.incomplete() {
			notes = append(notes, e.Event+": "+e.missing()+": its numbers are of the samples that there are, and nothing is scaled up")
		}
	}
	t := b.t
	note(t.pages.forgotten, "%d times a page was given up because there were more than %d: those that are shown can have had %d samples more, at most",
		t.pages.forgotten, t.pages.max, t.pages.missing)
	note(t.pages.shares.out, "%d accesses of pages are by stacks that were given up, the rarest of more than %d pairs of a page and a stack: their functions and joules are in no page's row",
		t.pages.shares.out, t.pages.shares.max)
	note(t.lines.forgotten, "the coldest cache lines were given up %d times to make room for others: a line's numbers can be short by %d samples at most",
		t.lines.forgotten, t.lines.missing)
	note(t.lines.nameless, "%d accesses of cache lines are by stacks that were given up, the rarest of more than %d of a line or %d of all: their functions and joules are in no line's row",
		t.lines.nameless, callersOfLine, callersOfLines*t.lines.max)
	note(t.crowd, "%d samples came after %d combinations of stack, level and node were known: their nodes, and the functions of some, are unknown",
		t.crowd, t.opt.MaxCells)
	note(t.latencies.rounded, "%d samples came after %d different latencies were known: in 95th percentiles theirs are rounded up, by 1/16 at most",
		t.latencies.rounded, t.latencies.max)
	note(t.latencies.out, "%d samples are in no 95th percentile, because there were too many different latencies", t.latencies.out)
	note(t.spool.out, "%d samples came after %d were kept: the list of samples ends there", t.spool.out, t.spool.max)
	return append(notes, b.nodeNotes()...)
}

// nodeNotes say why nodes are not known.
func (b *builder) nodeNotes() []string {
	n := b.nodes
	var unknown uint64
	for i := range b.t.list {
		if c := &b.t.list[i]; c.node == unknownNode {
			unknown += c.samples
		}
	}
	if n == nil || unknown == 0 || len(n.list) == 0 {
		return nil
	}
	text := fmt.Sprintf("the NUMA node of %d samples is not known", unknown)
	if n.maps != nil && n.maps.several > 0 {
		text += fmt.Sprintf("; of %d questions the answer was a mapping whose pages are on several nodes", n.maps.several)
	}
	notes := []string{text}
	if n.err != nil {
		notes = append(notes, n.err.Error())
	}
	if n.maps != nil && n.maps.refused != nil {
		notes = append(notes, n.maps.refused.Error())
	}
	return notes
}

// incomplete tells whether samples are missing.
func (e *EventRow) incomplete() bool {
	return e.Lost != nil && *e.Lost > 0 || e.LostSamples > 0 || e.Throttles > 0 || e.multiplexed()
}

// multiplexed tells whether the event had its hardware for only a part of the time. The little that switching
// threads takes is not meant.
func (e *EventRow) multiplexed() bool {
	return e.EnabledSeconds != nil && *e.RunningSeconds < 0.995**e.EnabledSeconds
}

// missing says what is.
func (e *EventRow) missing() string {
	text := ""
	add := func(yes bool, format string, args ...any) {
		if !yes {
			return
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, args...)
	}
	add(e.Lost != nil && *e.Lost > 0, "%d records lost", value(e.Lost))
	add(e.LostSamples > 0, "%d samples dropped by the hardware", e.LostSamples)
	add(e.Throttles > 0, "throttled %d times", e.Throttles)
	if e.multiplexed() {
		add(true, "counted %s of the time", percent(*e.RunningSeconds / *e.EnabledSeconds))
	}
	return text
}

func value(p *uint64) uint64 {
	if p == nil {
		return 0
	}
	return *p
}
