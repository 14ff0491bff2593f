package perfdata

import (
	"slices"

	"github.com/energyprof/energyprof/perfring"
)

// readingEvery is the time in ns between two points of a series: samples can
// bring values more often than the hardware measures.
const readingEvery = 10e6

// energy follows the values of energy events in samples.
type energy struct {
	events  map[int][]int // domains of each event that counts energy
	series  map[uint64]*energySeries
	feeds   []uint64 // by domain: id of the counter that it is read from, 0 none yet
	pending []reading
	file    *File
}

// energySeries is one counter, by its id.
type energySeries struct {
	domain int // -1: not used
	last   uint64
	any    bool
}

// reading is the last point of a domain's series; it waits if the one
// before it was handed on just now.
type reading struct {
	time   int64
	joules float64
	waits  bool
	handed int64 // time of the one handed on last
	any    bool  // one was
}

// take takes the value of a counter if it is one of energy. Values grow since
// the counter was opened; one that goes back is a disturbance.
func (e *energy) take(s *perfring.Sample, cpu, event int, v perfring.ReadValue) bool {
	domains, ok := e.events[event]
	if !ok {
		return false
	}
	r := &e.file.result
	r.EnergyReadings++
	series := e.series[v.ID]
	if series == nil {
		series = &energySeries{domain: e.assign(domains, cpu, v.ID)}
		e.series[v.ID] = series
	}
	switch {
	case series.domain < 0:
		return true
	case series.any && v.Value < series.last:
		r.EnergyBack++
		return true
	}
	series.last, series.any = v.Value, true
	p := &e.pending[series.domain]
	p.time, p.joules, p.waits = int64(s.Time), float64(v.Value)*e.file.EnergyDomains[series.domain].JoulesPerCount, true
	if !p.any || p.time >= p.handed+readingEvery {
		e.hand(series.domain)
	}
	return true
}

// assign finds the domain that the counter with an id belongs to: that of the CPU
// it was opened on. Of several counters of one domain the first is enough.
func (e *energy) assign(domains []int, cpu int, id uint64) int {
	if cpu < 0 {
		if known, ok := e.file.cpuOfID[id]; ok {
			cpu = known
		}
	}
	for _, d := range domains {
		if len(domains) > 1 && !slices.Contains(e.file.EnergyDomains[d].CPUs, cpu) {
			continue
		}
		if e.feeds[d] != 0 {
			return -1
		}
		e.feeds[d] = id
		return d
	}
	e.file.notes.add("energy of CPU %d, which the topology of the file has not, is left out", cpu)
	return -1
}

func (e *energy) hand(domain int) {
	p := &e.pending[domain]
	e.file.sink.Energy(domain, p.time, p.joules)
	p.waits, p.any, p.handed = false, true, p.time
}

// deliver hands on the readings that wait: all records up to them were.
func (e *energy) deliver() {
	for domain := range e.pending {
		if e.pending[domain].waits {
			e.hand(domain)
		}
	}
}
