package collect

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// holdTraffic is how long, in ns, what the controllers counted beyond the loads waits: samples stand for more or less than
// was loaded, which cancels out over many of them and not in 10 ms.
const holdTraffic = 2_000_000_000

// traffic is what memory controllers counted, and what of it samples of loads told.
type traffic struct {
	groups []*trafficGroup // of counters of the same CPUs
	byCPU  []*trafficGroup
	series map[[2]int]*trafficSeries // by counter and series of it
	give   func(cpu int, from, to int64, bytes float64)
	bytes  float64 // that were counted
	beyond float64 // that were given
}

// trafficGroup is the counters of the controllers of a package.
type trafficGroup struct {
	cpus   []int
	series []*trafficSeries
	slots  []trafficSlot // in order of start
	done   int64         // what begins before it has been given
	debt   float64       // at most 0: bytes that loads had more than the controllers, so far
}

type trafficSeries struct {
	group       *trafficGroup
	begun       bool
	first, last int64 // ns
	counts      float64
}

// trafficSlot is 10 ms.
type trafficSlot struct {
	start           int64
	counted, loaded float64 // bytes
}

// has tells whether a counter is one of the controllers'.
func (t *traffic) has(counter int) bool {
	_, ok := t.series[[2]int{counter, 0}]
	return ok
}

// openTraffic makes the groups, and the stack of what nobody loaded.
func (c *Collector) openTraffic() error {
	t := &c.traffic
	t.series = map[[2]int]*trafficSeries{}
	for _, counter := range c.opt.Memory.Traffic {
		if counter < 0 || counter >= len(c.opt.Counters) {
			return fmt.Errorf("collect: counter %d of the memory's traffic, there are %d", counter, len(c.opt.Counters))
		}
		if t.has(counter) {
			return fmt.Errorf("collect: the counter %q of the memory's traffic is named twice", c.opt.Counters[counter].Name)
		}
		for i, d := range c.opt.Counters[counter].Domains {
			cpus := d.CPUs
			if len(cpus) == 0 {
				cpus = c.opt.CPUs
			}
			if len(cpus) == 0 {
				return fmt.Errorf("collect: the counter %q has no CPUs", c.opt.Counters[counter].Name)
			}
			g, err := t.group(cpus)
			if err != nil {
				return fmt.Errorf("collect: the counter %q: %w", c.opt.Counters[counter].Name, err)
			}
			s := &trafficSeries{group: g}
			g.series, t.series[[2]int{counter, i}] = append(g.series, s), s
		}
	}
	if len(t.groups) == 0 {
		return nil
	}
	t.give = func(int, int64, int64, float64) {}
	if !c.opt.Memory.Weigh || len(c.opt.Energy.Domains) == 0 {
		return nil
	}
	frames, nobody := []int32{c.stacks.locations.frame(pprofile.Prefetch)}, whose{none, none}
	c.memory.rest = attribution.Key(c.stacks.add(c.stacks.hash(nobody, frames), nobody, frames, false))
	t.give = func(cpu int, from, to int64, bytes float64) {
		c.energy.busy(c.energy.weighed, c.memory.rest, cpu, from, to, bytes)
	}
	return nil
}

// group is that of these CPUs, each of which is in one.
func (t *traffic) group(cpus []int) (*trafficGroup, error) {
	for _, g := range t.groups {
		if slices.Equal(g.cpus, cpus) {
			return g, nil
		}
	}
	g := &trafficGroup{cpus: cpus, done: math.MinInt64}
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= maxCPU {
			return nil, fmt.Errorf("there is no CPU %d", cpu)
		}
		for cpu >= len(t.byCPU) {
			t.byCPU = append(t.byCPU, nil)
		}
		if t.byCPU[cpu] != nil {
			return nil, fmt.Errorf("CPU %d is one of those of two groups of controllers", cpu)
		}
		t.byCPU[cpu] = g
	}
	t.groups = append(t.groups, g)
	return g, nil
}

// read takes a reading of a counter of controllers.
func (t *traffic) read(counter, series int, at int64, counts float64) {
	s := t.series[[2]int{counter, series}]
	if !s.begun {
		s.begun, s.first = true, at
	} else if at > s.last && counts >= s.counts {
		bytes := lineBytes * (counts - s.counts)
		t.bytes += bytes
		if at-s.last > busyPatience {
			s.first = at // the loads of that time are gone
		} else {
			s.group.add(s.last, at, func(slot *trafficSlot, part float64) { slot.counted += part * bytes })
		}
	}
	s.last, s.counts = at, counts
}

