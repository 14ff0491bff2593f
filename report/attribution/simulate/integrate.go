package simulate

import (
	"cmp"
	"math"
	"slices"
)

// Truth is where the energy of a recording went, between its first reading and
// its last. For each series Baseline, Active and the joules of all functions
// add up to Joules.
type Truth struct {
	Series []SeriesTruth // as Trace.Series
}

// SeriesTruth is the truth of one energy counter.
type SeriesTruth struct {
	Joules    float64
	Baseline  float64 // static power
	Active    float64 // while any CPU ran
	Other     float64 // of the functions that are not sampled; in Functions too
	Functions []FunctionTruth
	// BaselineWatts is the mean static power, ActiveSeconds how long any CPU ran.
	BaselineWatts, ActiveSeconds float64
}

// FunctionTruth is one function on the CPUs of a series.
type FunctionTruth struct {
	Seconds float64 // of CPU time
	Joules  float64
	// LostSeconds is the part of Seconds whose samples were lost and booked as
	// lost: a profiler gives its joules to attribution.KeyLost.
	LostSeconds float64
}

// meter integrates the power of one package from event to event.
type meter struct {
	m   *Machine
	p   *Package
	cpu []cpuMeter

	now   int64
	busy  int     // CPUs that run
	watts float64 // of all cores, before crowding
	dram  float64 // W of all functions

	// Cumulative since the start.
	joules, dramJoules float64
	crowd              float64 // integral of the crowding factor, ns
	active             float64 // time with any CPU running, ns

	alternate map[int32]Alternating
	truth     []functionMeter
}

// cpuMeter is what one CPU does; watts and dram hold since the time since, when
// the integral of crowding was crowd.
type cpuMeter struct {
	function    int32
	phase       int32
	watts, dram float64
	since       int64
	crowd       float64
}

type functionMeter struct{ ns, joules, dram float64 }

func newMeter(m *Machine, p *Package) *meter {
	mt := &meter{m: m, p: p, cpu: make([]cpuMeter, p.CPUs), truth: make([]functionMeter, len(m.Functions)), alternate: m.alternates()}
	for i := range mt.cpu {
		mt.cpu[i].function = idle
	}
	return mt
}

// static is the energy of the static power from the start to t ns, in joules.
func (p *Package) static(t int64) float64 {
	s := float64(t) / 1e9
	if p.Drift == 0 {
		return p.Static * s
	}
	tau := p.DriftTime.Seconds()
	return p.Static * (s + p.Drift*(s-tau*(1-math.Exp(-s/tau))))
}

// factor is the present crowding.
func (mt *meter) factor() float64 {
	if mt.busy < 2 || mt.p.Crowding == 0 {
		return 1
	}
	return 1 + mt.p.Crowding*float64(mt.busy-1)/float64(mt.p.CPUs-1)
}

// to goes on to the time t, in ns.
func (mt *meter) to(t int64) {
	dt := float64(t - mt.now)
	mt.joules += mt.p.static(t) - mt.p.static(mt.now)
	mt.dramJoules += (mt.p.DRAMStatic + mt.dram) * dt / 1e9
	if mt.busy > 0 {
		crowd := mt.factor() * dt
		mt.crowd += crowd
		mt.joules += (mt.p.Active*dt + mt.watts*crowd) / 1e9
		mt.active += dt
	}
	mt.now = t
}

// set makes a CPU run a function, or idle, from now on.
func (mt *meter) set(cpu int, function, phase int32) {
	c := &mt.cpu[cpu]
	mt.close(cpu)
	if c.function == idle {
		mt.busy++
	}
	c.function, c.phase = function, phase
	if function == idle {
		mt.busy--
	}
	mt.power(cpu)
	if mt.p.Siblings {
		if sibling := cpu ^ 1; mt.cpu[sibling].function != idle {
			mt.close(sibling)
			mt.power(sibling)
		}
	}
	if mt.busy == 0 {
		mt.watts, mt.dram = 0, 0 // what rounding left
	}
}

// close books what a CPU has drawn since its power was last set.
func (mt *meter) close(cpu int) {
	c := &mt.cpu[cpu]
	if c.function != idle {
		ns := float64(mt.now - c.since)
		if a, ok := mt.alternate[c.function]; ok {
			own, with := mt.ownWatts(int(c.function), c.phase)*(1-a.Part), mt.ownWatts(a.With, c.phase)*a.Part
			share := 0.0
			if own+with > 0 {
				share = with / (own + with)
			}
			dramOwn, dramWith := mt.m.Functions[c.function].DRAMWatts*(1-a.Part), mt.m.Functions[a.With].DRAMWatts*a.Part
			joules := c.watts * (mt.crowd - c.crowd) / 1e9
			mt.truth[c.function].add(ns*(1-a.Part), joules*(1-share), dramOwn*ns/1e9)
			mt.truth[a.With].add(ns*a.Part, joules*share, dramWith*ns/1e9)
		} else {
			mt.truth[c.function].add(ns, c.watts*(mt.crowd-c.crowd)/1e9, c.dram*ns/1e9)
		}
	}
	c.since, c.crowd = mt.now, mt.crowd
}

