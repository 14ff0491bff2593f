package collect

import (
	"cmp"
	"fmt"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// sample counts a sample at its stack.
func (c *Collector) sample(state *cpuState, s *perfring.Sample, cpu, event int) {
	if event < 0 || event >= len(c.extra) {
		return // of no event that is recorded here
	}
	e := &c.opt.Events[event]
	c.complete(state, s, e)
	chain := c.chainOf(s)
	clock, main := event == c.clock, c.isMain(event)
	period := cmp.Or(s.Period, e.Period)
	if period > maxPeriod {
		c.energy.refuse(fmt.Errorf("collect: a sample of %s stands for %d of it", e.Name, period))
		return
	}
	c.allSamples++
	if e.Memory {
		c.memory.all.samples++
		c.memory.byEvent[event].samples++
		if d := pebs.DataSource(s.DataSrc); !d.Loads() && !d.Stores() {
			c.books.NoAccess++
			c.loadedNothing(s, cpu, event)
			return
		}
		chain = c.exact(s, chain)
	}
	if main {
		c.mainSamples++
	}
	if clock {
		c.clockNanoseconds += float64(period)
	}
	// An access is work, whoever did it.
	if !e.Memory && !e.Address && c.isIdle(s, chain) {
		if main {
			c.idle.samples++
		}
		if clock {
			c.idle.ns += int64(period)
		}
		return
	}
	access, room := int32(none), true
	if e.Memory || e.Address {
		access, room = c.accessOf(s, e)
	}
	id, how := c.stackOf(s, chain, access, room)
	st := &c.stacks.list[id]
	switch {
	case e.Memory:
		c.accessed(s, cpu, event, id, period)
	case !clock:
		c.stacks.events[int(id)*c.extras+c.extra[event]] += int64(period)
	}
	if c.opt.Access != nil && (e.Memory || e.Address) {
		c.opt.Access(s, event, id)
	}
	if event == c.weighing.event && !clock {
		c.weigh(id, cpu, int64(s.Time), period)
	}
	if !main {
		return
	}
	st.samples++
	c.books.Samples++
	if st.folded {
		c.books.Folded++
	}
	c.books.ended(how)
	if clock {
		st.ns += int64(period)
		c.ran(state, id, cpu, int64(s.Time), period)
	}
}

// isMain tells whether the samples of an event are those that are counted. Those of memory accesses are of one kind.
func (c *Collector) isMain(event int) bool {
	return event == c.main || event >= 0 && c.opt.Events[c.main].Memory && c.opt.Events[event].Memory
}

// stackOf returns the stack of a sample; without room for its access, that of everybody.
func (c *Collector) stackOf(s *perfring.Sample, chain []uint64, access int32, room bool) (int32, fate) {
	th := c.table.thread(s.PID, s.TID)
	p := th.process
	c.table.load(p)
	c.follow(p, int64(s.Time))
	of := whose{c.stacks.label(th), access}
	if !room {
		of = whose{none, none}
	}
	leaf := modeOf(s.Misc)
	if leaf == modeUser {
		p.executing = false
	}
	slot := c.stacks.slot(p.space.generation, of, chain)
	if slot.is(p.space.generation, of, leaf, chain) {
		return slot.id, slot.fate
	}
	how := c.resolve(p, chain, leaf)
	id := c.stacks.intern(of, c.scratch)
	slot.put(p.space.generation, of, leaf, chain, id, how)
	return id, how
}

// exit ends a thread. The perf map of a process that has ended is read once more, in case
// the file outlives it, and its journal to the end.
func (c *Collector) exit(r *perfring.Exit) {
	if p := c.table.exit(r.PID, r.TID, int64(r.Time)); p != nil {
		c.refreshPerfMap(p)
		p.jit.journal.close()
		c.unload(p)
	}
}
