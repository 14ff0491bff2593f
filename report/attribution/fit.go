package attribution

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// block is the normal equations of a stretch of the recording. They add up.
type block struct {
	a      []float64 // n by n, corrected for the errors of the columns
	b      []float64
	sums   []float64 // of the columns: what the constraint is made of
	energy float64
}

// maxBlocks is the number of blocks into which a recording is divided, for
// intervals of confidence and for validation.
const maxBlocks = 64

// fit is a solved problem.
type fit struct {
	problem *problem
	joules  []float64 // by term
	free    []bool    // by term: not held at 0
	weight  []float64 // by row
	blocks  []block
	q       *mat.SymDense
}

// solve fits the joules of the terms. The variance of an interval is unknown at
// first: part of it is the same for all (the counter's lag and unit at both ends,
// errors of the columns), part grows with the energy (noise of the counter, powers that
// change). Both are read from the residuals. ok is false when the equations
// do not determine the terms.
func (p *problem) solve() (f *fit, ok bool) {
	f = &fit{problem: p, weight: make([]float64, p.rows())}
	if p.energy < 0 {
		return f, false // a given static power is more than there is
	}
	copy(f.weight, p.trust)
	const rounds = 3
	for round := range rounds {
		f.assemble()
		var good bool
		f.joules, f.free, good = minimise(f.q, f.b(), p.energy, f.free)
		if !good {
			return f, false
		}
		if round < rounds-1 {
			f.reweight()
		}
	}
	return f, true
}

// assemble makes the normal equations with the present weights.
func (f *fit) assemble() {
	p := f.problem
	n := p.n
	blocks := p.blocks
	f.blocks = make([]block, blocks)
	f.q = mat.NewSymDense(max(1, n), nil)
	terms := make([]int, 0, n)
	ran := make([][]float64, blocks) // by block and term: weight x what its column has there
	for i := range f.blocks {
		b := &f.blocks[i]
		b.a, b.b, b.sums = make([]float64, n*n), make([]float64, n), make([]float64, n)
		ran[i] = make([]float64, n)
		from, to := i*p.rows()/blocks, (i+1)*p.rows()/blocks
		for k := from; k < to; k++ {
			w, row := f.weight[k], p.row(k)
			b.energy += p.y[k]
			terms = terms[:0] // most rows have few of the terms
			for j, x := range row {
				if x != 0 {
					terms = append(terms, j)
				}
			}
			for at, j := range terms {
				x := row[j]
				b.sums[j] += x
				b.b[j] += w * x * p.y[k]
				wx := w * x
				ran[i][j] += math.Abs(wx)
				a := b.a[j*n:]
				for _, l := range terms[at:] {
					a[l] += wx * row[l]
				}
			}
		}
	}
	f.correct(ran)
	for _, b := range f.blocks {
		for j := range n {
			for l := j; l < n; l++ {
				f.q.SetSym(j, l, f.q.At(j, l)+b.a[j*n+l])
			}
		}
	}
	for j := range n {
		f.q.SetSym(j, j, f.q.At(j, j)*(1+p.ridge))
	}
}

func (f *fit) b() []float64 {
	b := make([]float64, f.problem.n)
	for i := range f.blocks {
		for j, v := range f.blocks[i].b {
			b[j] += v
		}
	}
	return b
}

// meanWeight is that of a second of the recording: what the covariance of the errors
// of the columns counts in the equations.
func (f *fit) meanWeight() float64 {
	var sum float64
	for k, w := range f.weight {
		sum += w * f.problem.seconds[k] / f.problem.span
	}
	return sum
}

// predict is the energy of a row.
func (f *fit) predict(k int) float64 {
	var y float64
	for j, x := range f.problem.row(k) {
		y += x * f.joules[j]
	}
	return y
}

