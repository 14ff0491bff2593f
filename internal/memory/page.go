package memory

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"

	"github.com/energyprof/energyprof/pebs"
)

// heatSlots is how many stretches of time the heat of a page is told for; even, so that
// two become one when they are too short.
const heatSlots = 24

// firstSlot is the length of a slot at first: 1 << firstSlot ns, about a millisecond.
const firstSlot = 20

// pages are the pages that were accessed, as many of the hottest as there is room for.
type pages struct {
	max       int
	size      uint64 // of pages whose samples do not say it
	of        map[pageKey]*page
	next      int32 // number of the next page
	shares    shares
	out       tally  // of what is in no page: without address, or of pages that were given up
	forgotten uint64 // pages that were given up
	missing   uint64 // samples that a page can have had before, at most
	timed     bool
	start     uint64 // time of the first sample, ns
	last      uint64
	slotScale uint8 // slots are 1 << (firstSlot + slotScale) ns long
}

type pageKey struct {
	pid  uint32 // 0: the kernel's
	addr uint64
	size uint64
}

type page struct {
	pageKey
	tally
	id        int32
	last      uint64 // time of the last sample
	stack     int32  // of the first sample, which names the process
	node      int32
	moved     uint64
	phys      uint64 // physical address as of the last sample that had one; 0: not known
	levels    []levelCount
	heat      [heatSlots]uint64
	heatScale uint8 // the slotScale that heat is in
}

// levelCount is how many samples a level served.
type levelCount struct {
	level   pebs.Level
	samples uint64
}

// pairsOfPage is how many pairs of a page and a stack are kept for each page, on average.
const pairsOfPage = 4

func newPages(o *Options) pages {
	return pages{max: o.MaxPages, size: uint64(o.Page), of: map[pageKey]*page{}, shares: newShares(pairsOfPage * o.MaxPages)}
}

// find is the page of an access; nil if it has no address.
func (p *pages) find(a *access) *page {
	if a.s.Addr == 0 {
		return nil
	}
	key := pageKey{pid: a.pid, size: a.s.DataPageSize}
	if bits.OnesCount64(key.size) != 1 {
		key.size = p.size
	}
	key.addr = a.s.Addr &^ (key.size - 1)
	if found := p.of[key]; found != nil {
		return found
	}
	if len(p.of) >= p.max {
		p.prune()
	}
	found := &page{pageKey: key, id: p.next, stack: a.stack, node: unknownNode, heatScale: p.slotScale}
	p.of[key] = found
	p.next++
	return found
}

// prune gives up the colder half of the pages; of pages that are as hot as each other, those first that
// have not been seen for longest.
func (p *pages) prune() {
	all := slices.SortedFunc(maps.Values(p.of), func(a, b *page) int {
		return cmp.Or(cmp.Compare(a.samples, b.samples), cmp.Compare(a.last, b.last), cmp.Compare(a.id, b.id))
	})
	cold := all[:(len(all)+1)/2]
	var most uint64
	given := make(map[int32]bool, len(cold))
	for _, of := range cold {
		most = max(most, of.samples)
		p.out.merge(&of.tally)
		given[of.id] = true
		delete(p.of, of.pageKey)
	}
	p.shares.giveUp(given)
	p.forgotten += uint64(len(cold))
	p.missing += most
}

// add counts an access of a page that find found.
func (p *pages) add(of *page, a *access, column, columns int) {
	of.tally.add(a, column, columns)
	p.shares.add(of.id, a)
	of.last = max(of.last, a.s.Time)
	if a.node != unknownNode {
		if of.node != unknownNode && int(of.node) != a.node {
			of.moved++
		}
		of.node = int32(a.node)
	}
	if a.s.PhysAddr != 0 {
		of.phys = a.s.PhysAddr &^ (of.size - 1)
	}
	if a.memory {
		of.levels = served(of.levels, a.level)
	}
	if slot, ok := p.slot(a.s.Time); ok {
		of.cool(p.slotScale)
		of.heat[slot] = plus(of.heat[slot], a.period)
	}
}

// slot is the slot of a time; slots get longer where there are too few.
func (p *pages) slot(time uint64) (slot int, ok bool) {
	if time == 0 {
		return 0, false
	}
	if !p.timed {
		p.timed, p.start = true, time
	}
	p.last = max(p.last, time)
	since := time - min(p.start, time) // records can be a little out of order
	for since>>(firstSlot+p.slotScale) >= heatSlots {
		p.slotScale++
	}
	return int(since >> (firstSlot + p.slotScale)), true
}

// slots is how many slots have begun.
func (p *pages) slots() int {
	if !p.timed {
		return 0
	}
	return int((p.last-p.start)>>(firstSlot+p.slotScale)) + 1
}

// cool brings the heat to longer slots.
func (of *page) cool(scale uint8) {
	for ; of.heatScale < scale; of.heatScale++ {
		for i := range heatSlots / 2 {
			of.heat[i] = plus(of.heat[2*i], of.heat[2*i+1])
		}
		clear(of.heat[heatSlots/2:])
	}
}

// served counts a sample of a level.
func served(levels []levelCount, level pebs.Level) []levelCount {
	for i := range levels {
		if levels[i].level == level {
			levels[i].samples++
			return levels
		}
	}
	return append(levels, levelCount{level, 1})
}
