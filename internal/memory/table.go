package memory

import (
	"math"
	"math/bits"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// A Table takes samples with addresses as they come, in the order of time as nearly as may be. Its memory
// is bounded by Options. It is not safe for concurrent use.
type Table struct {
	opt     Options
	counted []string // names of the events that are counted in place of loads and stores
	column  []int    // per event: its place in counted, none for memory accesses

	cells     map[cellKey]int32
	list      []cell
	crowd     uint64           // samples that are in a cell of no node or no stack because there were too many
	strays    map[int32]uint64 // bytes of stacks that are in a cell of none
	latencies latencies
	pages     pages
	lines     lines
	spool     spool

	used   []used         // per event
	remote map[int]uint64 // accesses from CPUs of other nodes, by node
}

const none = -1

// cellKey is what rows are put together from.
type cellKey struct {
	stack int32
	node  int32
	level pebs.Level
}

type cell struct {
	cellKey
	tally
}

// tally is what some of the samples come to. Sums stay at their largest value instead of overflowing.
type tally struct {
	samples       uint64
	accesses      uint64   // that samples stand for: loads, stores, prefetches
	loads, stores uint64   // an access can be both
	counts        []uint64 // of page faults and breakpoints, by Table.counted; nil: none
	bytes         uint64   // access.bytes
	cycles        float64  // of the latencies, each as often as its sample stands for
	timed         uint64   // accesses that have a latency
}

// used is what of an event is in the table.
type used struct{ samples, represented uint64 }

// New makes an empty table.
func New(opt Options) *Table {
	opt.fill()
	t := &Table{opt: opt, cells: map[cellKey]int32{}, strays: map[int32]uint64{}, latencies: newLatencies(opt.MaxLatencies),
		pages: newPages(&opt), lines: newLines(&opt), spool: newSpool(&opt),
		used: make([]used, len(opt.Events)), remote: map[int]uint64{}}
	place := map[string]int{}
	for _, e := range opt.Events {
		column := none
		if !e.Memory && !e.Clock {
			known := false
			if column, known = place[e.Name]; !known {
				column = len(t.counted)
				place[e.Name] = column
				t.counted = append(t.counted, e.Name)
			}
		}
		t.column = append(t.column, column)
	}
	return t
}

// Add takes a sample of an event, by its number in Options.Events. stack is where in the profile it
// is: the index in pprofile.Profile.Stacks.
func (t *Table) Add(s *perfring.Sample, event int, stack int32) {
	a, ok := t.decode(s, event, stack)
	if !ok {
		return
	}
	if a.memory && !a.source.Accesses() {
		return
	}
	t.used[event].samples++
	t.used[event].represented = plus(t.used[event].represented, a.period)
	p := t.pages.find(&a)
	a.node = t.opt.Nodes.of(s)
	column := t.column[event]
	id := t.cell(cellKey{stack: stack, node: int32(a.node), level: a.level})
	t.list[id].add(&a, column, len(t.counted))
	if a.bytes > 0 && t.list[id].stack != stack {
		t.strays[stack] = plus(t.strays[stack], a.bytes)
	}
	if a.latency > 0 {
		t.latencies.add(id, a.latency, a.period)
	}
	if n := t.opt.Nodes.ofCPU(a.cpu); a.node != unknownNode && n != unknownNode && n != a.node {
		t.remote[a.node] = plus(t.remote[a.node], a.period)
	}
	if p != nil {
		t.pages.add(p, &a, column, len(t.counted))
	} else {
		t.pages.out.add(&a, column, len(t.counted))
	}
	t.lines.add(&a, column, len(t.counted))
	t.spool.add(&a)
}

// cell is the number of the cell of a key. Where there are too many, new ones are first of no node, then of no stack.
func (t *Table) cell(key cellKey) int32 {
	id, ok := t.cells[key]
	if ok {
		return id
	}
	if len(t.list) >= t.opt.MaxCells {
		t.crowd++
		key.node = unknownNode
		if id, ok = t.cells[key]; ok {
			return id
		}
		key.stack = none
		if id, ok = t.cells[key]; ok {
			return id
		}
	}
	id = int32(len(t.list))
	t.list = append(t.list, cell{cellKey: key})
	t.cells[key] = id
	return id
}

// add counts an access; column is that of its event among the counted ones, or none.
func (s *tally) add(a *access, column, columns int) {
	s.samples++
	if column != none {
		if s.counts == nil {
			s.counts = make([]uint64, columns)
		}
		s.counts[column] = plus(s.counts[column], a.period)
		return
	}
	s.accesses = plus(s.accesses, a.period)
	if a.load {
		s.loads = plus(s.loads, a.period)
	}
	if a.store {
		s.stores = plus(s.stores, a.period)
	}
	s.bytes = plus(s.bytes, a.bytes)
	if a.latency > 0 {
		s.cycles += float64(a.latency) * float64(a.period)
		s.timed = plus(s.timed, a.period)
	}
}

// merge adds another sum.
func (s *tally) merge(o *tally) {
	s.samples += o.samples
	s.accesses, s.loads, s.stores = plus(s.accesses, o.accesses), plus(s.loads, o.loads), plus(s.stores, o.stores)
	s.bytes, s.timed = plus(s.bytes, o.bytes), plus(s.timed, o.timed)
	s.cycles += o.cycles
	if s.counts == nil && o.counts != nil {
		s.counts = make([]uint64, len(o.counts))
	}
	for i, n := range o.counts {
		s.counts[i] = plus(s.counts[i], n)
	}
}

// plus adds without overflow, for files with periods of anybody's choice.
func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// times multiplies without overflow.
func times(a, b uint64) uint64 {
	if high, low := bits.Mul64(a, b); high == 0 {
		return low
	}
	return math.MaxUint64
}
