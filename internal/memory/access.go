package memory

import (
	"cmp"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// lineBytes is what a load brings from memory, whatever the size of the caches' lines: the
// weight of the joules, as in package collect.
const lineBytes = 64

// unknownNode stands for a NUMA node that is not known.
const unknownNode = -1

// access is a sample with what it says about memory.
type access struct {
	s           *perfring.Sample
	event       int
	stack       int32
	memory      bool // of an event of memory accesses; false: a page fault or a breakpoint
	source      pebs.DataSource
	level       pebs.Level
	load, store bool   // store also of a breakpoint on writes
	period      uint64 // what the sample stands for
	latency     uint64 // cycles until the data was there; 0: not known
	bytes       uint64 // of loads that memory served
	pid         uint32 // whose address it is; 0: the kernel's, which is the same in all processes
	cpu         int
	node        int // of the address
}

// decode reads a sample. ok is false if it is of no event of the tables.
func (t *Table) decode(s *perfring.Sample, event int, stack int32) (a access, ok bool) {
	if event < 0 || event >= len(t.opt.Events) || t.opt.Events[event].Clock {
		return access{}, false
	}
	e := &t.opt.Events[event]
	a = access{s: s, event: event, stack: stack, memory: e.Memory, cpu: int(s.CPU), node: unknownNode,
		period: cmp.Or(s.Period, e.Period, 1)}
	if int64(s.Addr) >= 0 { // the upper half is the kernel's, on all that perf runs on
		a.pid = s.PID
	}
	if !a.memory {
		a.store = e.Writes
		return a, true
	}
	a.source = pebs.DataSource(s.DataSrc)
	a.level = a.source.Level()
	a.load, a.store = a.source.Loads(), a.source.Stores()
	a.latency = s.Weight
	if a.load && a.level.Memory() {
		a.bytes = times(a.period, lineBytes)
	}
	return a, true
}
