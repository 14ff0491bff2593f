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
	limit     int  // of slices, see maxSlices
	silent    bool // readings stayed away for so long that slices were given up
}

// seriesHistory is what a regression keeps of one series.
type seriesHistory struct {
	track    *track
	readings []reading // the first is the end of the newest row
	rows     rows
	cut      cutter
	begun    bool // the time before the first reading has been skipped
	taken    int  // slices of the group that are in rows or carried
}

// maxSlices bounds the memory of slices: 20 MiB for each group. That is many
// times what the lag needs.
const maxSlices = 1 << 19

func newHistory(g *group, f *functions, core []int32) *history {
	h := &history{functions: f, limit: maxSlices, changes: changes{pairs: map[[2]int32]*pair{}}}
	cpus := g.tracks[0].CPUs
	for _, t := range g.tracks {
		t.history = &seriesHistory{track: t, rows: rows{pooled: 1}, cut: newCutter(f, cpus, core)}
		h.series = append(h.series, t.history)
	}
	return h
}

// newCutter makes a cutter for the CPUs of a series. It asks for cores only where
// some of them have several hardware threads.
func newCutter(f *functions, cpus []int, core []int32) cutter {
	last := cpus[len(cpus)-1]
	threads := false
	if len(core) > last {
		seen := map[int32]bool{}
		for _, cpu := range cpus {
			threads = threads || seen[core[cpu]]
			seen[core[cpu]] = true
		}
	}
	if !threads {
		core = nil
	}
	return cutter{functions: f, cpus: cpus, core: core, running: make([]running, last+1)}
}

// probe is a cutter for a try, which does not ask what runs beside what.
func (c *cutter) probe() cutter {
	return cutter{functions: c.functions, running: make([]running, len(c.running))}
}

// busy keeps a slice.
func (h *history) busy(s slice) {
	switch {
	case h.silent:
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
	if len(h.slices)+len(h.others) < h.limit || h.silent {
		return
	}
	h.process(until)
	if len(h.slices)+len(h.others) > 4*h.limit {
		h.silent, h.slices, h.others = true, nil, nil
	}
}

// process makes rows of all intervals that end before until. No slice that begins
// before it may come later.
func (h *history) process(until int64) {
	h.sort()
	h.place(until)
	for h.changed < len(h.slices) && h.slices[h.changed].start < until {
		switch s := h.slices[h.changed]; {
		case s.key >= 0:
			h.changes.sample(s, h.functions.unit(h.functions.of(s.key), s.cpu))
		case s.key == KeyLost:
			h.changes.miss(s)
		case s.weight > 0.5*float64(s.end-s.start):
			h.changes.other(s)
		}
		h.changed++
	}
	if !h.lagKnown {
		h.lag, h.lagKnown = h.findLag(), true
	}
	done := h.changed
	for _, s := range h.series {
		s.process(h.slices, h.lag, until)
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
		left := all[s.taken:]
		if !s.begun {
			left = s.cut.skip(r.t-lag, left)
			s.begun = true
		} else {
			var w row
			last := s.readings[n-1]
			w, left = s.cut.row(last.t-lag, r.t-lag, left)
			w.joules = r.joules - last.joules
			s.rows.add(w, &s.cut.sum)
			s.rows.divided += s.cut.divided / float64(s.rows.pooled)
			s.cut.divided = 0
			s.cut.sum.clear()
			if len(s.rows.entries) > maxEntries {
				s.rows.halve(&s.cut.sum)
			}
		}
		s.taken = len(all) - len(left)
		n++
	}
	// The last reading is the beginning of the next row.
	if n > 1 {
		s.readings = append(s.readings[:0], s.readings[n-1:]...)
	}
}

// finish makes the last rows.
func (h *history) finish() {
	if !h.silent {
		h.process(math.MaxInt64)
	}
	h.slices, h.others = nil, nil
}
