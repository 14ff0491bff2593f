package attribution

import "math"

// segments are the numbers of pieces of equal length into which a recording is cut to
// see whether powers change with time.
var segments = []int{2, 4, 8, 16}

// bySegment fits the terms to pieces of the recording one by one, if the powers that
// come out predict better than one set for all of it; else it returns id and how that
// predicts. The terms and their company are those of the whole recording.
func (id *identified) bySegment(whole prediction) (*identified, prediction) {
	best, byBest := 1, whole
	for _, n := range segments {
		if id.problem.rows() < n*rowsPerTerm*max(2, id.problem.n) {
			break
		}
		if by, ok := id.predictIn(n, whole); ok && by.beats(byBest) {
			best, byBest = n, by
		}
	}
	if best > 1 {
		if cut, ok := id.cutIn(best); ok {
			return cut, byBest
		}
	}
	return id, whole
}

// piece is the problem of the i-th of n pieces.
func (id *identified) piece(i, n int) *problem {
	p := id.problem
	from, to := i*p.rows()/n, (i+1)*p.rows()/n
	return p.part(maxBlocks/n, func(k int) bool { return from <= k && k < to })
}

// predictIn is how well n pieces predict, each the other half of itself.
func (id *identified) predictIn(n int, whole prediction) (prediction, bool) {
	by := prediction{mean: whole.mean, rows: whole.rows}
	for i := range n {
		v, ok := id.piece(i, n).crossValidate(0)
		if !ok {
			return by, false
		}
		by.square = append(by.square, v.square...)
	}
	return by, len(by.square) == len(whole.square)
}

// cutIn fits n pieces. The joules of a term are those of all pieces.
func (id *identified) cutIn(n int) (*identified, bool) {
	p := id.problem
	sum := *id
	f := *id.fit
	sum.fit = &f
	f.joules = make([]float64, p.n)
	variance := make([]float64, p.n)
	for i := range n {
		part := id.piece(i, n)
		var kept []int
		for j, s := range part.total {
			if s > 0 {
				kept = append(kept, j)
			}
		}
		if len(kept) == 0 {
			return nil, false // nothing that its energy could belong to
		}
		fitted, ok := part.columns(kept).solve()
		if !ok {
			return nil, false
		}
		piece := &identified{fit: fitted}
		if piece.cov, ok = fitted.covariance(); !ok {
			return nil, false
		}
		for a, e := range piece.errors() {
			f.joules[kept[a]] += fitted.joules[a]
			variance[kept[a]] += e * e
		}
	}
	if id.wide != nil {
		// All pieces have the same company, and its error.
		alone := *id
		alone.wide = nil
		without := alone.errors()
		for j, e := range id.errors() {
			variance[j] += max(0, e*e-without[j]*without[j])
		}
	}
	sum.known = make([]float64, p.n)
	for j, v := range variance {
		sum.known[j] = math.Sqrt(v)
	}
	return &sum, true
}
