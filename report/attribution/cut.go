package attribution

import "math"

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
	core      []int32   // by CPU, nil: no hardware threads
	siblings  [][]int32 // by CPU: the other CPUs of its core in the series
	running   []running // by CPU
	carried   []slice
	sum       unitSum

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
func (c *cutter) row(from, to int64, slices []slice) (row, []slice) {
	w := row{ns: float64(to - from)}
	covered := from // end of the time in which some CPU ran, so far
	quiet := 0.0    // logarithm of the part in which no diffuse work ran
	kept := c.carried[:0]
	cover := func(a, b int64) {
		if b > covered {
			w.active += float64(b - max(a, covered))
			covered = b
		}
	}
	take := func(s slice) {
		a, b := max(s.start, from), min(s.end, to)
		share := 1.0
		if s.end > s.start {
			share = float64(b-a) / float64(s.end-s.start)
		}
		ns := s.weight * share
		c.credit(s, ns)
		switch s.key {
		case KeyOther:
			w.other += ns
		case KeyLost:
			// A single sample that is missing most likely saw what the one before saw.
			if r := &c.running[s.cpu]; r.known && s.end-s.start <= fewPeriods*r.period {
				c.sum.add(r.unit, ns, 0)
				c.addLost(r.unit, ns)
				cover(a, b)
				return
			}
			w.lost += ns
		default:
			unit := c.functions.unit(c.functions.of(s.key), s.cpu)
			c.sum.add(unit, ns, c.meet(s, unit, a, b))
			cover(a, b)
			return
		}
		// Known to have run at some time of the slice, not when.
		if b > a {
			busy := min(s.weight/float64(s.end-s.start), 1-1e-9)
			quiet += math.Log1p(-busy) * float64(b-a) / float64(to-from)
		}
	}
	for _, s := range c.carried {
		take(s)
		if s.end > to {
			kept = append(kept, s)
		}
	}
	n := 0
	for n < len(slices) && slices[n].start < to {
		take(slices[n])
		if slices[n].end > to {
			kept = append(kept, slices[n])
		}
		n++
	}
	c.carried = kept
	w.active += (w.ns - w.active) * -math.Expm1(quiet)
	return w, slices[n:]
}

// skip goes over the time before the first reading.
func (c *cutter) skip(to int64, slices []slice) []slice {
	n := 0
	for n < len(slices) && slices[n].start < to {
		if s := slices[n]; s.end > to {
			c.carried = append(c.carried, s)
		}
		n++
	}
	return slices[n:]
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
// of the core ran, as far as is known by now; the other is told as well.
func (c *cutter) meet(s slice, unit int32, a, b int64) float64 {
	var shared float64
	if c.siblings != nil {
		for _, d := range c.siblings[s.cpu] {
			if r := &c.running[d]; r.end > a {
				both := float64(min(b, r.end) - a)
				shared += both
				c.sum.add(r.unit, 0, both)
			}
		}
	}
	c.running[s.cpu] = running{true, unit, b, s.end - s.start}
	return shared
}

func (c *cutter) addLost(unit int32, ns float64) {
	if int(unit) >= len(c.lost) {
		c.lost = grow(c.lost, int(unit)+1)
	}
	c.lost[unit] += ns
}
