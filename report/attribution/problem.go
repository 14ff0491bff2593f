package attribution

import "gonum.org/v1/gonum/mat"

// problem is a regression of the energies of intervals on what ran in them.
// Column j of x is divided by its sum, so that the unknowns are the joules of the
// terms, which add up to the energy.
type problem struct {
	n       int
	x       []float64               // rows by n
	y       []float64               // J by row, less the static power that is given
	seconds []float64               // by row
	trust   []float64               // by row: 1, less where much of what ran is not known
	total   []float64               // s by term, which its column was divided by
	ran     []float64               // s by term, of functions, before company
	met     [companyKinds][]float64 // s by kind of company and term: in it
	energy  float64                 // J, the sum of y
	span    float64                 // s, the sum of seconds
	noise   *mat.SymDense           // covariance of the errors in all of x, summed
	blocks  int                     // that the rows are divided into
	ridge   float64                 // part by which the squares of the columns are enlarged, so that there is a solution
}

// model is what the equations of a series are made with.
type model struct {
	terms   terms
	watts   float64 // static power that is given
	company company
}

// newProblem makes the equations of rows, so many of which are summed to one.
func newProblem(r *rows, m model, c *changes, pool int) *problem {
	t := &m.terms
	n := t.n
	k := max(1, len(r.list)/pool) // what remains joins the last one
	p := &problem{n: n, total: make([]float64, n), blocks: max(1, min(maxBlocks, k/2))}
	p.x, p.y = make([]float64, k*n), make([]float64, k)
	p.ran = make([]float64, n)
	for kind := range p.met {
		p.met[kind] = make([]float64, n)
	}
	p.seconds = make([]float64, k)
	busy, lost, missing := make([]float64, k), make([]float64, k), make([]float64, k) // CPU seconds
	functions := 0.0
	for i, w := range r.list {
		i = min(i/pool, k-1)
		x := p.x[i*n : (i+1)*n]
		p.seconds[i] += w.ns * 1e-9
		p.y[i] += w.joules - m.watts*w.ns*1e-9
		if t.base != none {
			x[t.base] += w.ns * 1e-9
		}
		if t.active != none {
			x[t.active] += w.active * 1e-9
		}
		if t.other != none {
			x[t.other] += w.other * 1e-9
		}
		busy[i] += (w.other + w.lost) * 1e-9
		missing[i] += w.lost * 1e-9
		if t.lost != none {
			x[t.lost] += w.lost * 1e-9
		} else {
			lost[i] += w.lost * 1e-9
		}
		for _, e := range r.entries[w.from:w.to] {
			if t.unit[e.unit] == none {
				continue // it ran for no time that counts
			}
			s := m.company.counted(float64(e.ns), float64(e.shared), float64(e.crowd)) * 1e-9
			j := t.unit[e.unit]
			x[j] += s
			p.ran[j] += float64(e.ns) * 1e-9
			p.met[shared][j] += float64(e.shared) * 1e-9
			p.met[crowd][j] += float64(e.crowd) * 1e-9
			p.total[j] += s
			functions += s
			busy[i] += float64(e.ns) * 1e-9
		}
	}
	// Lost time was spent in what ran, in proportion.
	if functions > 0 {
		share := make([]float64, n)
		for j := range share {
			share[j] = p.total[j] / functions
		}
		for i, s := range lost {
			for j := range share {
				p.x[i*n+j] += s * share[j]
			}
		}
	}
	clear(p.total)
	for i := range k {
		p.energy += p.y[i]
		p.span += p.seconds[i]
		for j, s := range p.x[i*n : (i+1)*n] {
			p.total[j] += s
		}
	}
	for i := range k {
		for j := range n {
			if p.total[j] > 0 {
				p.x[i*n+j] /= p.total[j]
			}
		}
	}
	p.trust = make([]float64, k)
	for i := range p.trust {
		p.trust[i] = 1
		if t.lost != none && missing[i] > muchLost*busy[i] {
			p.trust[i] = lostTrust
		}
	}
	p.noise = c.noise(m, p, nil, nil)
	if o := t.other; o != none && p.total[o] > 0 {
		v := 2 * r.divided * 1e-18 / float64(pool) // both sides of an edge
		p.noise.SetSym(o, o, p.noise.At(o, o)+v/(p.total[o]*p.total[o]))
	}
	return p
}

const (
	// An interval of which a larger part of what ran was lost counts less: what ran
	// in it is not known, nor how much of it ran at all.
	muchLost  = 0.02
	lostTrust = 0.02
)

func (p *problem) row(i int) []float64 { return p.x[i*p.n : (i+1)*p.n] }
func (p *problem) rows() int           { return len(p.y) }