func (f *functionMeter) add(ns, joules, dram float64) {
	f.ns += ns
	f.joules += joules
	f.dram += dram
}

func (mt *meter) ownWatts(function int, phase int32) float64 {
	w := mt.m.Functions[function].Watts
	if len(mt.m.Phases) > 0 && mt.m.Phases[phase].Watts != nil {
		w *= mt.m.Phases[phase].Watts[function]
	}
	return w
}

// power finds what a CPU draws from now on.
func (mt *meter) power(cpu int) {
	c := &mt.cpu[cpu]
	mt.watts -= c.watts
	mt.dram -= c.dram
	c.watts, c.dram = 0, 0
	if c.function == idle {
		return
	}
	f := int(c.function)
	c.watts, c.dram = mt.ownWatts(f, c.phase), mt.m.Functions[f].DRAMWatts
	if a, ok := mt.alternate[c.function]; ok {
		c.watts += a.Part * (mt.ownWatts(a.With, c.phase) - c.watts)
		c.dram += a.Part * (mt.m.Functions[a.With].DRAMWatts - c.dram)
	}
	if mt.p.Types != nil {
		c.watts *= mt.p.TypeWatts[mt.p.Types[cpu]]
	}
	if mt.p.Siblings && mt.cpu[cpu^1].function != idle {
		c.watts *= mt.p.Shared
	}
	mt.watts += c.watts
	mt.dram += c.dram
}

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

// difference is the truth since the state base, when mt.truth was zero.
func (mt *meter) difference(base *meter) (pkg, memory SeriesTruth) {
	seconds := float64(mt.now-base.now) / 1e9
	pkg.Joules, memory.Joules = mt.joules-base.joules, mt.dramJoules-base.dramJoules
	pkg.Baseline, memory.Baseline = mt.p.static(mt.now)-mt.p.static(base.now), mt.p.DRAMStatic*seconds
	pkg.ActiveSeconds = (mt.active - base.active) / 1e9
	memory.ActiveSeconds = pkg.ActiveSeconds
	pkg.Active = mt.p.Active * pkg.ActiveSeconds
	pkg.BaselineWatts, memory.BaselineWatts = pkg.Baseline/seconds, mt.p.DRAMStatic
	for i, f := range mt.truth {
		pkg.Functions = append(pkg.Functions, FunctionTruth{Seconds: f.ns / 1e9, Joules: f.joules})
		memory.Functions = append(memory.Functions, FunctionTruth{Seconds: f.ns / 1e9, Joules: f.dram})
		if mt.m.Functions[i].Other {
			pkg.Other += f.joules
			memory.Other += f.dram
		}
	}
	return pkg, memory
}

// event is a CPU that changes what it does.
type event struct {
	t        int64
	cpu      int
	function int32
}

// events merges the runs of CPUs: a heap of CPUs by their next change.
type events struct {
	runs [][]run
	heap []head
}

type head struct {
	t   int64
	cpu int32
	pos int32 // in runs, 2 x index + 1 at its end
}

func newEvents(runs [][]run) *events {
	e := &events{runs: runs}
	for cpu, r := range runs {
		if len(r) > 0 {
			e.heap = append(e.heap, head{r[0].from, int32(cpu), 0})
		}
	}
	for i := len(e.heap) / 2; i >= 0; i-- {
		e.down(i)
	}
	return e
}

func (e *events) down(i int) {
	h := e.heap
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].t < h[c].t {
			c++
		}
		if h[i].t <= h[c].t {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

func (e *events) next() (event, bool) {
	if len(e.heap) == 0 {
		return event{}, false
	}
	top := &e.heap[0]
	r := e.runs[top.cpu]
	ev := event{top.t, int(top.cpu), idle}
	if top.pos%2 == 0 {
		ev.function = r[top.pos/2].function
		top.t, top.pos = r[top.pos/2].to, top.pos+1
	} else {
		top.pos++
		if int(top.pos/2) == len(r) {
			*top = e.heap[len(e.heap)-1]
			e.heap = e.heap[:len(e.heap)-1]
		} else if next := r[top.pos/2]; next.from == ev.t { // from one function to the next
			ev.function = next.function
			top.t, top.pos = next.to, top.pos+1
		} else {
			top.t = next.from
		}
	}
	if len(e.heap) > 0 {
		e.down(0)
	}
	return ev, true
}
