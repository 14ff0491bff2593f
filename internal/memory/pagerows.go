package memory

import (
	"cmp"
	"fmt"
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
	joules, functions := b.places(&p.shares, len(p.list))
	rows := make([]PageRow, 0, len(p.list))
	rest := Rest{Sum: b.sum(&p.out)}
	for id := range b.joules {
		b.addJoules(&rest.Sum, b.joules[id])
	}
	for i, page := range p.list {
		row := PageRow{Address: fmt.Sprintf("%#x", page.addr), Bytes: page.size, PID: int(page.pid), Moved: page.moved,
			Levels: map[string]uint64{}, Functions: functions[i], Heat: []uint64{}, Sum: b.sum(&page.tally)}
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
		b.addJoules(&row.Sum, joules[i])
		b.addJoules(&rest.Sum, -joules[i])
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b PageRow) int {
		return cmp.Or(byCost(&a.Sum, &b.Sum), cmp.Compare(a.PID, b.PID), cmp.Compare(len(a.Address), len(b.Address)),
			cmp.Compare(a.Address, b.Address), cmp.Compare(a.Bytes, b.Bytes))
	})
	if rest.Samples == 0 && (rest.Joules == nil || *rest.Joules < leastRest*b.measured()) {
		return rows, nil
	}
	return rows, &rest
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

// places gives each place its joules, those of every stack by the bytes that memory served, and the functions that
// accessed it most.
func (b *builder) places(s *shares, n int) (joules []float64, functions [][]string) {
	joules, functions = make([]float64, n), make([][]string, n)
	type part struct {
		name     string
		accesses uint64
	}
	parts := make([][]part, n)
	for key, share := range s.of {
		if key.stack < 0 {
			continue
		}
		if all := b.weight[key.stack].bytes; all > 0 {
			joules[key.place] += b.joules[key.stack] * float64(share.bytes) / float64(all)
		}
		name := b.names.function(key.stack)
		mine := parts[key.place]
		if i := slices.IndexFunc(mine, func(p part) bool { return p.name == name }); i >= 0 {
			mine[i].accesses = plus(mine[i].accesses, share.accesses)
		} else {
			parts[key.place] = append(mine, part{name, share.accesses})
		}
	}
	for place, mine := range parts {
		slices.SortFunc(mine, func(a, b part) int {
			return cmp.Or(cmp.Compare(b.accesses, a.accesses), cmp.Compare(a.name, b.name))
		})
		functions[place] = []string{}
		for _, p := range mine[:min(len(mine), mostFunctions)] {
			functions[place] = append(functions[place], p.name)
		}
	}
	return joules, functions
}
