package simulate

import (
	"cmp"
	"math"
	"slices"
)

// stop is a time at which something is to be done with the meter.
type stop struct {
	at int64
	do func(*meter)
}

// integrate runs a package with its stops: runs by CPU of the package, in order.
func (m *Machine) integrate(p *Package, runs [][]run, stops []stop) {
	slices.SortStableFunc(stops, func(a, b stop) int { return cmp.Compare(a.at, b.at) })
	mt := newMeter(m, p)
	for events := newEvents(runs); ; {
		e, more := events.next()
		for len(stops) > 0 && (!more || stops[0].at <= e.t) {
			mt.to(stops[0].at)
			stops[0].do(mt)
			stops = stops[1:]
		}
		if !more {
			return
		}
		mt.to(e.t)
		phase := 0
		if len(m.Phases) > 0 && e.function != idle {
			phase, _ = m.phaseAt(e.t, math.MaxInt64)
		}
		mt.set(e.cpu, e.function, int32(phase))
	}
}

// edge books what is open.
func (mt *meter) edge() {
	for cpu := range mt.cpu {
		mt.close(cpu)
	}
}

// measure integrates a package: the energy of package and memory at each of the
// times at, and the truth between from and to.
func (m *Machine) measure(p *Package, runs [][]run, at []int64, from, to int64) (joules, dram []float64, pkg, memory SeriesTruth) {
	var stops []stop
	for _, t := range at {
		stops = append(stops, stop{t, func(mt *meter) {
			joules, dram = append(joules, mt.joules), append(dram, mt.dramJoules)
		}})
	}
	var base meter
	stops = append(stops,
		stop{from, func(mt *meter) {
			mt.edge()
			clear(mt.truth)
			base = *mt
		}},
		stop{to, func(mt *meter) {
			mt.edge()
			pkg, memory = mt.difference(&base)
		}})
	m.integrate(p, runs, stops)
	return joules, dram, pkg, memory
}
