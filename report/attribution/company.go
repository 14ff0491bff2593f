package attribution

import (
	"math"
	"slices"
)

// company is how what else runs changes the power of what runs: hardware threads
// share a core, and other cores take from the power, the frequency and the cooling of
// a package. A second counts 1, and the more or less of it.
type company struct {
	shared float64 // while another hardware thread of the core runs
	crowd  float64 // while all other CPUs run; in proportion while some do
}

// companyKind is one of the numbers of company.
type companyKind int

const (
	shared companyKind = iota
	crowd
	companyKinds // how many there are
)

func (c *company) of(k companyKind) *float64 {
	if k == shared {
		return &c.shared
	}
	return &c.crowd
}

// kinds are those that are there.
func (c company) kinds() []companyKind {
	var list []companyKind
	for k := range companyKinds {
		if *c.of(k) != 0 {
			list = append(list, k)
		}
	}
	return list
}

// counted is what the seconds of an entry count: never less than nothing, which
// several threads of a core could make of it.
func (c company) counted(ns, shared, crowd float64) float64 {
	return max(0, ns+c.shared*shared+c.crowd*crowd)
}

const (
	// Where the correction for errors of the columns moves more than this part of the
	// functions' joules, company only makes up for what is left of those errors.
	maxCorrection = 0.05
	// Company is taken from so many standard errors on, and from this part of a power.
	// Less may come from the samples: a timer is late rather when other CPUs run too, and
	// what others than the target run crowds as well. In recordings without company up to
	// 0.01 was seen on virtual machines, and 0.02 on simulated ones.
	clearCompany = 4
	leastCompany = 0.025
	// More is no company: the energies do not tell it.
	mostCompany = 0.7
)

// findCompany fits the company of a recording. What is taken is clear of 0, and with
// it one half of the recording predicts the other better. ok is false if there is none.
func (id *identified) findCompany(r *rows, c *changes, cpus int, threads bool) (found company, ok bool) {
	if cpus < 2 || id.correction() > maxCorrection {
		return company{}, false
	}
	of := []companyKind{crowd}
	if threads {
		of = append(of, shared)
	}
	for len(of) > 0 {
		m, sd, ok := id.fitCompany(r, c, of)
		if !ok {
			return company{}, false
		}
		weakest, least := 0, math.Inf(1)
		for i, k := range of {
			v := math.Abs(*m.company.of(k))
			if sure := min(v/(clearCompany*sd[i]), v/leastCompany); sure < least {
				weakest, least = i, sure
			}
		}
		if least >= 1 {
			plain, ok := id.problemOf(r, c, id.model).crossValidate(id.model.watts)
			better, okBetter := id.problemOf(r, c, m).crossValidate(id.model.watts)
			return m.company, ok && okBetter && better.beats(plain)
		}
		of = slices.Delete(of, weakest, weakest+1)
	}
	return company{}, false
}

// correction is the part of the functions' joules that the correction moves, all of
// them at most: where functions draw nothing, rounding alone would be any multiple.
func (id *identified) correction() float64 {
	var moved, all float64
	for j, plain := range id.uncorrected() {
		if j != id.model.terms.base && j != id.model.terms.active {
			moved += math.Abs(plain - id.joules[j])
			all += id.joules[j]
		}
	}
	return min(1, moved/max(all, math.SmallestNonzeroFloat64))
}

// fitCompany finds the company with which the energies are explained best, from none on
// (Gauss and Newton), and the standard error of each kind. ok is false if it comes to
// no end.
func (id *identified) fitCompany(r *rows, c *changes, of []companyKind) (m model, sd []float64, ok bool) {
	const (
		rounds  = 12
		longest = 0.2  // step
		nothing = 1e-4 // of a step
	)
	m = id.model
	f := id.fit
	for range rounds {
		w := id.widen(f, m, r, c, of)
		to, ok := w.unbounded()
		if !ok {
			return m, nil, false
		}
		moved := 0.0
		for i, k := range of {
			v := m.company.of(k)
			next := *v + max(-longest, min(longest, to[f.problem.n+i]))
			next = max(-mostCompany, min(mostCompany, next))
			moved = max(moved, math.Abs(next-*v))
			*v = next
		}
		if moved < nothing {
			sd = make([]float64, w.problem.n)
			for i := range sd {
				sd[i] = math.Inf(1)
			}
			sd = w.bootstrap(sd)[f.problem.n:]
			for i, k := range of {
				if math.Abs(*m.company.of(k)) == mostCompany {
					sd[i] = math.Inf(1)
				}
			}
			return m, sd, true
		}
		if f, ok = id.problemOf(r, c, m).solve(); !ok {
			return m, nil, false
		}
	}
	return m, nil, false
}

// widen is the fit of a model with a column for each kind of company: by how much the
// energies would change if it were more. What such a column gets is how much more it
// should be, to first order.
func (id *identified) widen(f *fit, m model, r *rows, c *changes, of []companyKind) *fit {
	const step = 1e-3
	p := f.problem
	wide := *p
	wide.n = p.n + len(of)
	wide.x = make([]float64, p.rows()*wide.n)
	for k := range p.rows() {
		copy(wide.x[k*wide.n:], p.row(k))
	}
	for i, kind := range of {
		more := m
		*more.company.of(kind) += step
		q := newProblem(r, more, c, id.pool)
		for k := range p.rows() {
			var d float64
			for j, x := range q.row(k) {
				d += (x - p.x[k*p.n+j]) * f.joules[j]
			}
			wide.x[k*wide.n+p.n+i] = d / step
		}
	}
	wide.noise = c.noise(m, p, of, f.joules)
	wide.noise.ScaleSym(id.damping, wide.noise)
	for i := range p.n {
		for j := i; j < p.n; j++ {
			wide.noise.SetSym(i, j, p.noise.At(i, j))
		}
	}
	w := &fit{problem: &wide, weight: f.weight}
	w.joules = append(slices.Clone(f.joules), make([]float64, len(of))...)
	w.free = slices.Clone(f.free)
	for range of {
		w.free = append(w.free, true)
	}
	w.assemble()
	return w
}

// unbounded solves for the terms that are not held at 0, whatever their sign.
func (f *fit) unbounded() ([]float64, bool) {
	sums := make([]float64, f.problem.n)
	for i := range f.blocks {
		for j, s := range f.blocks[i].sums {
			sums[j] += s
		}
	}
	x, _, ok := constrained(f.q, f.b(), sums, f.problem.energy, f.free)
	return x, ok
}
