package pprofile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// maxMicrojoules is what a float64 holds to the microjoule: 9 GJ, 100 W for
// almost three years.
const maxMicrojoules = 1 << 53

// micro rounds the total of a column.
func micro(joules float64) (int64, error) {
	if !(joules >= 0) || joules*1e6 >= maxMicrojoules {
		return 0, fmt.Errorf("total of %v J", joules)
	}
	return int64(math.Round(joules * 1e6)), nil
}

// tolerance is how far parts may be from their total, relative to it: sums of
// float64 over a long recording, and nothing else.
const tolerance = 1e-6

// amount refuses what is no amount of energy.
func amount(joules float64) error {
	if !(joules >= 0) || math.IsInf(joules, 1) {
		return fmt.Errorf("%v J", joules)
	}
	return nil
}

// apportion rounds parts, in joules and none negative, to integers that add up to total
// microjoules, by largest remainder; of equal remainders the first part wins.
// Parts of zero stay zero.
func apportion(total int64, parts []float64) ([]int64, error) {
	var sum float64
	for _, joules := range parts {
		sum += joules
	}
	off := math.Abs(sum*1e6 - float64(total))
	if off > tolerance*float64(total)+1 {
		return nil, fmt.Errorf("the parts add up to %v J, the total is %v J", sum, float64(total)/1e6)
	}
	// What rounding the total took or gave is for the remainders. Spread over the
	// parts first, it would push a large one past the next microjoule.
	scale := 1e6
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
	for i, joules := range parts {
		if joules == 0 {
			continue
		}
		exact := joules * scale
		floor := math.Floor(exact)
		out[i] = int64(floor)
		left -= out[i]
		order = append(order, part{i, exact - floor})
	}
	slices.SortFunc(order, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.remainder, a.remainder), a.index-b.index)
	})
	if len(order) == 0 && left != 0 {
		return nil, fmt.Errorf("no part to hold the total of %v J", float64(total)/1e6)
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

// round gives the microjoules of each column by row: the stacks in order, then
// the synthetic frames.
func round(p *Profile, order []int) ([][]int64, error) {
	energy := make([][]int64, len(p.Columns))
	parts := make([]float64, len(order)+len(syntheticNames))
	for c, column := range p.Columns {
		where := fmt.Sprintf("column %d (%s of package %d)", c, column.Domain, column.Package)
		total, err := micro(column.Joules)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		for i, index := range order {
			parts[i] = 0
			if joules := p.Stacks[index].Joules; len(joules) > 0 {
				parts[i] = joules[c]
			}
			if err := amount(parts[i]); err != nil {
				return nil, fmt.Errorf("%s: stack %d: %w", where, index, err)
			}
		}
		synthetic := column.Synthetic.parts()
		for i, joules := range synthetic {
			if err := amount(joules); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", where, syntheticNames[i], err)
			}
		}
		copy(parts[len(order):], synthetic[:])
		if energy[c], err = apportion(total, parts); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
	}
	return energy, nil
}
