package simulate

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/energyprof/energyprof/report/attribution"
)

const ms = time.Millisecond

// everything is a machine with all there is, at once.
func everything() Machine {
	return Machine{
		Packages: []Package{
			{CPUs: 4, Busy: 0.6, Static: 10, Active: 8, DRAMStatic: 3, Siblings: true, Shared: 0.65, Crowding: -0.2, Drift: 0.2, DriftTime: 2 * time.Second},
			{CPUs: 5, Busy: 0.8, BusyCPU: []float64{1, 0.1, 0.5, 0.9, 0}, Static: 7, Active: 3, Types: []uint8{0, 0, 1, 1, 1}, TypeWatts: []float64{1, 0.4}, Crowding: 0.1},
		},
		Functions: []Function{
			{Watts: 5, DRAMWatts: 1, Share: 1}, {Watts: 15, Share: 2, Burst: 20 * ms}, {Watts: 9, DRAMWatts: 2, Share: 0.5, Burst: ms},
			{Watts: 3, DRAMWatts: 4}, {Watts: 7, Share: 1, Other: true}, {Watts: 11, Share: 1, CPUs: []int{2, 5}},
		},
		Phases: []Phase{
			{Length: 700 * ms, Busy: 1},
			{Length: 300 * ms, Busy: 0.5, Watts: []float64{1, 2, 3, 0.5, 1, 1}, Share: []float64{0, 1, 1, 0, 0, 1}},
		},
		Alternating: []Alternating{{Of: 0, With: 3, Part: 0.3}},
		Together:    []Together{{CPU: 5, Beside: 6, With: map[int]int{1: 2, 2: 2}}},
	}
}

// reference computes the power of a package at one instant by the definition.
func (tr *Trace) power(pkg int, t int64) (watts, dram float64) {
	m := &tr.Machine
	p := &m.Packages[pkg]
	cpus := tr.Series[pkg].CPUs
	running := func(cpu int) int {
		for _, r := range tr.runs[cpu] {
			if r.from <= t && t < r.to {
				return int(r.function)
			}
		}
		return idle
	}
	phase := t % int64(time.Second)
	own := func(f int) float64 {
		if phase >= int64(700*ms) {
			return m.Functions[f].Watts * m.Phases[1].Watts[f]
		}
		return m.Functions[f].Watts
	}
	busy, sum := 0, 0.0
	for i, cpu := range cpus {
		f := running(cpu)
		if f == idle {
			continue
		}
		busy++
		w, d := own(f), m.Functions[f].DRAMWatts
		if f == 0 {
			w, d = 0.7*w+0.3*own(3), 0.7*d+0.3*m.Functions[3].DRAMWatts
		}
		if p.Types != nil {
			w *= p.TypeWatts[p.Types[i]]
		}
		if p.Siblings && running(cpus[i^1]) != idle {
			w *= p.Shared
		}
		sum += w
		dram += d
	}
	s := float64(t) / 1e9
	watts = p.Static
	if p.Drift != 0 {
		watts *= 1 + p.Drift*(1-math.Exp(-s/p.DriftTime.Seconds()))
	}
	if busy > 0 {
		watts += p.Active + sum*(1+p.Crowding*float64(busy-1)/float64(p.CPUs-1))
	}
	return watts, dram + p.DRAMStatic
}

// The truth adds up to the energy that flows, and that is the integral of the
// power as the definition has it (here in steps, by chance within them).
func TestTruth(t *testing.T) {
	in := Instruments{Duration: 3 * time.Second, ReadEvery: 10 * ms, Hertz: 997, DRAM: true}
	tr, err := Record(everything(), in, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range tr.Truth.Series {
		sum := s.Baseline + s.Active
		for _, f := range s.Functions {
			sum += f.Joules
		}
		rs := tr.Readings[i]
		shown := rs[len(rs)-1].Joules - rs[0].Joules
		if math.Abs(sum-s.Joules) > 1e-9*s.Joules || math.Abs(shown-s.Joules) > 1e-9*s.Joules {
			t.Errorf("%v: parts %v, sum %v, shown by the counter %v", tr.Series[i], sum, s.Joules, shown)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for pkg := range tr.Machine.Packages {
		const steps = 20000
		var watts, dram float64
		step := float64(in.Duration) / steps
		for k := range steps {
			w, d := tr.power(pkg, lead+int64(step*(float64(k)+rng.Float64())))
			watts += w / steps
			dram += d / steps
		}
		for series, mean := range map[int]float64{pkg: watts, pkg + 2: dram} {
			if got := tr.Truth.Series[series].Joules / 3; math.Abs(got-mean) > 2e-3*mean {
				t.Errorf("%v: %v W, by steps %v", tr.Series[series], got, mean)
			}
		}
	}
}

// CPU time: of the truth, of the samples, and as asked for.
func TestSeconds(t *testing.T) {
	m := Machine{
		Packages:  []Package{{CPUs: 4, Busy: 0.5}, {CPUs: 2, Busy: 0.8}},
		Functions: []Function{{Share: 1}, {Share: 3, Burst: 20 * ms}, {Share: 1, Other: true}},
	}
	in := Instruments{Duration: 40 * time.Second, ReadEvery: 10 * ms, Hertz: 997}
	tr, err := Record(m, in, 3)
	if err != nil {
		t.Fatal(err)
	}
	a, err := attribution.New(tr.Series, attribution.Options{Method: attribution.Proportional})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Play(a); err != nil {
		t.Fatal(err)
	}
	r := a.Finish()
	sampled := make([]float64, 3)
	for _, s := range tr.Stretches {
		if s.Start >= lead && s.End <= lead+int64(in.Duration) {
			f := s.Key
			if f == attribution.KeyOther {
				f = 2
			}
			sampled[f] += s.Weight / 1e9
		}
	}
	for f, share := range []float64{0.2, 0.6, 0.2} {
		truth := tr.Truth.Series[0].Functions[f].Seconds + tr.Truth.Series[1].Functions[f].Seconds
		if want := share * (0.5*4 + 0.8*2) * 40; math.Abs(truth-want) > 0.06*want {
			t.Errorf("function %d ran for %v s, want about %v", f, truth, want)
		}
		if math.Abs(sampled[f]-truth) > 0.01*truth {
			t.Errorf("function %d: %v s sampled of %v", f, sampled[f], truth)
		}
	}
	var busy float64
	for _, s := range r.Series {
		busy += s.BusySeconds
	}
	if want := sampled[0] + sampled[1] + sampled[2]; math.Abs(busy-want) > 0.02 {
		t.Errorf("the attributor saw %v s of %v", busy, want)
	}
}

func TestSeed(t *testing.T) {
	in := Typical()
	in.Duration = time.Second
	in.Noise, in.Lost, in.ReadJitter = 0.05, 0.05, ms
	var traces [3]*Trace
	for i, seed := range []uint64{1, 1, 2} {
		tr, err := Record(everything(), in, seed)
		if err != nil {
			t.Fatal(err)
		}
		traces[i] = tr
	}
	if !reflect.DeepEqual(traces[0], traces[1]) {
		t.Error("one seed gave two recordings")
	}
	if reflect.DeepEqual(traces[0].Readings, traces[2].Readings) {
		t.Error("two seeds gave one recording")
	}
}
