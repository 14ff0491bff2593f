package collect

import "github.com/energyprof/energyprof/report/attribution"

// weighing is an event whose counts are the weights by which energy is shared out, in place of CPU time.
type weighing struct {
	event  int     // index in Options.Events; that of the clock when time itself is the weight
	counts float64 // of its samples so far
	ns     float64 // of the clock's samples so far
	gap    float64 // ns between two samples of a CPU that is busy, lately
	cpus   []int64 // by CPU: time of its last sample
}

// longestCount bounds the time over which the counts of a sample are spread. Samples of a kilohertz lie closer, and
// intervals of energy are as long.
const longestCount = 10_000_000

// weigh gives the counts of a sample to attribution, spread over the time since the last one of its CPU; but
// not over much more than usual, since the CPU may have had nothing to do before.
func (c *Collector) weigh(id int32, cpu int, time int64, counts uint64) {
	w := &c.weighing
	from := time
	if cpu >= 0 && cpu < maxCPU {
		for cpu >= len(w.cpus) {
			w.cpus = append(w.cpus, 0)
		}
		gap := max(0, time-w.cpus[cpu]) // a late one has no time of its own
		if w.gap == 0 && gap < longestCount {
			w.gap = float64(gap)
		}
		if usual := int64(2 * w.gap); gap <= usual {
			from = time - gap
		} else {
			from = time - int64(w.gap)
		}
		if gap < longestCount {
			w.gap += (float64(gap) - w.gap) / 16
		}
		w.cpus[cpu] = max(w.cpus[cpu], time)
	}
	w.counts += float64(counts)
	c.energy.longest = max(c.energy.longest, longestCount)
	c.energy.busy(attribution.Key(id), cpu, max(0, min(from, time)), time, float64(counts))
}

// worth is the weight of CPU time of which no samples tell what it was spent on: the time itself, or
// what CPU time has weighed on average so far.
func (c *Collector) worth(ns float64) float64 {
	w := &c.weighing
	switch {
	case w.event == c.clock:
		return ns
	case w.ns == 0:
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
