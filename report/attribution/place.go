package attribution

import (
	"cmp"
	"slices"
)

// place puts the CPU time of others, which is known by the window, where the
// samples of the same CPU leave room for it: who did not run where others ran, and
// the regression would take their power for each other's otherwise. A window is
// exact, while what a sample saw is given to the time before it; so it is moved
// half a period.
func (h *history) place(until int64) {
	// The windows of one CPU may have come before earlier ones of another.
	slices.SortStableFunc(h.others, func(a, b slice) int { return cmp.Compare(a.start, b.start) })
	n, _ := slices.BinarySearchFunc(h.others, until, func(s slice, t int64) int { return cmp.Compare(s.start, t) })
	if n == 0 {
		return
	}
	var byCPU [][]slice
	var longest int64
	for _, s := range h.slices {
		if s.key == KeyOther && s.weight > 0 {
			continue
		}
		if int(s.cpu) >= len(byCPU) {
			byCPU = grow(byCPU, int(s.cpu)+1)
		}
		byCPU[s.cpu] = append(byCPU[s.cpu], s)
		longest = max(longest, s.end-s.start)
	}
	early := h.period() / 2
	rate := h.rate()
	var gaps [][2]int64
	for _, w := range h.others[:n] {
		w.start, w.end = max(h.settled, w.start-early), max(h.settled, w.end-early)
		gaps = gaps[:0]
		var room int64
		at := w.start
		gap := func(to int64) {
			if to > at {
				gaps = append(gaps, [2]int64{at, to})
				room += to - at
			}
		}
		if int(w.cpu) < len(byCPU) {
			own := byCPU[w.cpu]
			first, _ := slices.BinarySearchFunc(own, w.start-longest, func(s slice, t int64) int { return cmp.Compare(s.start, t) })
			for _, s := range own[first:] {
				if s.start >= w.end {
					break
				}
				gap(s.start)
				at = max(at, s.end)
			}
		}
		gap(w.end)
		rest := w.weight
		for _, g := range gaps {
			ns := min(w.weight/float64(room), rate) * float64(g[1]-g[0])
			h.slices = append(h.slices, slice{g[0], g[1], ns, KeyOther, w.cpu})
			rest -= ns
		}
		// More than fits: a period of samples reaches into it.
		if rest > 1 {
			w.weight = rest
			h.slices = append(h.slices, w)
		}
	}
	h.others = h.others[:copy(h.others, h.others[n:])]
	h.sort()
}