// reweight reads the variance of the intervals from the residuals: s0 + s1 x the
// square of the predicted energy, both not negative.
func (f *fit) reweight() {
	p := f.problem
	r2, e2 := make([]float64, p.rows()), make([]float64, p.rows())
	for k := range r2 {
		y := f.predict(k)
		r2[k], e2[k] = (p.y[k]-y)*(p.y[k]-y), y*y
	}
	// Outliers (an interrupt that delayed a reading) must not pass for noise of all.
	sorted := slices.Clone(r2)
	slices.Sort(sorted)
	limit := 9 * sorted[len(sorted)/2] / 0.455 // median of a chi-squared variable
	var n, m, s, q, sq float64                 // sums of 1, e2, r2, e2 e2, r2 e2
	for k := range r2 {
		r := min(r2[k], limit)
		n++
		m += e2[k]
		s += r
		q += e2[k] * e2[k]
		sq += r * e2[k]
	}
	s0, s1 := s/n, 0.0
	if d := n*q - m*m; d > 1e-9*n*q {
		s1 = (n*sq - m*s) / d
		s0 = (s - s1*m) / n
		if s1 < 0 {
			s0, s1 = s/n, 0
		}
		if s0 < 0 {
			s0, s1 = 0, s/m
		}
	}
	mean := s / n
	if !(mean > 0) {
		return // an exact fit
	}
	// By what the neighbours predict: a weight that went by the row's own columns
	// would depend on their errors, and pull the solution.
	for k := range f.weight {
		var around, count float64
		for _, n := range []int{k - 1, k + 1} {
			if n >= 0 && n < len(e2) {
				around += e2[n]
				count++
			}
		}
		f.weight[k] = p.trust[k] * mean / max(s0+s1*around/max(1, count), mean/100)
	}
}

// covariance is that of the joules, from the scores of the blocks: how far each
// block alone would move the solution (White 1980; the limit of a block
// bootstrap), as if no term were held at 0. ok is false when the equations are
// singular.
func (f *fit) covariance() (cov *mat.SymDense, ok bool) {
	m := f.problem.n
	cov = mat.NewSymDense(m, nil)
	var chol mat.Cholesky
	if !chol.Factorize(f.q) {
		return nil, false
	}
	ones := mat.NewVecDense(m, nil)
	for i := range m {
		ones.SetVec(i, 1)
	}
	var u mat.VecDense
	if chol.SolveVecTo(&u, ones) != nil {
		return nil, false
	}
	z := mat.Dot(&u, ones)
	nu := f.multiplier()
	moves := mat.NewDense(m, len(f.blocks), nil)
	score, move := mat.NewVecDense(m, nil), mat.NewVecDense(m, nil)
	for b := range f.blocks {
		bl := &f.blocks[b]
		excess := bl.energy
		for j := range m {
			excess -= bl.sums[j] * f.joules[j]
		}
		for i := range m {
			s := bl.b[i] - nu*bl.sums[i]
			for j := range m {
				s -= bl.at(m, i, j) * f.joules[j]
			}
			score.SetVec(i, s)
		}
		if chol.SolveVecTo(move, score) != nil {
			return nil, false
		}
		slack := (excess - mat.Dot(move, ones)) / z
		for i := range m {
			moves.Set(i, b, move.AtVec(i)+slack*u.AtVec(i))
		}
	}
	scale := f.freedom(m)
	for i := range m {
		for j := i; j < m; j++ {
			v := mat.Dot(moves.RowView(i), moves.RowView(j)) * scale
			cov.SetSym(i, j, v)
		}
	}
	return cov, true
}

// multiplier is that of the constraint that the joules add up to the energy. Only
// terms that are not held at 0 tell it: the others pull at their bound.
func (f *fit) multiplier() float64 {
	var nu, free float64
	b := f.b()
	for i, ok := range f.free {
		if !ok {
			continue
		}
		free++
		nu += b[i]
		for j, x := range f.joules {
			nu -= f.q.At(i, j) * x
		}
	}
	return nu / max(1, free)
}

// freedom corrects a variance that was estimated from blocks for the terms that
// were fitted to them.
func (f *fit) freedom(terms int) float64 {
	rows, blocks := float64(f.problem.rows()), float64(len(f.blocks))
	if rows <= float64(terms)+1 || blocks < 2 {
		return math.Inf(1)
	}
	return blocks / (blocks - 1) * rows / (rows - float64(terms))
}

func (b *block) at(n, i, j int) float64 {
	if i > j {
		i, j = j, i
	}
	return b.a[i*n+j]
}
