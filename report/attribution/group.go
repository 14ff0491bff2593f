package attribution

// readingDelay is how long a reading may stay out after Advance has passed its
// time, in nanoseconds: readings are taken apart from samples and checked
// before they are passed on. CPU time older than that is no longer kept apart
// by time, so that a counter that fell silent costs no memory; a reading that
// then comes for that time is refused with ErrLate.
const readingDelay = 10e9

// group is the series of one set of CPUs. Their readings cut time into cells;
// CPU time is sorted into cells once, and a cell serves all series. When the
// series are read at the same times, as one source reads its domains, a cell
// is an interval of each of them.
type group struct {
	tracks  []*track
	pending []stretch
	mark    int64    // CPU time before it is shared out
	history *history // nil without a regression

	// Scratch of share, kept for its memory.
	edges  []int64 // ends of the cells; the first begins at mark
	heads  []int32 // per cell: index of its newest piece, or none
	pieces []piece
	cell   tally
}

// stretch is CPU time that waits for the readings around it.
type stretch struct {
	start, end int64
	weight     float64
	key        Key
}

// piece is the part of a stretch that lies in one cell; next chains the cell.
type piece struct {
	weight float64
	slot   int32
	next   int32
}

const none = -1

// busy keeps a stretch for later. It is false when the stretch begins in time
// that is shared out; that part is then counted as outside.
func (g *group) busy(s stretch, cpu int) bool {
	if g.history != nil {
		g.history.busy(slice{s.start, s.end, s.weight, s.key, int32(cpu)})
	}
	if s.weight == 0 {
		return true
	}
	if s.start >= g.mark {
		g.pending = append(g.pending, s)
		return true
	}
	late := s.weight
	if s.end > g.mark {
		late *= float64(g.mark-s.start) / float64(s.end-s.start)
		g.pending = append(g.pending, stretch{start: g.mark, end: s.end, weight: s.weight - late, key: s.key})
	}
	for _, t := range g.tracks {
		t.outside += late
	}
	return false
}

// share shares out the cells that end at or before limit, as far as every
// series has been read, and in any case everything before fold.
func (g *group) share(m Method, limit, fold int64) {
	for _, t := range g.tracks {
		if !t.any {
			limit = -1
		} else {
			limit = min(limit, t.last.t)
		}
	}
	g.cut(max(limit, fold))
	if fold > limit && fold > g.mark && (len(g.edges) == 0 || g.edges[len(g.edges)-1] < fold) {
		g.edges = append(g.edges, fold) // an end of no interval: what is before waits as a sum
	}
	if len(g.edges) == 0 {
		return
	}
	g.sort()
	for c, end := range g.edges {
		for i := g.heads[c]; i != none; i = g.pieces[i].next {
			g.cell.add(g.pieces[i].slot, g.pieces[i].weight)
		}
		for _, t := range g.tracks {
			t.pass(m, end, &g.cell)
		}
		g.cell.clear()
	}
	g.mark = g.edges[len(g.edges)-1]
	for _, t := range g.tracks {
		t.solved = g.mark
	}
}

// cut collects the times of all readings up to limit, each once, in order.
func (g *group) cut(limit int64) {
	g.edges = g.edges[:0]
	for _, t := range g.tracks {
		t.cut = 0
	}
	for {
		edge, found := limit, false
		for _, t := range g.tracks {
			if t.cut < len(t.queue) && t.queue[t.cut].t <= edge {
				edge, found = t.queue[t.cut].t, true
			}
		}
		if !found {
			return
		}
		for _, t := range g.tracks {
			if t.cut < len(t.queue) && t.queue[t.cut].t == edge {
				t.cut++
			}
		}
		g.edges = append(g.edges, edge)
	}
}

// sort puts the pending stretches into cells and keeps what lies beyond the
// last. Stretches come in nearly the order of time, so the search for the cell
// of one begins at the cell of the one before.
func (g *group) sort() {
	g.heads, g.pieces = g.heads[:0], g.pieces[:0]
	for range g.edges {
		g.heads = append(g.heads, none)
	}
	last := g.edges[len(g.edges)-1]
	keep := g.pending[:0]
	c := 0
	for _, s := range g.pending {
		if s.start >= last {
			keep = append(keep, s)
			continue
		}
		for c > 0 && g.edges[c-1] > s.start {
			c--
		}
		for g.edges[c] <= s.start {
			c++
		}
		if s.end <= g.edges[c] {
			g.put(c, s.key, s.weight)
			continue
		}
		perNs := s.weight / float64(s.end-s.start)
		from := s.start
		for k := c; k < len(g.edges) && from < s.end; k++ {
			to := min(s.end, g.edges[k])
			g.put(k, s.key, perNs*float64(to-from))
			from = to
		}
		if from < s.end {
			keep = append(keep, stretch{start: from, end: s.end, weight: perNs * float64(s.end-from), key: s.key})
		}
	}
	g.pending = keep
}

func (g *group) put(cell int, key Key, weight float64) {
	g.pieces = append(g.pieces, piece{weight: weight, slot: int32(key) + keyShift, next: g.heads[cell]})
	g.heads[cell] = int32(len(g.pieces) - 1)
}
