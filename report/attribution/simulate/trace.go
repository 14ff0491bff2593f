package simulate

import (
	"fmt"
	"slices"
	"time"

	"github.com/energyprof/energyprof/report/attribution"
)

// Trace is a recording as a profiler sees it, and the truth.
type Trace struct {
	Machine     Machine
	Instruments Instruments
	Series      []attribution.Series // package of each package; then, with DRAM, dram of each
	Readings    [][]Reading          // by series
	Stretches   []Stretch            // in the order of their ends
	Truth       Truth

	runs [][]run // by CPU
}

// Reading is a value of a counter: joules since any origin at t ns.
type Reading struct {
	T      int64
	Joules float64
}

// Stretch is CPU time, as attribution.Attributor.Busy takes it; the key of a
// sample is the index of its function.
type Stretch struct {
	Start, End int64   // ns
	Weight     float64 // ns
	CPU        int32
	Key        attribution.Key
}

const (
	// lead is how long the machine runs before the first reading, so that a
	// counter that lags has something to show, and tail how long after the last.
	lead = int64(100 * time.Millisecond)
	tail = int64(20 * time.Millisecond)
	// advanceEvery is how often Play shares out, as a recording does.
	advanceEvery = int64(250 * time.Millisecond)
)

// Record runs the machine under the instruments.
func Record(m Machine, in Instruments, seed uint64) (*Trace, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	from, to := lead, lead+int64(in.Duration)
	tr := &Trace{Machine: m, Instruments: in, runs: m.schedule(seed, to+tail)}
	var memory []attribution.Series
	var memoryReadings [][]Reading
	var memoryTruth []SeriesTruth
	first := 0
	for i := range m.Packages {
		p := &m.Packages[i]
		cpus := make([]int, p.CPUs)
		for c := range cpus {
			cpus[c] = first + c
		}
		rng := source(seed, streamReadings, i)
		times := in.times(rng, from, to)
		joules, dram, truth, dramTruth := m.measure(p, tr.runs[first:first+p.CPUs], times.shows, from, to)
		tr.Series = append(tr.Series, attribution.Series{Domain: packageDomain, Package: i, CPUs: cpus})
		tr.Readings = append(tr.Readings, in.read(rng, times.stamps, joules, in.Unit))
		tr.Truth.Series = append(tr.Truth.Series, truth)
		if in.DRAM {
			memory = append(memory, attribution.Series{Domain: memoryDomain, Package: i, CPUs: cpus})
			memoryReadings = append(memoryReadings, in.read(rng, times.stamps, dram, in.DRAMUnit))
			memoryTruth = append(memoryTruth, dramTruth)
		}
		first += p.CPUs
	}
	tr.Series = append(tr.Series, memory...)
	tr.Readings = append(tr.Readings, memoryReadings...)
	tr.Truth.Series = append(tr.Truth.Series, memoryTruth...)
	tr.sample(seed)
	return tr, nil
}

// Play gives the recording to an attributor in the order of time, and shares
// out as it goes, as a profiler does. The attributor is not finished.
func (tr *Trace) Play(a *attribution.Attributor) error {
	next := make([]int, len(tr.Readings))
	readings := func(t int64) error {
		for s, rs := range tr.Readings {
			for next[s] < len(rs) && rs[next[s]].T <= t {
				r := rs[next[s]]
				if err := a.Reading(s, r.T, r.Joules); err != nil {
					return fmt.Errorf("simulate: %w", err)
				}
				next[s]++
			}
		}
		return nil
	}
	late := tr.longest()
	done := int64(0)
	for _, s := range tr.Stretches {
		if s.End >= done+advanceEvery {
			done = s.End
			if err := readings(done); err != nil {
				return err
			}
			a.Advance(done - late)
		}
		if err := a.Busy(s.Key, int(s.CPU), s.Start, s.End, s.Weight); err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
	}
	return readings(1 << 62)
}

// longest is how long before its end a stretch may begin.
func (tr *Trace) longest() int64 {
	var n int64
	for i := range tr.Stretches {
		n = max(n, tr.Stretches[i].End-tr.Stretches[i].Start)
	}
	return n
}

// Function is what attribution.Options.Function takes: the function of a key
// and its pool.
func (tr *Trace) Function(key attribution.Key) (function, pool int32) {
	return int32(key), tr.Machine.Functions[key].Pool
}

// StaticWatts is the mean static power of each series, for
// attribution.Options.BaselineWatts.
func (tr *Trace) StaticWatts() []float64 {
	w := make([]float64, len(tr.Series))
	for i := range w {
		w[i] = tr.Truth.Series[i].BaselineWatts
	}
	return w
}

// sort puts stretches in the order of their ends.
func sortStretches(s []Stretch) {
	slices.SortStableFunc(s, func(a, b Stretch) int {
		switch {
		case a.End < b.End:
			return -1
		case a.End > b.End:
			return 1
		}
		return 0
	})
}