// loaded takes bytes that sampled loads stand for.
func (t *traffic) loaded(cpu int, from, to int64, bytes float64) {
	if cpu < 0 || cpu >= len(t.byCPU) || t.byCPU[cpu] == nil || bytes == 0 {
		return
	}
	t.byCPU[cpu].add(from, to, func(slot *trafficSlot, part float64) { slot.loaded += part * bytes })
}

// add divides [from, to) among the slots that it is in.
func (g *trafficGroup) add(from, to int64, put func(slot *trafficSlot, part float64)) {
	from = max(from, g.done, to-busyPatience) // more is no time of a sample
	to = max(from, to)
	length := float64(max(1, to-from))
	for {
		start := from - from%slotLength
		end := min(to, start+slotLength)
		part := float64(end-from) / length
		if to == from {
			part = 1
		}
		if slot := g.slot(start); slot != nil {
			put(slot, part)
		}
		if end >= to {
			return
		}
		from = end
	}
}

// slot finds or makes one; nil if there are too many, in which case time makes no sense.
func (g *trafficGroup) slot(start int64) *trafficSlot {
	i := len(g.slots)
	for i > 0 && g.slots[i-1].start > start {
		i--
	}
	if i > 0 && g.slots[i-1].start == start {
		return &g.slots[i-1]
	}
	if len(g.slots) >= maxSlots {
		return nil
	}
	g.slots = slices.Insert(g.slots, i, trafficSlot{start: start})
	return &g.slots[i]
}

// advance gives what was counted beyond the loads before t, as far as it can be told by then, and returns until when that
// is. Of controllers that were not read for busyPatience nothing is known, and nothing given.
func (t *traffic) advance(until int64) int64 {
	if until == math.MaxInt64 {
		return until
	}
	limit := until
	for _, g := range t.groups {
		_, to := g.known()
		if to = min(to, until); len(g.slots) > 0 && to-g.slots[0].start >= holdTraffic {
			t.settle(g, to)
		}
		if until-busyPatience > g.done {
			t.settle(g, until-busyPatience)
		}
		limit = min(limit, g.done)
	}
	return limit
}

// finish gives the rest.
func (t *traffic) finish() {
	for _, g := range t.groups {
		_, to := g.known()
		t.settle(g, to)
	}
}

// known is the time for which all counters of the group have been read.
func (g *trafficGroup) known() (from, to int64) {
	to = math.MaxInt64
	for _, s := range g.series {
		if !s.begun {
			return 0, 0
		}
		from, to = max(from, s.first), min(to, s.last)
	}
	return from, to
}

// settle gives what lies before to: all of it together what was counted beyond the loads, no more, and no 10 ms less than
// nothing. What the loads had more stays as a debt.
func (t *traffic) settle(g *trafficGroup, to int64) {
	from, last := g.known()
	var beyond []float64
	sum := g.debt
	for _, s := range g.slots {
		if s.start+slotLength > to {
			break
		}
		d := 0.0
		if s.start >= from && s.start+slotLength <= last {
			d = s.counted - s.loaded
		}
		beyond = append(beyond, d)
		sum += d
	}
	g.debt = min(0, sum)
	if sum > 0 {
		lessen(beyond, sum)
		t.beyond += sum
	}
	for i, bytes := range beyond {
		if start := g.slots[i].start; sum > 0 && bytes > 0 {
			t.give(g.cpus[0], start, start+slotLength, bytes)
		}
	}
	g.slots = g.slots[:copy(g.slots, g.slots[len(beyond):])]
	g.done = max(g.done, to-to%slotLength)
}

// lessen makes what is below 0 nothing and takes the same from all else, as far as it goes, so that they add up to sum:
// the nearest such numbers in squares (projection on a simplex). sum is more than 0 and at most what they add up to.
func lessen(v []float64, sum float64) {
	sorted := slices.SortedFunc(slices.Values(v), func(a, b float64) int { return cmp.Compare(b, a) })
	var by, all float64
	for i, x := range sorted {
		all += x
		if less := (all - sum) / float64(i+1); x > less {
			by = less
		}
	}
	for i := range v {
		v[i] = max(0, v[i]-by)
	}
}
