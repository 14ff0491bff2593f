package collect

import (
	"errors"
	"fmt"
	"math"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/attribution"
)

const (
	// busyPatience is how long, in ns, sharing out energy waits for the kernel's account of the CPUs' busy
	// time. It comes every second or so; where it stays out, memory must not grow.
	busyPatience = 5e9
	// longestWait bounds what one sample, with a period of this many ns or more, can hold back.
	longestWait = 1e9
	// maxPeriod is beyond what a sample can stand for: 9 hours, or 3 hours of cycles at 3 GHz.
	maxPeriod = 1 << 45
)

// energy feeds the attribution of joules, and of counts, to stacks.
type energy struct {
	joules   *shared   // nil without a source of energy
	counters []*shared // by Options.Counters
	all      []*shared // of the two
	weighed  []*shared // those that go by weights (see weighing), all unless memory accesses weigh
	timed    []*shared // those that go by CPU time all the same
	advanced int64     // what came before is shared out
	busyTo   int64     // end of the last busy window
	longest  int64     // period of the longest sample
	refused  uint64
	err      error
}

// shared is a quantity that is shared out: energy, or the counts of an event. Each has its own method, lag
// and errors.
type shared struct {
	*attribution.Attributor
	anywhere int // CPU that stands for one that is not known, -1 without
}

func (c *Collector) openEnergy(opt *Options) error {
	e := &c.energy
	if len(opt.Energy.Domains) > 0 {
		how := opt.Attribution
		if opt.Memory.Weigh {
			how = c.byLoads(how)
		}
		var err error
		if e.joules, err = newShared(opt.Energy.Domains, opt.CPUs, how); err != nil {
			return err
		}
		e.all, e.weighed = append(e.all, e.joules), append(e.weighed, e.joules)
	}
	how := opt.Attribution
	how.Method, how.BaselineWatts, how.Counts = opt.CounterMethod, nil, true
	for i, event := range opt.Counters {
		if len(event.Domains) == 0 {
			return fmt.Errorf("collect: the counter %q has no series", event.Name)
		}
		if c.traffic.has(i) {
			e.counters = append(e.counters, nil)
			continue
		}
		s, err := newShared(event.Domains, opt.CPUs, how)
		if err != nil {
			return err
		}
		e.counters, e.all = append(e.counters, s), append(e.all, s)
		if opt.Memory.Weigh {
			e.timed = append(e.timed, s)
		} else {
			e.weighed = append(e.weighed, s)
		}
	}
	return nil
}

// newShared is of these domains; cpus are for those that do not say which they cover.
func newShared(domains []rapl.Domain, cpus []int, opt attribution.Options) (*shared, error) {
	var series []attribution.Series
	for _, d := range domains {
		s := attribution.Series{Domain: d.Name, Package: d.Package, CPUs: d.CPUs}
		if len(s.CPUs) == 0 {
			s.CPUs = cpus
		}
		series = append(series, s)
	}
	a, err := attribution.New(series, opt)
	if err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	// Where no domain has two counters it makes no difference to most methods on which CPU something ran.
	anywhere := series[0].CPUs[0]
	for i, s := range series {
		for _, other := range series[:i] {
			if other.Domain == s.Domain {
				anywhere = -1
			}
		}
	}
	return &shared{a, anywhere}, nil
}

// refuse keeps what attribution had against a value.
func (e *energy) refuse(err error) {
	// CPU time that comes late or on a CPU without a counter is in the result, as seconds.
	if err == nil || errors.Is(err, attribution.ErrLate) || errors.Is(err, attribution.ErrUnknownCPU) {
		return
	}
	e.refused++
	if e.err == nil {
		e.err = err
	}
}

// busy gives those of all that are meant CPU time, or what is in the place of it, that ended at to.
func (e *energy) busy(those []*shared, key attribution.Key, cpu int, from, to int64, ns float64) {
	from = max(from, e.advanced)
	for _, s := range those {
		on := cpu
		if on < 0 {
			on = s.anywhere
		}
		e.refuse(s.Busy(key, on, from, max(from, to), ns))
	}
}

// others gives CPU time of other processes in a window, and what it weighs.
func (e *energy) others(cpu int, from, to int64, ns, weight float64) {
	for _, s := range e.timed {
		e.refuse(s.Busy(attribution.KeyOther, cpu, from, to, ns))
	}
	if weight == 0 {
		return // nobody knows what it weighs
	}
	for _, s := range e.weighed {
		e.refuse(s.Busy(attribution.KeyOther, cpu, from, to, weight))
	}
}

