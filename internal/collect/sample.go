package collect

import (
	"cmp"
	"fmt"

	"github.com/energyprof/energyprof/perfring"
)

// sample counts a sample at its stack.
func (c *Collector) sample(state *cpuState, s *perfring.Sample, cpu, event int) {
	if event < 0 || event >= len(c.extra) {
		return // of no event that is recorded here
	}
	chain := c.chainOf(s)
	clock := event == c.clock
	period := cmp.Or(s.Period, c.opt.Events[event].Period)
	if period > maxPeriod {
		c.energy.refuse(fmt.Errorf("collect: a sample of %s stands for %d of it", c.opt.Events[event].Name, period))
		return
	}
	c.allSamples++
	if event == c.main {
		c.mainSamples++
	}
	if clock {
		c.clockNanoseconds += float64(period)
	}
	if c.isIdle(s, chain) {
		if event == c.main {
			c.idle.samples++
		}
		if clock {
			c.idle.ns += int64(period)
		}
		return
	}
	id := c.stackOf(s, chain)
	st := &c.stacks.list[id]
	if !clock {
		c.stacks.events[int(id)*c.extras+c.extra[event]] += int64(period)
	}
	if event == c.weighing.event && !clock {
		c.weigh(id, cpu, int64(s.Time), period)
	}
	if event != c.main {
		return
	}
	st.samples++
	c.books.Samples++
	if st.folded {
		c.books.Folded++
	}
	if st.cut {
		c.books.Truncated++
	}
	if st.unknown {
		c.books.NoMapping++
	}
	if clock {
		st.ns += int64(period)
		c.ran(state, id, cpu, int64(s.Time), period)
	}
}

// stackOf returns the stack of a sample.
func (c *Collector) stackOf(s *perfring.Sample, chain []uint64) int32 {
	th := c.table.thread(s.PID, s.TID)
	p := th.process
	c.table.load(p)
	label := c.stacks.label(th)
	leaf := modeOf(s.Misc)
	slot := c.stacks.slot(p.space.generation, label, chain)
	if slot.is(p.space.generation, label, leaf, chain) {
		return slot.id
	}
	unmapped, truncated := c.resolve(p, chain, leaf)
	known := len(c.stacks.list)
	id := c.stacks.intern(label, c.scratch)
	if int(id) >= known {
		c.stacks.list[id].cut, c.stacks.list[id].unknown = truncated, unmapped
	}
	slot.put(p.space.generation, label, leaf, chain, id)
	return id
}

// exit ends a thread. The perf map of a process that has ended is read once more, in case
// the file outlives it.
func (c *Collector) exit(r *perfring.Exit) {
	if p := c.table.exit(r.PID, r.TID, int64(r.Time)); p != nil {
		c.refreshPerfMap(p)
	}
}
