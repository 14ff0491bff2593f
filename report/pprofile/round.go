package pprofile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A quantity is what is shared out, and the whole numbers that it is rounded to.
type quantity struct {
	scale float64 // whole numbers in one
	unit  string  // for messages
	limit float64 // of the whole numbers
}

var (
	// Microjoules, as far as a float64 holds them exactly: 9 GJ, 100 W for almost three years.
	energyQuantity = quantity{1e6, "J", 1 << 53}
	// Counts as far as a profile holds them. The time stamp counters of a large machine leave what
	// a float64 holds exactly within hours, and then stand for themselves within 1e-16.
	countQuantity = quantity{1, "counts", 1 << 62}
)

// total rounds what was counted in all.
func (q quantity) total(v float64) (int64, error) {
	if !(v >= 0) || v*q.scale >= q.limit {
		return 0, fmt.Errorf("total of %v %s", v, q.unit)
	}
	return int64(math.Round(v * q.scale)), nil
}

// tolerance is how far parts may be from their total, relative to it: sums of
// float64 over a long recording, and nothing else.
const tolerance = 1e-6

// amount refuses what is no amount.
func (q quantity) amount(v float64) error {
	if !(v >= 0) || math.IsInf(v, 1) {
		return fmt.Errorf("%v %s", v, q.unit)
	}
	return nil
}

// apportion rounds parts, none negative, to whole numbers that add up to total,
// by largest remainder; of equal remainders the first part wins.
// Parts of zero stay zero.
func (q quantity) apportion(total int64, parts []float64) ([]int64, error) {
	var sum float64
	for _, v := range parts {
		sum += v
	}
	off := math.Abs(sum*q.scale - float64(total))
	if off > tolerance*float64(total)+1 {
		return nil, fmt.Errorf("the parts add up to %v %s, the total is %v %s", sum, q.unit, float64(total)/q.scale, q.unit)
	}
	// What rounding the total took or gave is for the remainders. Spread over the
	// parts first, it would push a large one past the next whole number.
	scale := q.scale
	if off > 1 {
		scale = float64(total) / sum
	}
	type part struct {
		index     int
		remainder float64
	}
	out := make([]int64, len(parts))
	var order []part
	left := total
	for i, v := range parts {
		if v == 0 {
			continue
		}
		exact := v * scale
		floor := math.Floor(exact)
		out[i] = int64(floor)
		left -= out[i]
		order = append(order, part{i, exact - floor})
	}
	slices.SortFunc(order, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.remainder, a.remainder), a.index-b.index)
	})
	if len(order) == 0 && left != 0 {
		return nil, fmt.Errorf("no part to hold the total of %v %s", float64(total)/q.scale, q.unit)
	}
	for i := 0; left > 0; i, left = (i+1)%len(order), left-1 {
		out[order[i].index]++
	}
	// Rounding in exact may have made the floors too large by a little.
	for i := len(order) - 1; left < 0; i = (i + len(order) - 1) % len(order) {
		if out[order[i].index] > 0 {
			out[order[i].index]--
			left++
		}
	}
	return out, nil
}

// shared is what was shared out, by column or counter and then by row: the stacks in order, then the
// synthetic frames.
type shared struct {
	energy [][]int64 // microjoules
	counts [][]int64
}

// round makes whole numbers of all that was shared out.
func round(p *Profile, order []int) (shared, error) {
	out := shared{energy: make([][]int64, len(p.Columns)), counts: make([][]int64, len(p.Counters))}
	parts := make([]float64, len(order)+len(syntheticNames))
	for c, column := range p.Columns {
		joules := func(s *Stack) []float64 { return s.Joules }
		rows, err := energyQuantity.rows(column.Joules, p.Stacks, order, joules, c, column.Synthetic, parts)
		if err != nil {
			return out, fmt.Errorf("column %d (%s of package %d): %w", c, column.Domain, column.Package, err)
		}
		out.energy[c] = rows
	}
	for c, counter := range p.Counters {
		counts := func(s *Stack) []float64 { return s.Counts }
		rows, err := countQuantity.rows(counter.Counts, p.Stacks, order, counts, c, counter.Synthetic, parts)
		if err != nil {
			return out, fmt.Errorf("counter %d (%s of package %d): %w", c, counter.Event, counter.Package, err)
		}
		out.counts[c] = rows
	}
	return out, nil
}

// rows are the whole numbers of one column. of gives those of a stack by column; parts is scratch.
func (q quantity) rows(all float64, stacks []Stack, order []int, of func(*Stack) []float64, column int, s Synthetic, parts []float64) ([]int64, error) {
	total, err := q.total(all)
	if err != nil {
		return nil, err
	}
	for i, index := range order {
		parts[i] = 0
		if values := of(&stacks[index]); len(values) > 0 {
			parts[i] = values[column]
		}
		if err := q.amount(parts[i]); err != nil {
			return nil, fmt.Errorf("stack %d: %w", index, err)
		}
	}
	synthetic := s.parts()
	for i, v := range synthetic {
		if err := q.amount(v); err != nil {
			return nil, fmt.Errorf("%s: %w", syntheticNames[i], err)
		}
	}
	copy(parts[len(order):], synthetic[:])
	return q.apportion(total, parts)
}
