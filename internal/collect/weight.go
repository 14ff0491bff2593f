package collect

import "github.com/energyprof/energyprof/report/attribution"

// weighing is an event whose counts are the weights by which energy is shared out, in place of CPU time.
type weighing struct {
	event  int     // index in Options.Events; that of the clock when time itself is the weight
	counts float64 // of its samples so far
	ns     float64 // of the clock's samples so far
	gaps
}

// gaps are the times between samples of an event.
type gaps struct {
	gap  float64 // ns between two samples of a CPU that is busy, lately
	cpus []int64 // by CPU: time of its last sample
}

// longestCount bounds the time over which the counts of a sample are spread. Samples of a kilohertz lie closer, and
// intervals of energy are as long.
const longestCount = 10_000_000

// since is when what a sample stands for began: at the last one of its CPU, but not much earlier than usual, since the
// CPU may have had nothing to do before.
func (g *gaps) since(cpu int, time int64) int64 {
	from := time
	if cpu >= 0 && cpu < maxCPU {
		for cpu >= len(g.cpus) {
			g.cpus = append(g.cpus, 0)
		}
		gap := max(0, time-g.cpus[cpu]) // a late one has no time of its own
		if g.gap == 0 && gap < longestCount {
			g.gap = float64(gap)
		}
		if usual := int64(2 * g.gap); gap <= usual {
			from = time - gap
		} else {
			from = time - int64(g.gap)
		}
		if gap < longestCount {
			g.gap += (float64(gap) - g.gap) / 16
		}
		g.cpus[cpu] = max(g.cpus[cpu], time)
	}
	return max(0, min(from, time))
}

// weigh gives the counts of a sample to attribution, spread over the time since the last one of its CPU.
func (c *Collector) weigh(id int32, cpu int, time int64, counts uint64) {
	from := c.weighing.since(cpu, time)
	c.weighing.counts += float64(counts)
	c.energy.longest = max(c.energy.longest, longestCount)
	c.energy.busy(c.energy.weighed, attribution.Key(id), cpu, from, time, float64(counts))
}

// worth is the weight of CPU time of which no samples tell what it was spent on: the time itself, or
// what CPU time has weighed on average so far.
func (c *Collector) worth(ns float64) float64 {
	w := &c.weighing
	switch {
	case w.event == c.clock && !c.opt.Memory.Weigh:
		return ns
	case w.ns == 0 || len(c.opt.Memory.Traffic) > 0 && c.opt.Memory.Weigh: // controllers counted what nobody sampled
		return 0
	}
	return ns * w.counts / w.ns
}

// lostWeight is the weight of lost samples of the main event, which stand for ns nanoseconds if that is a clock.
func (c *Collector) lostWeight(samples, ns float64) float64 {
	if c.clock >= 0 {
		return c.worth(ns)
	}
	if c.mainSamples == 0 {
		return 0
	}
	return samples * c.weighing.counts / float64(c.mainSamples)
}
