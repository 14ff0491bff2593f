package collect

import "github.com/energyprof/energyprof/report/attribution"

// Missed takes CPU time of the target, ns nanoseconds of (from, to], that the clock could not sample: it
// was throttled, or its timer fell behind. It is part of [lost].
func (c *Collector) Missed(cpu int, from, to, ns int64) {
	if ns <= 0 || to <= from {
		return
	}
	c.lostNanoseconds += float64(ns)
	if !c.alone() {
		c.cpu(cpu).ran.add(from, to, float64(ns))
	}
	c.energy.busy(c.energy.timed, attribution.KeyLost, cpu, from, to, float64(ns))
	if !c.opt.Memory.Weigh { // whose samples came all the same
		c.energy.busy(c.energy.weighed, attribution.KeyLost, cpu, from, to, c.worth(float64(ns)))
	}
}
