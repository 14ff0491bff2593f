package attribution

import (
	"cmp"
	"slices"
)

// slice is a stretch as the regression keeps it.
type slice struct {
	start, end int64
	weight     float64
	key        Key
	cpu        int32
}

// cutter sorts CPU time into the intervals of a series. It goes through the
// slices in the order of their starts and keeps those that reach into the next
// interval.
type cutter struct {
	functions *functions
	cpus      int       // of the series; 0 in a try, which does not ask what runs beside what
	siblings  [][]int32 // by CPU: the other hardware threads of its core; nil if there are none
	running   []running // by CPU
	rate      float64   // see history.rate
	carried   []slice
	sum       unitSum
	spans     []span   // of the row
	ran       []sample // of the row
	ends      []sampleEnd

	divided   float64   // ns^2, variance of what the edges divide of KeyOther
	lost      []float64 // ns by unit: part of KeyLost that is taken for the unit's
	keyWeight []float64 // ns within the readings; index (key + keyShift) * types of core + type
}

// running is the newest slice of a CPU, cut off at the end of its interval.
type running struct {
	known  bool
	unit   int32
	end    int64
	period int64 // of the whole slice
}

// fewPeriods is how long, in periods, time without samples may be to be taken for
// that of the function before it.
const fewPeriods = 3

// row fills in the next interval, [from, to), from the slices that begin before
// to, and returns those that begin later. The CPU time of units is in c.sum.
func (c *cutter) row(from, to int64, all []slice) (row, []slice) {
	w := row{ns: float64(to - from)}
	c.spans, c.ran = c.spans[:0], c.ran[:0]
	kept := c.carried[:0]
	for _, s := range c.carried {
		c.take(&w, s, from, to)
		if s.end > to {
			kept = append(kept, s)
		}
	}
	n := 0
	for n < len(all) && all[n].start < to {
		c.take(&w, all[n], from, to)
		if all[n].end > to {
			kept = append(kept, all[n])
		}
		n++
	}
	c.carried = kept
	w.active = active(c.spans)
	c.crowd()
	return w, all[n:]
}

// take adds the part of a slice that lies in the interval.
func (c *cutter) take(w *row, s slice, from, to int64) {
	a, b := max(s.start, from), min(s.end, to)
	if b < a || s.weight == 0 {
		return // it came too late, or saw nothing
	}
	share := 1.0
	if s.end > s.start {
		share = float64(b-a) / float64(s.end-s.start)
	}
	ns := s.weight * share
	c.credit(s, ns)
	if s.key >= 0 {
		unit := c.functions.unit(c.functions.of(s.key), s.cpu)
		began := a
		if r := &c.running[s.cpu]; r.known && r.end >= from && a-r.end < r.period/2 {
			began = min(a, r.end) // the timer was a little late
		}
		c.sum.add(unit, ns, c.meet(s, unit, a, b), 0)
		c.spans = append(c.spans, span{began, b, 0})
		return
	}
	if s.key == KeyLost {
		// A single sample that is missing most likely saw what the one before saw.
		if r := &c.running[s.cpu]; r.known && s.end-s.start <= fewPeriods*r.period {
			c.sum.add(r.unit, ns, 0, 0)
			c.addLost(r.unit, ns)
			c.spans = append(c.spans, span{a, b, 0})
			return
		}
		w.lost += ns
	} else {
		w.other += ns
		if whole := s.end - s.start; s.end > to && whole <= to-from {
			// Divided at the edge as if it were spread evenly. If it ran in one piece,
			// anywhere, the part before the edge errs by this variance or so.
			u := c.likely(s)
			less := float64(min(to-s.start, s.end-to))
			c.divided += u * (1 - u) * less * less / 2
		}
	}
	// It ran at some time of the slice, who knows when.
	if b > a {
		c.spans = append(c.spans, span{a, b, 1 - c.likely(s)})
	}
}

// likely is the probability that at an instant of a slice the CPU ran.
func (c *cutter) likely(s slice) float64 {
	return min(1, s.weight/(c.rate*float64(s.end-s.start)))
}

// skip goes over the time before the first reading.
func (c *cutter) skip(to int64, all []slice) []slice {
	c.carried = slices.DeleteFunc(c.carried, func(s slice) bool { return s.end <= to })
	n := 0
	for n < len(all) && all[n].start < to {
		if s := all[n]; s.end > to {
			c.carried = append(c.carried, s)
		}
		n++
	}
	return all[n:]
}

// credit adds to what keys have run within the readings.
func (c *cutter) credit(s slice, ns float64) {
	i := int(s.key+keyShift) * int(c.functions.types)
	if int(s.cpu) < len(c.functions.typeOf) {
		i += int(c.functions.typeOf[s.cpu])
	}
	if i >= len(c.keyWeight) {
		c.keyWeight = grow(c.keyWeight, i+1)
	}
	c.keyWeight[i] += ns
}

// meet notes what runs, and returns for how long of [a, b) another hardware thread
// of the core ran, as far as is known by now; the others are told as well.
func (c *cutter) meet(s slice, unit int32, a, b int64) (shared float64) {
	if c.siblings != nil {
		for _, d := range c.siblings[s.cpu] {
			if r := &c.running[d]; r.end > a {
				both := float64(min(b, r.end) - a)
				shared += both
				c.sum.add(r.unit, 0, both, 0)
			}
		}
	}
	if c.cpus > 1 {
		c.ran = append(c.ran, sample{from: a, to: b, unit: unit})
	}
	c.running[s.cpu] = running{true, unit, b, s.end - s.start}
	return shared
}

// sample is a stretch of a row in which a CPU ran a unit. before is the CPU time of
// all until its start, ns.
type sample struct {
	from, to int64
	before   int64
	unit     int32
}

type sampleEnd struct {
	to     int64
	sample int32
}

// crowd adds to what ran in a row the time in which other CPUs ran, by the part of
// them. The samples are in the order of their starts; at each edge the CPU time of
// all so far is known.
func (c *cutter) crowd() {
	c.ends = c.ends[:0]
	for i, s := range c.ran {
		c.ends = append(c.ends, sampleEnd{s.to, int32(i)})
	}
	slices.SortFunc(c.ends, func(a, b sampleEnd) int { return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.sample, b.sample)) })
	var running, all, at int64
	pass := func(t int64) {
		all += running * (t - at)
		at = t
	}
	next := 0
	for _, e := range c.ends {
		for next < len(c.ran) && c.ran[next].from <= e.to {
			pass(c.ran[next].from)
			c.ran[next].before = all
			running++
			next++
		}
		pass(e.to)
		running--
		s := &c.ran[e.sample]
		c.sum.add(s.unit, 0, 0, float64(all-s.before-(s.to-s.from))/float64(c.cpus-1))
	}
}

func (c *cutter) addLost(unit int32, ns float64) {
	if int(unit) >= len(c.lost) {
		c.lost = grow(c.lost, int(unit)+1)
	}
	c.lost[unit] += ns
}
