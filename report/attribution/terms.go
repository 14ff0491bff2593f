package attribution

import (
	"cmp"
	"slices"
)

// terms are the columns of a regression: which unit belongs to which, and the
// places of those that are no function, none where absent.
type terms struct {
	n      int
	unit   []int32 // by unit: its term, none if it never ran
	base   int     // static power
	active int     // power of a package while any CPU runs
	other  int     // KeyOther
	lost   int     // KeyLost in long stretches; none if it is taken for a mixture of the functions
}

const (
	// maxTerms bounds the columns; solving costs its cube.
	maxTerms = 64
	// A function with a smaller part of the CPU time than this has no power of its
	// own: it is pooled with the others of its binary.
	rareShare = 0.002
	// Binaries beyond this many, by the time of their rare functions, are pooled.
	maxPools = 4
	// For each term there must be so many intervals.
	rowsPerTerm = 8
)

// chooseTerms makes the terms of a recording, given the CPU time of each unit.
func chooseTerms(f *functions, ran []float64, other, lost float64, intervals int, fitBase, fitActive bool) terms {
	t := terms{base: none, active: none, other: none, lost: none, unit: make([]int32, len(ran))}
	place := func() int { t.n++; return t.n - 1 }
	if fitBase {
		t.base = place()
	}
	if fitActive {
		t.active = place()
	}
	if other > 0 {
		t.other = place()
	}
	var order []int32
	var total float64
	for u := range ran {
		t.unit[u] = none
		if ran[u] > 0 {
			order = append(order, int32(u))
			total += ran[u]
		}
	}
	// How much of it ran is not known well: a CPU that is throttled may be idle.
	if lost > rareShare*total {
		t.lost = place()
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(ran[b], ran[a]), cmp.Compare(a, b)) })
	own := max(1, min(maxTerms-maxPools-1, intervals/rowsPerTerm)-t.n)
	var rare []int32
	for i, u := range order {
		if i < own && (ran[u] >= rareShare*total || i == 0) {
			t.unit[u] = int32(place())
		} else {
			rare = append(rare, u)
		}
	}
	// The rest by binary.
	byPool := map[int32]float64{}
	poolOf := func(u int32) int32 { return f.pools[u/f.types] }
	for _, u := range rare {
		byPool[poolOf(u)] += ran[u]
	}
	var pools []int32
	for p := range byPool {
		pools = append(pools, p)
	}
	slices.SortFunc(pools, func(a, b int32) int { return cmp.Or(cmp.Compare(byPool[b], byPool[a]), cmp.Compare(a, b)) })
	places := map[int32]int32{}
	last := int32(none)
	for i, p := range pools {
		if i < maxPools && byPool[p] >= rareShare*total {
			places[p] = int32(place())
			continue
		}
		if last == none {
			last = int32(place())
		}
		places[p] = last
	}
	for _, u := range rare {
		t.unit[u] = places[poolOf(u)]
	}
	return t
}

// join makes one term of two, the one with the lower number.
func (t *terms) join(a, b int) {
	a, b = min(a, b), max(a, b)
	if t.other == b {
		t.other = a
	}
	if t.lost == b {
		t.lost = a
	}
	for u := range t.unit {
		if t.unit[u] == int32(b) {
			t.unit[u] = int32(a)
		}
	}
	t.remove(b)
}

// drop leaves out a term that has no units, or whose units count for nothing.
func (t *terms) drop(a int) {
	if t.base == a {
		t.base = none
	}
	if t.active == a {
		t.active = none
	}
	t.remove(a)
}

// remove closes the gap of a number that is not used any more; units that still have
// it are left without a term.
func (t *terms) remove(a int) {
	t.n--
	for _, p := range []*int{&t.base, &t.active, &t.other, &t.lost} {
		if *p > a {
			*p--
		}
	}
	for u := range t.unit {
		switch {
		case t.unit[u] == int32(a):
			t.unit[u] = none
		case t.unit[u] > int32(a):
			t.unit[u]--
		}
	}
}

// alike is the terms with one for all that runs, the last.
func (t *terms) alike() terms {
	a := terms{base: none, active: none, other: none, lost: none, unit: slices.Clone(t.unit)}
	if t.base != none {
		a.base = a.n
		a.n++
	}
	if t.active != none {
		a.active = a.n
		a.n++
	}
	for u := range a.unit {
		if a.unit[u] != none {
			a.unit[u] = int32(a.n)
		}
	}
	if t.other != none {
		a.other = a.n
	}
	if t.lost != none {
		a.lost = a.n
	}
	a.n++
	return a
}

// functions is the number of terms that are CPU time.
func (t *terms) functions() int {
	n := t.n
	if t.base != none {
		n--
	}
	if t.active != none {
		n--
	}
	return n
}

// clone lets a variant of the terms be tried.
func (t terms) clone() terms {
	t.unit = slices.Clone(t.unit)
	return t
}
