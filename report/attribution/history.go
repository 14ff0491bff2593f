package attribution

import (
	"cmp"
	"math"
	"slices"
)

// history is what a regression keeps of a group of series: slices of CPU time
// until there are enough of them to tell the counter's lag, then intervals.
type history struct {
	functions *functions
	series    []*seriesHistory
	slices    []slice
	others    []slice // of KeyOther, until they are placed
	changes   changes
	changed   int   // slices that changes has seen
	lag       int64 // ns by which the counter is behind the CPU time
	lagKnown  bool
	limit     int   // of slices, see maxSlices
	next      int   // number of slices at which settle has something to do again
	settled   int64 // what is before has been processed
	restUntil int64 // see draw
}

// seriesHistory is what a regression keeps of one series.
type seriesHistory struct {
	track    *track
	readings []reading // the first is the end of the newest row
	rows     rows
	cut      cutter
	begun    bool // the time before the first reading has been skipped
	taken    int  // slices of the group that are in rows or carried

	open   row   // what the next row has so far; its entries are in cut.sum
	inOpen int   // intervals that are in open
	folded int64 // end of the part of the next interval that is in open
}

// maxSlices bounds the memory of slices: 16 MiB for each group, or what comes in
// readingDelay if that is more and readings stay away. It is many times what the lag
// needs.
const maxSlices = 1 << 19

func newHistory(g *group, f *functions, core []int32) *history {
	h := &history{functions: f, limit: maxSlices, changes: changes{pairs: map[[2]int32]*pair{}, drawn: f.sampled != nil}}
	cpus := g.tracks[0].CPUs
	for _, t := range g.tracks {
		t.history = newSeriesHistory(t, newCutter(f, cpus, core))
		h.series = append(h.series, t.history)
	}
	return h
}

func newSeriesHistory(t *track, c cutter) *seriesHistory {
	return &seriesHistory{track: t, rows: rows{pooled: 1}, cut: c, folded: math.MinInt64}
}

// newCutter makes a cutter for the CPUs of a series.
func newCutter(f *functions, cpus []int, core []int32) cutter {
	last := cpus[len(cpus)-1]
	c := cutter{functions: f, cpus: len(cpus), running: make([]running, last+1)}
	if f.sampled != nil {
		c.cpus = 1 // nothing is known of company
		return c
	}
	if len(core) <= last {
		return c
	}
	threads := map[int32][]int32{} // by core
	for _, cpu := range cpus {
		threads[core[cpu]] = append(threads[core[cpu]], int32(cpu))
	}
	if len(threads) == len(cpus) {
		return c
	}
	c.siblings = make([][]int32, last+1)
	for _, cpu := range cpus {
		c.siblings[cpu] = slices.DeleteFunc(slices.Clone(threads[core[cpu]]), func(d int32) bool { return int(d) == cpu })
	}
	return c
}

// probe is a cutter for a try, which does not ask what runs beside what.
func (c *cutter) probe() cutter {
	return cutter{functions: c.functions, running: make([]running, len(c.running)), rate: c.rate}
}

// busy keeps a slice, without the part of it that comes too late.
func (h *history) busy(s slice) {
	if s.start < h.settled && s.end > s.start {
		s.weight *= float64(max(0, s.end-h.settled)) / float64(s.end-s.start)
		s.start = h.settled
	}
	switch {
	case s.start < h.settled:
	case s.weight == 0 && h.functions.sampled != nil:
		h.slices = append(h.slices, s)
	case s.weight == 0:
	case s.key == KeyOther:
		h.others = append(h.others, s)
	default:
		h.slices = append(h.slices, s)
	}
}

func (h *history) sort() {
	slices.SortStableFunc(h.slices, func(a, b slice) int { return cmp.Compare(a.start, b.start) })
}

// settle makes rows of what is before until, when slices take too much memory.
func (h *history) settle(until int64) {
	if len(h.slices)+len(h.others) < max(h.limit, h.next) {
		return
	}
	h.process(until)
	if len(h.slices)+len(h.others) >= h.limit {
		// A counter that fell silent must not cost memory.
		for _, s := range h.series {
			s.fold(h.slices, h.lag, until-readingDelay-h.lag)
		}
		h.forget()
	}
	h.next = len(h.slices) + len(h.others) + h.limit/2
}

// process makes rows of all intervals that end before until. No slice that begins
// before it may come later.
func (h *history) process(until int64) {
	h.sort()
	h.place(until)
	h.settled = until
	rate := h.rate()
	for _, s := range h.series {
		s.cut.rate = rate
	}
	for h.changed < len(h.slices) && h.slices[h.changed].start < until {
		switch s := h.slices[h.changed]; {
		case h.functions.sampled != nil:
			h.draw(s)
		case s.key >= 0:
			h.changes.sample(s, h.functions.unit(h.functions.of(s.key), s.cpu))
		case s.key == KeyLost:
			h.changes.miss(s)
		case s.weight > 0.5*rate*float64(s.end-s.start):
			h.changes.other(s)
		}
		h.changed++
	}
	if !h.lagKnown {
		h.lag, h.lagKnown = h.findLag(), true
	}
	for _, s := range h.series {
		s.process(h.slices, h.lag, until)
	}
	h.forget()
}

// forget lets go of the slices that nobody needs any more.
func (h *history) forget() {
	done := h.changed
	for _, s := range h.series {
		done = min(done, s.taken)
	}
	h.slices = h.slices[:copy(h.slices, h.slices[done:])]
	h.changed -= done
	for _, s := range h.series {
		s.taken -= done
	}
}

// process makes the rows of one series.
func (s *seriesHistory) process(all []slice, lag, until int64) {
	n := 0
	if s.begun {
		n = 1
	}
	for n < len(s.readings) && s.readings[n].t-lag <= until {
		r := s.readings[n]
		if s.begun {
			last := s.readings[n-1]
			s.take(all, max(last.t-lag, s.folded), r.t-lag)
			s.open.joules += r.joules - last.joules
			s.inOpen++
			if s.inOpen >= s.rows.pooled {
				s.close()
			}
		} else {
			s.taken = len(all) - len(s.cut.skip(r.t-lag, all[s.taken:]))
			s.begun = true
		}
		n++
	}
	// The last reading is the beginning of the next row.
	if n > 1 {
		s.readings = append(s.readings[:0], s.readings[n-1:]...)
	}
}

// take adds what ran in [from, to) to the open row.
func (s *seriesHistory) take(all []slice, from, to int64) {
	w, left := s.cut.row(from, to, all[s.taken:])
	s.taken = len(all) - len(left)
	s.open.add(w)
}

// fold takes what is before until although the reading after it has not come.
func (s *seriesHistory) fold(all []slice, lag, until int64) {
	switch {
	case !s.begun:
		s.taken = len(all) - len(s.cut.skip(until, all[s.taken:]))
	case until > max(s.folded, s.readings[0].t-lag):
		s.take(all, max(s.folded, s.readings[0].t-lag), until)
		s.folded = until
	}
}

// close makes a row of what is open.
func (s *seriesHistory) close() {
	if s.inOpen == 0 {
		return
	}
	s.rows.add(s.open, &s.cut.sum)
	s.rows.divided += s.cut.divided / float64(s.rows.pooled)
	s.cut.divided = 0
	s.cut.sum.clear()
	s.open, s.inOpen = row{}, 0
	if s.rows.full() {
		s.rows.halve(&s.cut.sum)
	}
}

// finish makes the last rows.
func (h *history) finish() {
	h.process(math.MaxInt64)
	for _, s := range h.series {
		s.close()
	}
	h.slices, h.others = nil, nil
}
