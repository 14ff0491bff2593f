package attribution

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

const (
	// A function has a power of its own if the standard error of its joules is
	// below this part of them, so that its 95 % interval does not reach 0.
	maxError = 0.5
	// The power of an active package is told from the static power if its
	// standard error is below this part of both.
	maxActiveError = 0.25
	// Nor is a small power of an active package given up that is known to be small:
	// to this part of the energy.
	maxActiveShare = 0.02
)

// neverIdle is the part of the time from which on a package counts as always awake.
const neverIdle = 0.998

// identified is a fit whose terms the data can tell apart, and what had to be done
// for that.
type identified struct {
	*fit
	givenUp
	model model
	pool  int // intervals that were summed to one
	cov   *mat.SymDense

	wide    *fit      // with columns for company, where there is any: that errs as well
	known   []float64 // standard errors, where the fit is one of segments or all is static
	told    terms     // before functions were joined for being uncertain
	untold  givenUp   // by then
	damping float64   // part of the correction for the errors of the columns that is made
	coarse  bool      // it is less than 1
}

// givenUp is what could not be told.
type givenUp struct {
	noBase  bool // the static power from the functions
	asOne   bool // the power of an active package from the static power
	noAlone bool // the power of an active package from the functions
}

func (g *givenUp) add(o givenUp) {
	g.noBase, g.asOne, g.noAlone = g.noBase || o.noBase, g.asOne || o.asOne, g.noAlone || o.noAlone
}

// identify fits, and joins or drops terms until the data tell apart what is left.
func identify(r *rows, m model, c *changes, pool int) (*identified, bool) {
	id := &identified{model: m, pool: pool, damping: 1}
	id.model.terms = m.terms.clone()
	for {
		t := &id.model.terms
		if t.n == 0 {
			return nil, false
		}
		p := id.problemOf(r, c, id.model)
		if id.dropEmpty(p) {
			continue
		}
		f, ok := p.solve()
		id.fit = f
		if v, noisy := f.leastTold(); v != nil {
			if noisy && !c.drawn && id.matters(r, c, v) {
				// Samples are so far apart that their errors drown a term which is there all
				// the same. The correction for the errors is taken back as far as it takes.
				id.damping *= 0.8
				id.coarse = true
				continue
			}
			id.settle(v)
			continue
		}
		if !ok {
			return nil, false
		}
		if id.cov, ok = f.covariance(); !ok {
			return nil, false
		}
		if id.told.unit == nil {
			id.told, id.untold = t.clone(), id.givenUp
		}
		if !id.joinUncertain() {
			return id, true
		}
	}
}

// problemOf is the problem of a model, with as much of the correction as id makes.
func (id *identified) problemOf(r *rows, c *changes, m model) *problem {
	p := newProblem(r, m, c, id.pool)
	p.noise.ScaleSym(id.damping, p.noise)
	p.energy = max(0, p.energy) // static power that is given takes no more than all: rounding may
	return p
}

// dropEmpty removes a column that is 0 throughout.
func (id *identified) dropEmpty(p *problem) bool {
	t := &id.model.terms
	for j, s := range p.total {
		if s > 0 {
			continue
		}
		if j == t.other {
			t.other = none
		}
		if j == t.lost {
			t.lost = none
		}
		t.drop(j)
		return true
	}
	return false
}

// matters tells whether a static term that v would have dropped predicts.
func (id *identified) matters(r *rows, c *changes, v []float64) bool {
	without := *id
	without.model.terms = id.model.terms.clone()
	without.settle(v)
	if without.model.terms.functions() < id.model.terms.functions() || without.model.terms.n == 0 {
		return false
	}
	kept, ok := newProblem(r, id.model, &changes{}, id.pool).crossValidate(0)
	if !ok {
		return false
	}
	dropped, ok := newProblem(r, without.model, &changes{}, id.pool).crossValidate(0)
	return ok && kept.beats(dropped)
}

// settle gives up the combination v of terms: the power of an active package, the
// static power, or the difference of two functions.
func (id *identified) settle(v []float64) {
	t := &id.model.terms
	up, down, largest := none, none, 0.0
	for j, x := range v {
		largest = max(largest, math.Abs(x))
		if j == t.base || j == t.active {
			continue
		}
		if up == none || x > v[up] {
			up = j
		}
		if down == none || x < v[down] {
			down = j
		}
	}
	part := func(j int) bool { return j != none && math.Abs(v[j]) > largest/3 }
	switch {
	case part(t.active):
		id.asOne = id.asOne || part(t.base)
		id.noAlone = id.noAlone || !part(t.base)
		t.drop(t.active)
	case part(t.base):
		id.noBase = true
		t.drop(t.base)
	case up == none || up == down:
		if t.base != none {
			id.noBase = true
			t.drop(t.base)
		} else {
			t.drop(0)
		}
	default:
		t.join(up, down)
	}
}

// joinUncertain joins or drops the term that is known worst, if it is known too
// badly to stand alone.
func (id *identified) joinUncertain() bool {
	t := &id.model.terms
	sd := func(j int) float64 { return math.Sqrt(id.cov.At(j, j)) }
	if a := t.active; a != none {
		both := id.joules[a]
		if t.base != none {
			both += id.joules[t.base]
		}
		// Where it is not there, its fit can only err upwards.
		absent := id.joules[a] < 2*sd(a)
		if unclear := sd(a) > max(maxActiveError*both, maxActiveShare*id.problem.energy); absent || unclear {
			// A package that is never idle does not show it, however sure the fit is.
			unclear = unclear || id.problem.total[a] > neverIdle*id.problem.span
			id.asOne = id.asOne || unclear && t.base != none
			id.noAlone = id.noAlone || unclear && t.base == none
			t.drop(a)
			return true
		}
	}
	var dynamic float64
	for j, s := range id.problem.total {
		if j != t.base && j != t.active {
			dynamic += s
		}
	}
	worst, excess := none, 1.0
	for j := range id.joules {
		if j == t.base || j == t.active {
			continue
		}
		expected := id.problem.energy * id.problem.total[j] / dynamic
		if e := sd(j) / (maxError * max(id.joules[j], expected)); e > excess {
			worst, excess = j, e
		}
	}
	if worst == none {
		return false
	}
	// With whom it is mixed up: the most negative correlation.
	with, least := none, 2.0
	for j := range id.joules {
		if j == worst || sd(j) == 0 {
			continue
		}
		r := id.cov.At(worst, j) / (sd(worst) * sd(j))
		// Static power is given up only where it is that and nothing else.
		if static := j == t.base || j == t.active; static && r > -0.99 && t.functions() > 1 {
			continue
		}
		if r < least {
			with, least = j, r
		}
	}
	switch {
	case with == none:
		return false
	case with == t.active:
		id.noAlone = true
		t.drop(t.active)
	case with == t.base:
		id.noBase = true
		t.drop(t.base)
	default:
		t.join(worst, with)
	}
	return true
}
