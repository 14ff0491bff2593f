package simulate

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

const idle = -1

// run is a stretch of one CPU; function is the index or idle.
type run struct {
	from, to int64 // ns
	function int32
}

// Streams of random numbers, so that a change of one thing (more CPUs, more
// noise) leaves the rest of a recording as it was.
const (
	streamSchedule = iota << 32
	streamSamples
	streamReadings
	streamThrottle
	streamOracle
)

func source(seed uint64, stream, n int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(stream+n)))
}

// choice is what a CPU chooses from in a phase.
type choice struct {
	cumulative []float64 // of the chances, ends at 1
	function   []int32
	burst      []float64 // ns, mean
}

// choices are the chances on one CPU: a state that takes a share s of the time
// in bursts of mean length b is chosen with a chance proportional to s/b.
func (m *Machine) choices(cpu int, busy float64, shares []float64) choice {
	var c choice
	var sum float64
	add := func(f int32, share float64, burst time.Duration) {
		if share <= 0 {
			return
		}
		if burst == 0 {
			burst = defaultBurst
		}
		sum += share / float64(burst)
		c.cumulative = append(c.cumulative, sum)
		c.function = append(c.function, f)
		c.burst = append(c.burst, float64(burst))
	}
	share := make([]float64, len(m.Functions))
	var all float64
	for i, f := range m.Functions {
		if f.runsOn(cpu) {
			share[i] = f.Share
			if shares != nil {
				share[i] = shares[i]
			}
			all += share[i]
		}
	}
	if all == 0 {
		busy = 0
	}
	for i, f := range m.Functions {
		add(int32(i), share[i]/max(all, math.SmallestNonzeroFloat64)*busy, f.Burst)
	}
	add(idle, 1-busy, m.IdleBurst)
	for i := range c.cumulative {
		c.cumulative[i] /= sum
	}
	return c
}

func (f *Function) runsOn(cpu int) bool {
	if f.CPUs == nil {
		return true
	}
	for _, c := range f.CPUs {
		if c == cpu {
			return true
		}
	}
	return false
}

// phaseAt is the phase at t ns after the start, and when it ends.
func (m *Machine) phaseAt(t, until int64) (phase int, end int64) {
	if len(m.Phases) == 0 {
		return 0, until
	}
	var cycle int64
	for _, p := range m.Phases {
		cycle += int64(p.Length)
	}
	base := t - t%cycle
	end = base
	for i, p := range m.Phases {
		end += int64(p.Length)
		if t < end {
			return i, end
		}
	}
	return 0, end
}

// schedule is what every CPU does in [0, until), idle left out.
func (m *Machine) schedule(seed uint64, until int64) [][]run {
	cpus := make([][]run, 0, m.CPUs())
	for pkg := range m.Packages {
		p := &m.Packages[pkg]
		for i := range p.CPUs {
			busy := p.Busy
			if p.BusyCPU != nil {
				busy = p.BusyCPU[i]
			}
			cpus = append(cpus, m.scheduleCPU(source(seed, streamSchedule, len(cpus)), len(cpus), busy, until))
		}
	}
	for _, t := range m.Together {
		cpus[t.Beside] = nil
		for _, r := range cpus[t.CPU] {
			if with, ok := t.With[int(r.function)]; ok {
				cpus[t.Beside] = append(cpus[t.Beside], run{r.from, r.to, int32(with)})
			}
		}
	}
	return cpus
}

func (m *Machine) scheduleCPU(rng *rand.Rand, cpu int, busy float64, until int64) []run {
	var choices []choice
	if len(m.Phases) == 0 {
		choices = append(choices, m.choices(cpu, busy, nil))
	}
	for _, p := range m.Phases {
		choices = append(choices, m.choices(cpu, min(1, busy*p.Busy), p.Share))
	}
	var runs []run
	for t := int64(0); t < until; {
		phase, end := m.phaseAt(t, until)
		c := &choices[phase]
		k := sort.SearchFloat64s(c.cumulative, rng.Float64())
		k = min(k, len(c.function)-1)
		to := min(t+1+int64(rng.ExpFloat64()*c.burst[k]), end, until)
		if c.function[k] != idle {
			runs = append(runs, run{t, to, c.function[k]})
		}
		t = to
	}
	return runs
}
