package memory

import (
	"cmp"
	"slices"

	"github.com/energyprof/energyprof/pebs"
)

// lines are the cache lines that were accessed, as many of the hottest as there is room for. A line is
// told apart by process and virtual address; lines that are one in physical memory are put together at
// the end (lineRows).
type lines struct {
	max       int
	size      uint64 // in bytes, a power of two
	of        map[lineKey]*line
	uses      int   // of all lines
	callers   int   // of all lines
	out       tally // without address, or of lines that were given up
	forgotten uint64
	missing   uint64 // samples that a line can have had before, at most
	nameless  uint64 // accesses of callers that were given up
}

type lineKey struct {
	pid  uint32 // 0: the kernel's
	addr uint64
}

// line is what is known of one: who did what at which offset.
type line struct {
	lineKey
	tally
	Coherence
	stack       int32 // of the first sample, which names the process
	node        int32
	phys        uint64 // physical address as of the last sample that had one; 0: not known
	first, last uint64 // times, ns
	levels      []levelCount
	uses        []use
	callers     []caller
	crowd       uint64 // samples that are in no use because there are too many
}

// use is what one thread did on one CPU at one offset.
type use struct {
	useKey
	read, written bool
	tally
	Coherence
}

type useKey struct {
	offset   uint32
	cpu      int32
	pid, tid uint32
}

// caller is what one stack did at one offset. It is apart from the threads: of code without frame pointers nearly
// every sample can have a stack of its own.
type caller struct {
	callerKey
	accesses uint64
	bytes    uint64 // access.bytes
}

type callerKey struct {
	offset uint32
	stack  int32
}

const (
	usesOfLine     = 256 // at most; a line of 64 bytes that is fought for has some dozens
	usesOfLines    = 4   // at most, on average over all lines
	callersOfLine  = 256
	callersOfLines = 8 // more than one, since one of each line is always kept
	// hitMWeight is how many samples one that found the line modified elsewhere counts for when it is
	// decided which lines are given up: those that are fought for are looked for.
	hitMWeight = 16
)

func newLines(o *Options) lines {
	return lines{max: o.MaxLines, size: uint64(o.Line), of: map[lineKey]*line{}}
}

// add takes an access; column is that of its event among the counted ones, or none.
func (l *lines) add(a *access, column, columns int) {
	if a.s.Addr == 0 {
		l.out.add(a, column, columns)
		return
	}
	if l.uses >= usesOfLines*l.max {
		l.prune()
	}
	key := lineKey{pid: a.pid, addr: a.s.Addr &^ (l.size - 1)}
	of := l.of[key]
	if of == nil {
		if len(l.of) >= l.max {
			l.prune()
		}
		of = &line{lineKey: key, stack: a.stack, node: unknownNode, first: a.s.Time, last: a.s.Time}
		l.of[key] = of
	}
	of.tally.add(a, column, columns)
	if a.node != unknownNode {
		of.node = int32(a.node)
	}
	if a.s.PhysAddr != 0 {
		of.phys = a.s.PhysAddr &^ (l.size - 1)
	}
	of.first, of.last = min(of.first, a.s.Time), max(of.last, a.s.Time)
	u := l.use(of, a)
	if u != nil {
		u.tally.add(a, column, columns)
		u.read, u.written = u.read || a.load, u.written || a.store
	} else {
		of.crowd++
	}
	l.called(of, a)
	if !a.memory {
		return
	}
	of.Coherence.count(a.source)
	if u != nil {
		u.Coherence.count(a.source)
	}
	if a.load {
		of.levels = countLevel(of.levels, a.level, 1)
	}
}

// countLevel counts samples that a level served.
func countLevel(levels []levelCount, level pebs.Level, samples uint64) []levelCount {
	for i := range levels {
		if levels[i].level == level {
			levels[i].samples += samples
			return levels
		}
	}
	return append(levels, levelCount{level, samples})
}

// use is the part of a line that an access belongs to; nil if the line has too many.
func (l *lines) use(of *line, a *access) *use {
	key := useKey{offset: uint32(a.s.Addr & (l.size - 1)), cpu: int32(a.cpu), pid: a.s.PID, tid: a.s.TID}
	for i := range of.uses {
		if of.uses[i].useKey == key {
			return &of.uses[i]
		}
	}
	if len(of.uses) >= usesOfLine {
		return nil
	}
	l.uses++
	of.uses = append(of.uses, use{useKey: key})
	return &of.uses[len(of.uses)-1]
}

// called notes by which stack an access was made.
func (l *lines) called(of *line, a *access) {
	key := callerKey{offset: uint32(a.s.Addr & (l.size - 1)), stack: a.stack}
	for i := range of.callers {
		if c := &of.callers[i]; c.callerKey == key {
			c.accesses, c.bytes = plus(c.accesses, a.period), plus(c.bytes, a.bytes)
			return
		}
	}
	if len(of.callers) >= callersOfLine {
		l.forget(of)
	}
	if l.callers >= callersOfLines*l.max {
		for _, of := range l.of {
			l.forget(of)
		}
	}
	l.callers++
	of.callers = append(of.callers, caller{key, a.period, a.bytes})
}

// forget gives up the half of a line's callers that made the fewest accesses, so that those that come later have room.
func (l *lines) forget(of *line) {
	slices.Reverse(of.callers) // of equals those that came last stay
	slices.SortStableFunc(of.callers, func(a, b caller) int { return cmp.Compare(b.accesses, a.accesses) })
	most := (len(of.callers) + 1) / 2
	for _, c := range of.callers[most:] {
		l.nameless = plus(l.nameless, c.accesses)
	}
	l.callers -= len(of.callers) - most
	of.callers = of.callers[:most]
}

// heat is how much a line is wanted.
func (of *line) heat() uint64 { return of.samples + hitMWeight*(of.LocalHitM+of.RemoteHitM) }

// prune gives up the colder half of the lines; of lines that are as hot as each other, those first
// that have not been seen for longest.
func (l *lines) prune() {
	type ranked struct {
		heat, last uint64
		*line
	}
	all := make([]ranked, 0, len(l.of))
	for _, of := range l.of {
		all = append(all, ranked{of.heat(), of.last, of})
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.heat, b.heat), cmp.Compare(a.last, b.last), cmp.Compare(a.pid, b.pid), cmp.Compare(a.addr, b.addr))
	})
	var most uint64
	colder := all[:(len(all)+1)/2]
	for _, of := range colder {
		most = max(most, of.samples)
		l.out.merge(&of.tally)
		l.uses -= len(of.uses)
		l.callers -= len(of.callers)
		delete(l.of, of.lineKey)
	}
	l.forgotten += uint64(len(colder))
	l.missing += most
}
