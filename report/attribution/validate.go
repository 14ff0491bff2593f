package attribution

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// prediction is how well a fit to one half of the blocks predicts the other half.
type prediction struct {
	square []float64 // by block: sum of the squared errors, J^2
	mean   float64   // energy of a row, J
	rows   int
}

// error is the root mean square error relative to the mean energy of an interval.
func (p prediction) error() float64 {
	var sum float64
	for _, s := range p.square {
		sum += s
	}
	if p.mean <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(sum/float64(p.rows)) / p.mean
}

// beats tells whether p predicts better than o by more than chance: the difference
// of their squared errors, block by block, is twice its standard error or more.
func (p prediction) beats(o prediction) bool { return p.lead(o) > 2 }

// lead is by how many of its standard errors the difference of their squared errors is
// in favour of p.
func (p prediction) lead(o prediction) float64 {
	n := float64(len(p.square))
	// A few blocks in which something went wrong with the samples must not decide.
	sizes := make([]float64, len(p.square))
	for b := range sizes {
		sizes[b] = math.Abs(o.square[b] - p.square[b])
	}
	slices.Sort(sizes)
	limit := outlier * sizes[len(sizes)/2]
	var sum, squares float64
	for b := range p.square {
		d := max(-limit, min(limit, o.square[b]-p.square[b]))
		sum += d
		squares += d * d
	}
	mean := sum / n
	variance := (squares/n - mean*mean) / (n - 1)
	if mean <= 0 {
		return 0
	}
	return mean / math.Sqrt(max(0, variance))
}

// outlier is how many times the median difference of a block counts at most.
const outlier = 5

// crossValidate fits each half of the blocks, every other one, and predicts the
// rows of the other half. ok is false when a half does not determine the fit.
func (p *problem) crossValidate(given float64) (v prediction, ok bool) {
	blocks := p.blocks
	v.square = make([]float64, blocks)
	v.rows = p.rows()
	v.mean = (p.energy + given*p.span) / float64(v.rows)
	if blocks < 4 {
		return v, false
	}
	block := func(k int) int { return ((k+1)*blocks - 1) / p.rows() }
	for half := range 2 {
		watts, ok := p.part(p.blocks/2, func(k int) bool { return block(k)%2 == half }).watts()
		if !ok {
			return v, false
		}
		for k := range p.rows() {
			if block(k)%2 == half {
				continue
			}
			d := p.y[k]
			for j, x := range p.row(k) {
				d -= x * p.total[j] * watts[j]
			}
			v.square[block(k)] += p.trust[k] * d * d
		}
	}
	return v, true
}

// watts solves and returns the power of each term, W. A term that did not run gets
// the mean of those that did.
func (p *problem) watts() ([]float64, bool) {
	var kept []int
	for j, s := range p.total {
		if s > 0 {
			kept = append(kept, j)
		}
	}
	q := p.columns(kept)
	f, ok := q.solve()
	if !ok {
		// A half may not tell what the whole does, such as the power of a package that
		// was idle for a moment. For a prediction it does not matter which of two columns
		// that are alike has the power, nor that the errors of the columns make it smaller.
		plain := *q
		plain.noise, plain.ridge = mat.NewSymDense(max(1, q.n), nil), 1e-6
		if f, ok = plain.solve(); !ok {
			return nil, false
		}
	}
	var energy, seconds float64
	watts := make([]float64, p.n)
	for i, j := range kept {
		watts[j] = f.joules[i] / p.total[j]
		energy += f.joules[i]
		seconds += p.total[j]
	}
	for j, s := range p.total {
		if s <= 0 && seconds > 0 {
			watts[j] = energy / seconds
		}
	}
	return watts, true
}

// part is the problem of some of the rows.
func (p *problem) part(blocks int, in func(row int) bool) *problem {
	h := &problem{n: p.n, total: make([]float64, p.n)}
	for k := range p.rows() {
		if !in(k) {
			continue
		}
		h.x = append(h.x, p.row(k)...)
		h.y = append(h.y, p.y[k])
		h.seconds = append(h.seconds, p.seconds[k])
		h.trust = append(h.trust, p.trust[k])
		h.energy += p.y[k]
		h.span += p.seconds[k]
		for j, x := range p.row(k) {
			h.total[j] += x * p.total[j]
		}
	}
	h.blocks = max(1, min(blocks, h.rows()/2))
	h.noise = mat.NewSymDense(max(1, p.n), nil)
	for i := range p.n {
		for j := i; j < p.n; j++ {
			if h.total[i] > 0 && h.total[j] > 0 && p.span > 0 {
				v := p.noise.At(i, j) * p.total[i] * p.total[j] * h.span / p.span
				h.noise.SetSym(i, j, v/(h.total[i]*h.total[j]))
			}
		}
	}
	for k := range h.rows() {
		row := h.x[k*h.n : (k+1)*h.n]
		for j := range row {
			if h.total[j] > 0 {
				row[j] *= p.total[j] / h.total[j]
			}
		}
	}
	return h
}

// withStatic is the problem with static power that was given left in the energies.
func (p *problem) withStatic(watts float64) *problem {
	w := *p
	w.y = make([]float64, len(p.y))
	for k, y := range p.y {
		w.y[k] = y + watts*p.seconds[k]
	}
	w.energy += watts * p.span
	return &w
}

// columns is the problem with some of the terms only.
func (p *problem) columns(kept []int) *problem {
	if len(kept) == p.n {
		return p
	}
	c := *p
	c.n = len(kept)
	c.x = make([]float64, 0, p.rows()*c.n)
	for k := range p.rows() {
		for _, j := range kept {
			c.x = append(c.x, p.x[k*p.n+j])
		}
	}
	c.total = make([]float64, c.n)
	c.noise = mat.NewSymDense(max(1, c.n), nil)
	for a, i := range kept {
		c.total[a] = p.total[i]
		for b, j := range kept[a:] {
			c.noise.SetSym(a, a+b, p.noise.At(i, j))
		}
	}
	return &c
}
