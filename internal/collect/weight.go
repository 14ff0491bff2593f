package collect

import "github.com/energyprof/energyprof/report/attribution"

// weighing is an event whose counts are the weights by which energy is shared out, in place of CPU time.
type weighing struct {
	event  int     // index in Options.Events; that of the clock when time itself is the weight
	counts float64 // of its samples so far
	ns     float64 // of the clock's samples so far
	cpus   []int64 // by CPU: time of its last sample
}

// longestCount bounds the time over which the counts of a sample are spread: the event may not have happened at
// all for a while before. Samples of a kilohertz lie closer, and intervals of energy are as long.
const longestCount = 10_000_000

// weigh gives the counts of a sample to attribution, spread over the time since the last one of its CPU.
func (c *Collector) weigh(id int32, cpu int, time int64, counts uint64) {
	w := &c.weighing
	from := time - longestCount
	if cpu >= 0 && cpu < maxCPU {
		for cpu >= len(w.cpus) {
			w.cpus = append(w.cpus, 0)
		}
		from = max(from, w.cpus[cpu])
		w.cpus[cpu] = time
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
