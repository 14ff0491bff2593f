package attribution

// row is one interval of a series: its energy and what ran in it.
type row struct {
	ns, joules  float64
	active      float64 // ns in which at least one CPU ran
	other, lost float64 // ns of KeyOther and KeyLost
	from, to    int32   // entries
}

// entry is the CPU time of a unit in a row; shared is the part of it in which
// another hardware thread of the core ran as well, crowd the integral over it of the
// part of the other CPUs that ran.
type entry struct {
	unit              int32
	ns, shared, crowd float32
}

// rows are the intervals of a series so far.
type rows struct {
	list    []row
	entries []entry
	// pooled is how many intervals make a row: more than one to bound memory.
	pooled int
	// divided is the sum over the edges of the variance, in ns^2, of what they
	// divide of KeyOther.
	divided float64
}

// maxEntries bounds the memory of a series: 16 MiB. Beyond it rows are merged in
// pairs, so a recording of any length keeps half of this at least. What has so many
// functions that few rows are left keeps more.
const maxEntries = 1 << 20

// full tells whether the rows take too much memory. A row takes as much as three entries.
func (r *rows) full() bool {
	return len(r.entries)+3*len(r.list) > maxEntries && len(r.list) >= 4*fewestRows
}

// add adds the part of an interval.
func (w *row) add(o row) {
	w.ns += o.ns
	w.joules += o.joules
	w.active += o.active
	w.other += o.other
	w.lost += o.lost
}

// add appends a row, with the CPU time in sum.
func (r *rows) add(w row, sum *unitSum) {
	w.from = int32(len(r.entries))
	for _, u := range sum.units {
		r.entries = append(r.entries, entry{u, float32(sum.ns[u]), float32(sum.shared[u]), float32(sum.crowd[u])})
	}
	w.to = int32(len(r.entries))
	r.list = append(r.list, w)
}

// halve merges rows in pairs.
func (r *rows) halve(sum *unitSum) {
	half := rows{pooled: 2 * r.pooled, divided: r.divided / 2}
	for i := 0; i < len(r.list); i += 2 {
		half.merge(r, i, min(i+2, len(r.list)), sum)
	}
	*r = half
}

// merge adds the sum of src's rows from i to j as one row.
func (r *rows) merge(src *rows, i, j int, sum *unitSum) {
	var w row
	for _, o := range src.list[i:j] {
		w.add(o)
		for _, e := range src.entries[o.from:o.to] {
			sum.add(e.unit, float64(e.ns), float64(e.shared), float64(e.crowd))
		}
	}
	r.add(w, sum)
	sum.clear()
}

// unitSum is CPU time by unit: dense, with a list of what is not zero.
type unitSum struct {
	ns, shared, crowd []float64
	in                []bool
	units             []int32
}

func (s *unitSum) add(unit int32, ns, shared, crowd float64) {
	if int(unit) >= len(s.ns) {
		n := int(unit) + 1
		s.ns, s.shared, s.crowd, s.in = grow(s.ns, n), grow(s.shared, n), grow(s.crowd, n), grow(s.in, n)
	}
	if !s.in[unit] {
		s.in[unit] = true
		s.units = append(s.units, unit)
	}
	s.ns[unit] += ns
	s.shared[unit] += shared
	s.crowd[unit] += crowd
}

func (s *unitSum) clear() {
	for _, u := range s.units {
		s.ns[u], s.shared[u], s.crowd[u], s.in[u] = 0, 0, 0, false
	}
	s.units = s.units[:0]
}
