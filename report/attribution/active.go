package attribution

import (
	"cmp"
	"slices"
)

// span is a time in which a CPU ran, or ran with some probability: quiet is that of
// its not running at an instant of the span.
type span struct {
	from, to int64
	quiet    float64
}

// active is the time, in ns, in which at least one CPU ran, of spans in the order of
// their starts: expected, where some of them are uncertain, and CPUs are taken to be
// independent of each other then.
func active(spans []span) float64 {
	var sum float64
	uncertain := false
	var covered int64
	for i, s := range spans {
		uncertain = uncertain || s.quiet > 0
		if i == 0 {
			covered = s.from
		}
		if s.to > covered {
			sum += float64(s.to - max(s.from, covered))
			covered = s.to
		}
	}
	if !uncertain {
		return sum
	}
	return expected(spans)
}

// expected goes through the edges of uncertain spans.
func expected(spans []span) float64 {
	type edge struct {
		t     int64
		quiet float64
		by    int // 1 at the start, -1 at the end
	}
	var edges []edge
	for _, s := range spans {
		if s.to > s.from {
			edges = append(edges, edge{s.from, s.quiet, 1}, edge{s.to, s.quiet, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.t, b.t), cmp.Compare(a.by, b.by)) })
	certain, open, quiet := 0, 0, 1.0
	var sum float64
	for i, e := range edges {
		if i > 0 && open > 0 {
			length := float64(e.t - edges[i-1].t)
			if certain > 0 {
				sum += length
			} else {
				sum += length * (1 - quiet)
			}
		}
		open += e.by
		switch {
		case e.quiet == 0:
			certain += e.by
		case e.by > 0:
			quiet *= e.quiet
		default:
			quiet /= e.quiet
		}
		if open == certain {
			quiet = 1 // against what rounding has left
		}
	}
	return sum
}