// advance shares out what lies before t, as far as nothing that belongs there can still come: a sample's
// CPU time begins a period before it, and busy windows come after their samples.
func (e *energy) advance(t int64, alone bool) {
	if t == math.MaxInt64 {
		return // the end, but losses may still be settled; Finish shares out the rest
	}
	t -= e.longest
	if !alone {
		t = min(t, max(e.busyTo, t-busyPatience))
	}
	if len(e.all) > 0 && t > e.advanced {
		e.advanced = t
		for _, s := range e.all {
			s.Advance(t)
		}
	}
}

// read takes a point of a series.
func (e *energy) read(s *shared, series int, t int64, value float64) {
	if err := s.Reading(series, t, value); err != nil {
		e.refused++
		if e.err == nil {
			e.err = err
		}
	}
}

// Energy takes a point of an energy series: joules since any origin at time t.
func (c *Collector) Energy(domain int, t int64, joules float64) {
	if c.energy.joules != nil {
		c.energy.read(c.energy.joules, domain, t, joules)
	}
}

// Count takes a point of a series of Options.Counters: counts since any origin at time t.
func (c *Collector) Count(series int, t int64, counts float64) {
	for i, event := range c.opt.Counters {
		if series < len(event.Domains) {
			if s := c.energy.counters[i]; s != nil {
				c.energy.read(s, series, t, counts)
			} else {
				c.traffic.read(i, series, t, counts)
			}
			return
		}
		series -= len(event.Domains)
	}
}

// Busy takes the kernel's own account: the CPU was busy for ns nanoseconds of (from, to], whoever used
// it. What was not sampled of it belongs to other processes. The samples of that time have been delivered.
func (c *Collector) Busy(cpu int, from, to, ns int64) {
	if c.alone() || to <= from {
		return
	}
	own := c.cpu(cpu).ran.take(from, to)
	if other := float64(ns) - own; other > 0 {
		c.energy.others(cpu, from, to, other, c.worth(other))
	}
	c.energy.busyTo = max(c.energy.busyTo, to)
}

// Others takes what other processes ran on the CPU: ns nanoseconds of (from, to], as the scheduler knows it.
func (c *Collector) Others(cpu int, from, to, ns int64) {
	if c.alone() || to <= from {
		return
	}
	if ns > 0 {
		c.energy.others(cpu, from, to, float64(ns), c.worth(float64(ns)))
	}
	c.energy.busyTo = max(c.energy.busyTo, to)
}

// ran gives the CPU time of a clock sample to attribution, unless that goes by another event.
func (c *Collector) ran(state *cpuState, id int32, cpu int, time int64, period uint64) {
	p := int64(period)
	c.energy.longest = max(c.energy.longest, min(p, longestWait))
	from := max(0, time-p)
	if !c.alone() {
		state.ran.add(from, time, float64(p))
	}
	c.weighing.ns += float64(p)
	if len(c.energy.timed) > 0 {
		c.energy.busy(c.energy.timed, attribution.Key(id), cpu, from, time, float64(p))
	}
	if c.weighing.event == c.clock {
		c.energy.busy(c.energy.weighed, attribution.Key(id), cpu, from, time, float64(p))
	}
}

// clockPeriod is the CPU time, in ns, that a lost sample stood for.
func (c *Collector) clockPeriod() float64 {
	if c.clock < 0 {
		return 0
	}
	if p := c.opt.Events[c.clock].Period; p > 0 {
		return float64(p)
	}
	if c.mainSamples == 0 {
		return 0
	}
	return c.clockNanoseconds / float64(c.mainSamples)
}

// mainShare estimates how many of the lost samples were the main event's: a LOST record counts those of
// all events that share the ring.
func (c *Collector) mainShare() float64 {
	if c.allSamples == 0 {
		return 1 / float64(len(c.opt.Events))
	}
	return float64(c.mainSamples) / float64(c.allSamples)
}

// lost counts samples that were lost on a CPU between its last record and time t: of an event, or of any that
// share the ring if that is -1.
func (c *Collector) lost(state *cpuState, cpu int, n uint64, event int, t int64) {
	n = min(n, 1<<32) // beyond it the record is damaged
	samples := float64(n)
	switch {
	case event < 0:
		samples *= c.mainShare()
	case !c.isMain(event):
		samples = 0
	}
	ns := samples * c.clockPeriod()
	c.lostSamples += samples
	c.lostNanoseconds += ns
	from := state.last
	if from == 0 {
		from = t - int64(ns)
	}
	t = max(t, state.last)
	from = max(0, min(from, t))
	if !c.alone() {
		state.ran.add(from, t, ns)
	}
	c.energy.busy(c.energy.timed, attribution.KeyLost, cpu, from, t, ns)
	if c.opt.Memory.Weigh {
		c.lostLoads(cpu, from, t, n, event)
	} else {
		c.energy.busy(c.energy.weighed, attribution.KeyLost, cpu, from, t, c.lostWeight(samples, ns))
	}
	state.seen(t)
}
