package collect

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
)

// A simulated machine whose memory draws static power and so much for each byte that moves, by the tier that it is
// in. Functions load at a rate of their own; hardware prefetches and writes back beside them.

// tier is memory that a load can be served by.
type tier struct {
	source pebs.DataSource
	perGB  float64 // J
}

// Loads that caches served, and the tiers: about what DDR4 takes (60 pJ a bit), and twice to four times of it.
var (
	tierCache  = tier{source: pebs.OpLoad | pebs.LvlHit | pebs.LvlL3 | pebs.NumL3}
	tierDRAM   = tier{pebs.OpLoad | pebs.LvlHit | pebs.LvlLocalRAM | pebs.NumRAM, 0.5}
	tierPMEM   = tier{pebs.OpLoad | pebs.LvlHit | pebs.NumPMEM, 2}
	tierRemote = tier{pebs.OpLoad | pebs.LvlHit | pebs.LvlRemoteRAM1 | pebs.NumRAM | pebs.RemoteBit, 0.5}
)

// simFunction is what CPUs run.
type simFunction struct {
	name   string
	in     int     // the function that does the loads for it, plus one; 0: itself
	share  float64 // of the bursts
	loads  float64 // sampled kind, millions a second
	tiers  []tier
	part   []float64 // of the loads, by tier
	beside float64   // lines prefetched and written back for each load that memory served, from and to the same tier
	writes float64   // GB a second written to DRAM whatever it loads
}

// simMachine is packages of CPUs that run functions in bursts.
type simMachine struct {
	packages, cpus int     // cpus in each
	busy           float64 // part of the time
	static         float64 // W of the memory of a package
	functions      []simFunction
	seconds        float64
	period         uint64  // loads between two samples
	jitter         float64 // of the period, relative standard deviation
}

// simTruth is joules by function.
type simTruth struct {
	static float64
	loads  []float64 // of lines that loads moved
	beside []float64 // of all other lines
	gb     [2]float64
}

func (t *simTruth) all(f int) float64 { return t.loads[f] + t.beside[f] }

const (
	simStep  = 250_000    // ns
	simClock = 1_003_009  // ns between samples of the clock
	simRead  = 10_000_000 // ns between readings
	simText  = 0x1000     // address of the first function
)

