package attribution

import (
	"cmp"
	"math"
	"slices"
)

// changes counts what follows what in the samples of each CPU. A sample says
// what ran at one instant and stands for the time since the one before, so at each
// change of function the CPU time of both is wrong by a part of a period. These
// errors in the variables of a regression pull its powers towards each other;
// knowing their covariance, it can take them back (Fuller, Measurement Error Models,
// 1987, section 2.2).
type changes struct {
	cpus  []cpuChanges
	pairs map[[2]int32]*pair // by the two units, the lower number first

	periods, samples float64 // sum of the lengths of samples, ns, and their number

	starts, alone []float64 // by unit: changes from idle, and those with no other CPU busy

	list []change // see sorted

	drawn bool // the samples are draws, see Sampled
}

// pair is how often one of two units follows the other: in the next sample, and in
// the next but one.
type pair struct {
	near, far float64
	weight2   float64 // squared weights of the samples of near
}

// cpuChanges is what the newest samples of a CPU saw: a unit or idle.
type cpuChanges struct {
	end      int64
	one, two int32
	known    bool
	others   int64   // until when others ran
	weight   float64 // of the newest sample with any, of draws
}

const idle = -1

func (c *changes) sample(s slice, unit int32) {
	if int(s.cpu) >= len(c.cpus) {
		c.cpus = grow(c.cpus, int(s.cpu)+1)
	}
	st := &c.cpus[s.cpu]
	period := s.end - s.start
	c.periods += float64(period)
	c.samples++
	if st.known && period > 0 {
		// Beyond two idle samples nothing new is learnt.
		for range min(2, (s.start-st.end+period/2)/period) {
			c.next(st, idle, s.weight)
		}
		if st.one == idle {
			c.start(s, unit)
		}
		c.next(st, unit, s.weight)
	} else {
		st.one, st.two, st.known = unit, unit, true
	}
	st.end = max(st.end, s.end)
}

// period is the mean time that a sample stands for, s.
func (c *changes) period() float64 { return c.periods / max(1, c.samples) * 1e-9 }

// miss says that samples are missing: what is missing is not idle.
func (c *changes) miss(s slice) {
	if int(s.cpu) < len(c.cpus) {
		if st := &c.cpus[s.cpu]; st.known {
			st.end = max(st.end, s.end)
		}
	}
}

// other says that others ran on a CPU.
func (c *changes) other(s slice) {
	if int(s.cpu) >= len(c.cpus) {
		c.cpus = grow(c.cpus, int(s.cpu)+1)
	}
	c.cpus[s.cpu].others = max(c.cpus[s.cpu].others, s.end)
}

// start counts that a CPU which was idle runs unit.
func (c *changes) start(s slice, unit int32) {
	c.count(&c.starts, unit)
	if c.cpus[s.cpu].others > s.start-(s.end-s.start) {
		return // it was not idle at all
	}
	for cpu := range c.cpus {
		if cpu != int(s.cpu) && max(c.cpus[cpu].end, c.cpus[cpu].others) > s.start {
			return
		}
	}
	c.count(&c.alone, unit)
}

// aloneness is the part of the changes between idle and unit in which no other
// CPU was busy, so that the error of the unit's time is one of the time in which
// any CPU ran.
func (c *changes) aloneness(unit int32) float64 {
	if int(unit) >= len(c.alone) || c.starts[unit] == 0 {
		return 0
	}
	return c.alone[unit] / c.starts[unit]
}

func (c *changes) next(st *cpuChanges, unit int32, weight float64) {
	if unit != st.one {
		p := c.pair(unit, st.one)
		p.near++
		p.weight2 += weight * weight
	}
	if unit != st.two {
		c.pair(unit, st.two).far++
	}
	st.one, st.two = unit, st.one
}

func (c *changes) pair(a, b int32) *pair {
	key := [2]int32{min(a, b), max(a, b)}
	p := c.pairs[key]
	if p == nil {
		if len(c.pairs) >= maxPairs {
			key = [2]int32{idle, max(a, b)}
			if p = c.pairs[key]; p != nil {
				return p
			}
		}
		p = &pair{}
		c.pairs[key] = p
	}
	return p
}

// maxPairs bounds memory: beyond it a new pair is taken for one with idle, of which
// there are no more than units.
const maxPairs = 1 << 16

func (c *changes) count(n *[]float64, unit int32) {
	if unit == idle {
		return
	}
	if int(unit) >= len(*n) {
		*n = grow(*n, int(unit)+1)
	}
	(*n)[unit]++
}

// error is the variance, in squared weights, that each change between two units
// adds to the sums of both. If runs are long against the period a change lies
// anywhere within it, 1/12. If they are short, samples are draws from what runs, and a
// sum errs like a binomial, 1/2 for each change seen. In between, for runs of
// exponential length, the error of a sum of samples against the integral follows from
// the correlation of neighbouring samples, and that from how much rarer changes
// are between neighbours than between samples that are two apart.
func (p *pair) error() float64 {
	const fewest = 30
	if p.near < fewest {
		return 1. / 12
	}
	r := p.far/p.near - 1
	if r < 2/math.Sqrt(p.near) {
		r = 0 // it cannot be told from 0, near which the result depends on it most
	}
	r = min(max(r, 1e-9), 1-1e-3)
	x := -math.Log(r)
	return min(max((1/math.Tanh(x/2)-2/x)/(2*(1-r)), 1./12), 0.5)
}

// change is all changes between two units; before is the lower number.
type change struct {
	before, after int32
	weight2       float64
	error         float64 // see pair.error
}

// sorted lists the pairs in an order that does not change from run to run, since
// sums of floating point numbers depend on it. No sample may come after the first call.
func (c *changes) sorted() []change {
	if len(c.list) > 0 {
		return c.list
	}
	for k, p := range c.pairs {
		if p.near > 0 {
			c.list = append(c.list, change{k[0], k[1], p.weight2, p.error()})
		}
	}
	slices.SortFunc(c.list, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.before, b.before), cmp.Compare(a.after, b.after))
	})
	return c.list
}
