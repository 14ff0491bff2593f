package simulate

import "math"

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
