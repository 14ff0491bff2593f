package attribution

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// noise is the covariance of the errors of all columns, summed over the intervals of a
// problem, and of columns for kinds of company if the joules are given (see widen). An
// error that lies across the edge of an interval is divided, which makes the sum of
// its squares smaller: by 1/8 of a period in the interval for a change alone, and
// nearly all of one where samples do not depend on each other.
func (c *changes) noise(m model, p *problem, of []companyKind, joules []float64) *mat.SymDense {
	periods := 0.0
	if seconds := p.span / float64(p.rows()); seconds > 0 {
		periods = min(c.period()/seconds, 1)
	}
	e := newChangeError(m, p, of, joules)
	term := func(u int32) int {
		if u == idle || int(u) >= len(m.terms.unit) {
			return none
		}
		return int(m.terms.unit[u])
	}
	for _, change := range c.sorted() {
		a, b := term(change.before), term(change.after)
		if a == b {
			continue
		}
		divided := periods * (1./8 + (change.error-1./12)/(1./2-1./12)*0.75)
		v := change.weight2 * change.error * 1e-18 * (1 - divided)
		if change.before != idle {
			e.change(a, b, v)
			continue
		}
		alone := c.aloneness(change.after)
		e.start(b, v*alone, 1, 0)
		if alone < 1 {
			e.start(b, v*(1-alone), 0, 1/(1-alone))
		}
	}
	return e.noise
}

// changeError sums up what comes of an instant of change that is not known. Each
// change makes columns err together: v is its variance, s^2.
type changeError struct {
	noise  *mat.SymDense
	model  model
	of     []companyKind
	p      *problem
	joules []float64
	all    float64   // s that all functions ran
	error  []float64 // of the columns, if the instant is wrong by 1 s
}

func newChangeError(m model, p *problem, of []companyKind, joules []float64) *changeError {
	e := &changeError{model: m, p: p, of: of, joules: joules}
	n := p.n + len(of)
	e.noise, e.error = mat.NewSymDense(max(1, n), nil), make([]float64, n)
	for _, s := range p.ran {
		e.all += s
	}
	return e
}

// in is the part of the time of a term that is in company.
func (e *changeError) in(k companyKind, term int) float64 {
	if e.p.ran[term] <= 0 {
		return 0
	}
	return e.p.met[k][term] / e.p.ran[term]
}

// change is one of two functions on a CPU.
func (e *changeError) change(a, b int, v float64) {
	clear(e.error)
	if a != none {
		e.counts(a, 1, 1, 1)
	}
	if b != none {
		e.counts(b, -1, 1, -1)
	}
	e.add(v)
}

// start is one of idleness and a function b. alone is 1 if nothing else ran, so that
// the time of an active package errs as well, and 0 if not; company is how many times
// as much else ran as on average.
func (e *changeError) start(b int, v, alone, company float64) {
	if b == none {
		return
	}
	clear(e.error)
	if t := e.model.terms.active; t != none && e.p.total[t] > 0 {
		e.error[t] = alone / e.p.total[t]
	}
	e.counts(b, 1, company, 1)
	if company > 0 && e.all > 0 {
		// Those that ran are in company for as much longer.
		for j := range e.p.n {
			if e.p.ran[j] > 0 {
				e.counts(j, 0, company*e.p.ran[j]/e.all, 1)
			}
		}
	}
	e.add(v)
}

// counts notes that a term ran for so many seconds more than it seems, and in company for
// this many times its usual part of a second, times sign.
func (e *changeError) counts(term int, ran, company, sign float64) {
	if e.p.total[term] <= 0 {
		return
	}
	counted := ran
	for k := range companyKinds {
		counted += sign * company * e.in(k, term) * *e.model.company.of(k)
	}
	e.error[term] += counted / e.p.total[term]
	if e.joules == nil {
		return
	}
	watts := e.joules[term] / e.p.total[term]
	for i, k := range e.of {
		e.error[e.p.n+i] += watts * (sign*company*e.in(k, term) - counted*e.p.met[k][term]/e.p.total[term])
	}
}

// add sums up.
func (e *changeError) add(v float64) {
	for i, x := range e.error {
		if x == 0 {
			continue
		}
		for j := i; j < len(e.error); j++ {
			if y := e.error[j]; y != 0 {
				e.noise.SetSym(i, j, e.noise.At(i, j)+v*x*y)
			}
		}
	}
}

// correct takes the errors of the columns out of the equations: they are in the squares and
// not in the products with the energy. ran is, by block and term, the weighted sum of what
// the term's column has there. A block gets its part of an error by what ran in it. By its
// seconds, blocks without a rare function would have nothing but the function's errors, and
// a draw of few of those with it (see bootstrap) next to none of its squares: one such draw
// of 300, off by hundreds of joules, made the intervals of all functions useless.
func (f *fit) correct(ran [][]float64) {
	p := f.problem
	if p.span <= 0 {
		return
	}
	for _, r := range ran {
		for j := range r {
			r[j] = math.Sqrt(r[j])
		}
	}
	weight := f.meanWeight()
	for j := range p.n {
		for l := j; l < p.n; l++ {
			v := weight * p.noise.At(j, l)
			if v == 0 {
				continue
			}
			var all float64
			for _, r := range ran {
				all += r[j] * r[l]
			}
			for i, r := range ran {
				part := 1 / float64(len(ran)) // of two that share no block
				if all > 0 {
					part = r[j] * r[l] / all
				}
				f.blocks[i].a[j*p.n+l] -= v * part
			}
		}
	}
}
