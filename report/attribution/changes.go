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
	pairs map[[2]int32]float64 // sum of the squared weights, by the two units of a change
	near  []float64            // by unit: changes from one sample to the next
	far   []float64            // by unit: changes from one sample to the next but one

	starts, alone []float64 // by unit: changes from idle, and those with no other CPU busy
}

// cpuChanges is what the newest samples of a CPU saw: a unit or idle.
type cpuChanges struct {
	end      int64
	one, two int32
	known    bool
}

const idle = -1

func (c *changes) sample(s slice, unit int32) {
	if int(s.cpu) >= len(c.cpus) {
		c.cpus = grow(c.cpus, int(s.cpu)+1)
	}
	st := &c.cpus[s.cpu]
	period := s.end - s.start
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

// miss says that samples are missing: what is missing is not idle.
func (c *changes) miss(s slice) {
	if int(s.cpu) < len(c.cpus) {
		if st := &c.cpus[s.cpu]; st.known {
			st.end = max(st.end, s.end)
		}
	}
}

// start counts that a CPU which was idle runs unit.
func (c *changes) start(s slice, unit int32) {
	c.count(&c.starts, unit)
	for cpu := range c.cpus {
		if cpu != int(s.cpu) && c.cpus[cpu].end > s.start {
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
		a, b := min(unit, st.one), max(unit, st.one)
		c.pairs[[2]int32{a, b}] += weight * weight
		c.count(&c.near, a)
		c.count(&c.near, b)
	}
	if unit != st.two {
		c.count(&c.far, unit)
		c.count(&c.far, st.two)
	}
	st.one, st.two = unit, st.one
}

func (c *changes) count(n *[]float64, unit int32) {
	if unit == idle {
		return
	}
	if int(unit) >= len(*n) {
		*n = grow(*n, int(unit)+1)
	}
	(*n)[unit]++
}

// error is the variance, in squared weights, that each change of a unit adds to
// its sum. If runs are long against the period a change lies anywhere within it,
// 1/12. If they are short, samples are draws from what runs, and a sum errs like a
// binomial, 1/2 for each change seen. In between, for runs of exponential length,
// the error of a sum of samples against the integral follows from the correlation
// of neighbouring samples, and that from how much rarer changes are between
// neighbours than between samples that are two apart.
func (c *changes) error(unit int32) float64 {
	const fewest = 30
	var near, far float64
	if unit >= 0 && int(unit) < len(c.near) {
		near = c.near[unit]
	}
	if unit >= 0 && int(unit) < len(c.far) {
		far = c.far[unit]
	}
	if near < fewest {
		return 1. / 12
	}
	r := min(max(far/near-1, 1e-3), 1-1e-3)
	x := -math.Log(r)
	return min(max((1/math.Tanh(x/2)-2/x)/(2*(1-r)), 1./12), 0.5)
}

// change is all changes between two units; before is the lower number.
type change struct {
	before, after int32
	weight2       float64
}

// sorted lists the pairs in an order that does not change from run to run, since
// sums of floating point numbers depend on it.
func (c *changes) sorted() []change {
	var list []change
	for p, w := range c.pairs {
		list = append(list, change{p[0], p[1], w})
	}
	slices.SortFunc(list, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.before, b.before), cmp.Compare(a.after, b.after))
	})
	return list
}
