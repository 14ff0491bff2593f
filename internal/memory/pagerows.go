package memory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// mostFunctions is how many functions of a page are named.
const mostFunctions = 3

// heat is the time that slots cover; nil if samples have no times.
func (p *pages) heat() *Heat {
	if !p.timed {
		return nil
	}
	return &Heat{StartNanoseconds: p.start, Slots: p.slots(), SlotSeconds: float64(uint64(1)<<(firstSlot+p.slotScale)) / 1e9}
}

// pageRows are the pages, and what is in none.
func (b *builder) pageRows() ([]PageRow, *Rest) {
	p := &b.t.pages
	places := b.places(&p.shares)
	rows := make([]PageRow, 0, len(p.of))
	rest := Rest{Sum: b.sum(&p.out)}
	for id := range b.joules {
		b.addJoules(&rest.Sum, b.joules[id])
	}
	for _, page := range slices.SortedFunc(maps.Values(p.of), func(a, b *page) int { return cmp.Compare(a.id, b.id) }) {
		at := places[page.id]
		row := PageRow{Address: fmt.Sprintf("%#x", page.addr), Bytes: page.size, PID: int(int32(page.pid)), Moved: page.moved,
			Levels: map[string]uint64{}, Functions: at.mostOften(), Heat: []uint64{}, Sum: b.sum(&page.tally)}
		if page.pid != 0 {
			row.Process, _ = b.names.process(page.stack)
		}
		if page.phys != 0 {
			row.PhysicalAddress = fmt.Sprintf("%#x", page.phys)
		}
		if node := int(page.node); node != unknownNode {
			row.Node = &node
		}
		for _, l := range page.levels {
			row.Levels[l.level.String()] += l.samples
		}
		heat := *page
		heat.cool(p.slotScale)
		row.Heat = append(row.Heat, heat.heat[:p.slots()]...)
		b.addJoules(&row.Sum, at.joules)
		b.addJoules(&rest.Sum, -at.joules)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b PageRow) int {
		return cmp.Or(byCost(&a.Sum, &b.Sum), cmp.Compare(a.PID, b.PID), cmp.Compare(len(a.Address), len(b.Address)),
			cmp.Compare(a.Address, b.Address), cmp.Compare(a.Bytes, b.Bytes))
	})
	return rows, b.left(&rest)
}

// left is what is in no row of a table, nil if there is nothing.
func (b *builder) left(rest *Rest) *Rest {
	if rest.Joules != nil && *rest.Joules < leastRest*b.measured() {
		*rest.Joules = 0
	}
	if rest.Samples == 0 && (rest.Joules == nil || *rest.Joules == 0) {
		return nil
	}
	return rest
}

// leastRest is the share of all joules below which what is left of them is the error of adding them up.
const leastRest = 1e-9

// measured is the joules of all stacks.
func (b *builder) measured() float64 {
	var all float64
	for _, joules := range b.joules {
		all += joules
	}
	return all
}

// place is what the stacks that accessed a place say of it.
type place struct {
	joules float64
	parts  []part
}

// part is how often a function accessed a place.
type part struct {
	function string
	accesses uint64
}

// places gives each place its joules, those of every stack by the bytes that memory served, and its functions.
func (b *builder) places(s *shares) map[int32]place {
	all := map[int32]place{}
	for _, key := range slices.SortedFunc(maps.Keys(s.of), compareShares) {
		if key.stack < 0 {
			continue
		}
		share, at := s.of[key], all[key.place]
		if bytes := b.served[key.stack]; bytes > 0 {
			at.joules += b.joules[key.stack] * float64(share.bytes) / float64(bytes)
		}
		name := b.names.function(key.stack)
		if i := slices.IndexFunc(at.parts, func(p part) bool { return p.function == name }); i >= 0 {
			at.parts[i].accesses = plus(at.parts[i].accesses, share.accesses)
		} else {
			at.parts = append(at.parts, part{name, share.accesses})
		}
		all[key.place] = at
	}
	return all
}

// compareShares is an order, so that sums come out the same each time.
func compareShares(a, b shareKey) int {
	return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.stack, b.stack))
}

// mostOften is the functions that accessed the place most.
func (p place) mostOften() []string {
	slices.SortFunc(p.parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.accesses, a.accesses), cmp.Compare(a.function, b.function))
	})
	names := []string{}
	for _, part := range p.parts[:min(len(p.parts), mostFunctions)] {
		names = append(names, part.function)
	}
	return names
}