// run makes the recording and gives it to a collector.
func (m *simMachine) run(t *testing.T, seed uint64, traffic bool, change func(c *Collector)) (*report.Recording, *Collector, simTruth) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	truth := simTruth{loads: make([]float64, len(m.functions)), beside: make([]float64, len(m.functions))}
	end := int64(m.seconds * 1e9)
	steps := int(end/simStep) + 1
	joules, lines := make([][]float64, m.packages), make([][]float64, m.packages) // by step
	for p := range joules {
		joules[p], lines[p] = make([]float64, steps), make([]float64, steps)
		for i := range joules[p] {
			joules[p][i] = m.static * simStep / 1e9
		}
	}
	truth.static = m.static * m.seconds * float64(m.packages)
	type sample struct {
		time   int64
		cpu, f int
		source pebs.DataSource
		event  int // in Options.Events
	}
	var samples []sample
	var shares float64
	for _, f := range m.functions {
		shares += f.share
	}
	spread := func(p int, from, to int64, j, l float64) {
		for at := from; at < to; {
			step := at / simStep
			next := min(to, (step+1)*simStep)
			part := float64(next-at) / float64(to-from)
			joules[p][step] += j * part
			lines[p][step] += l * part
			at = next
		}
	}
	for cpu := range m.packages * m.cpus {
		home := cpu / m.cpus
		left := float64(m.period) * rng.Float64()
		clock := int64(rng.Float64() * 1e6)
		for at := int64(0); at < end; {
			length := int64(rng.ExpFloat64() * 20e6)
			to := min(end, at+length)
			if rng.Float64() >= m.busy {
				at = to
				continue
			}
			f := 0
			for pick := rng.Float64() * shares; f < len(m.functions)-1 && pick >= m.functions[f].share; f++ {
				pick -= m.functions[f].share
			}
			fn := &m.functions[f]
			s := float64(to-at) / 1e9
			for i, tr := range fn.tiers {
				if tr.perGB == 0 {
					continue
				}
				p := home
				if tr == tierRemote {
					p = (home + 1) % m.packages
				}
				n := fn.loads * 1e6 * fn.part[i] * s
				gb := n * 64 / 1e9
				truth.loads[f] += gb * tr.perGB
				truth.beside[f] += gb * fn.beside * tr.perGB
				truth.gb[0] += gb
				truth.gb[1] += gb * fn.beside
				counted := n * (1 + fn.beside)
				if tr == tierPMEM {
					counted = 0 // by other controllers
				}
				spread(p, at, to, gb*(1+fn.beside)*tr.perGB, counted)
			}
			if gb := fn.writes * s; gb > 0 {
				truth.beside[f] += gb * tierDRAM.perGB
				truth.gb[1] += gb
				spread(home, at, to, gb*tierDRAM.perGB, gb*1e9/64)
			}
			// Samples of loads, and of the clock.
			rate := fn.loads * 1e6 / 1e9 // a ns
			for now := float64(at); ; {
				need := left / rate
				if rate == 0 || now+need >= float64(to) {
					left -= (float64(to) - now) * rate
					break
				}
				now += need
				pick, i := rng.Float64(), 0
				for ; i < len(fn.part)-1 && pick >= fn.part[i]; i++ {
					pick -= fn.part[i]
				}
				samples = append(samples, sample{int64(now), cpu, f, fn.tiers[i].source, 1})
				left = float64(m.period) * max(0.05, 1+m.jitter*rng.NormFloat64())
			}
			for ; clock < to; clock += simClock {
				if clock >= at {
					samples = append(samples, sample{clock, cpu, f, 0, 0})
				}
			}
			at = to
		}
	}
	slices.SortFunc(samples, func(a, b sample) int { // a stable sort of them takes a third of the test
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.event, b.event))
	})

	opt := Options{SystemWide: true, Events: []Event{{Name: "cpu-clock", Clock: true, Period: simClock}, {Name: "cpu/mem-loads/", Memory: true}},
		Energy: rapl.Info{Name: "sim", Measured: true}, Attribution: attribution.Options{Method: attribution.Auto}, CounterMethod: attribution.Auto}
	opt.Memory = Memory{Weigh: true, ServedBy: func(s *perfring.Sample, cpu int) int {
		if pebs.DataSource(s.DataSrc) == tierRemote.source {
			return (cpu/m.cpus + 1) % m.packages * m.cpus
		}
		return cpu
	}}
	cas := rapl.CountedEvent{Name: "uncore_imc/cas_count/"}
	for p := range m.packages {
		var cpus []int
		for c := range m.cpus {
			cpus = append(cpus, p*m.cpus+c)
		}
		opt.Energy.Domains = append(opt.Energy.Domains, rapl.Domain{Name: "dram", Package: p, CPUs: cpus})
		cas.Domains = append(cas.Domains, rapl.Domain{Name: cas.Name, Package: p, CPUs: cpus})
	}
	if traffic {
		opt.Counters, opt.Memory.Traffic = []rapl.CountedEvent{cas}, []int{0}
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	c.Record(&perfring.Comm{PID: 7, TID: 7, Name: []byte("app"), Exec: true}, 0, -1)
	for f := range m.functions { // code without names is told apart by file
		c.Record(&perfring.Mmap2{PID: 7, TID: 7, Addr: simText * uint64(f+1), Len: simText, Filename: []byte("/bin/" + m.functions[f].name)}, 0, -1)
	}
	energy, counted := make([]float64, m.packages), make([]float64, m.packages)
	chain := make([]uint64, 3)
	step, next := 0, 0
	for at := int64(0); at <= end; at += simRead {
		for ; step < int(at/simStep); step++ {
			for p := range joules {
				energy[p] += joules[p][step]
				counted[p] += lines[p][step]
			}
		}
		for ; next < len(samples) && samples[next].time < at; next++ {
			s := &samples[next]
			rec := &perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser | perfring.MiscExactIP}, PID: 7, TID: 7, Time: uint64(s.time),
				IP: simText * uint64(cmp.Or(m.functions[s.f].in, s.f+1)), DataSrc: uint64(s.source), Period: m.period, Weight: 100}
			rec.Callchain = append(chain[:0], perfring.ContextUser, rec.IP, simText*uint64(s.f+1)+9)
			if s.event == 0 {
				rec.Period = simClock
			}
			c.Record(rec, s.cpu, s.event)
		}
		for p := range joules {
			const unit = 15.3e-6 // of the DRAM counter of servers
			c.Energy(p, at, math.Floor(energy[p]/unit)*unit)
			if traffic {
				c.Count(p, at, math.Floor(counted[p]))
			}
		}
		c.Advance(at)
	}
	c.Advance(math.MaxInt64)
	r := c.Finish()
	if b := c.Books(); b.Refused > 0 {
		t.Fatalf("%d values refused: %v", b.Refused, b.Err)
	}
	return r, c, truth
}

// joulesOf sums up by function; the last is that of pprofile.Prefetch.
func (m *simMachine) joulesOf(r *report.Recording) []float64 {
	out := make([]float64, len(m.functions)+1)
	for i := range r.Data.Stacks {
		s := &r.Data.Stacks[i]
		f := len(m.functions)
		if l := s.Locations[len(s.Locations)-1]; l.Mapping != nil { // the caller
			f = int(l.Address/simText) - 1
		}
		for _, j := range s.Joules {
			out[f] += j
		}
	}
	return out
}
