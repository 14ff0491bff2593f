package attribution

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// solution is what a regression found out about one series: three models, each
// the next one with fewer freedoms, and how well each predicts.
type solution struct {
	series    *seriesHistory
	each      *identified // static terms and a power for each function
	alike     *identified // static terms and one power for all that runs
	byEach    prediction
	byAlike   prediction
	byTime    prediction // static power alone
	bySharing prediction // CPU time alone, which is charged with all of the energy
	validated bool       // there was enough for the predictions
}

// fewestRows is how many intervals a regression needs.
const fewestRows = 24

// maxCells bounds the memory of a problem, which is intervals times terms: 32 MiB.
const maxCells = 1 << 22

// regress fits a series. ok is false when its intervals are too few or say nothing.
func (h *history) regress(s *seriesHistory) (*solution, bool) {
	r := &s.rows
	if len(r.list) < fewestRows || s.joules() <= 0 {
		return nil, false
	}
	var span float64
	for _, w := range r.list {
		span += w.ns * 1e-9
	}
	watts := min(s.track.watts, s.joules()/span)
	least := fewestPeriods * h.changes.period() * float64(len(r.list)) / span
	cells := float64(len(r.list) * min(maxTerms, h.functions.units()+maxPools))
	best := h.bestPool(s, watts, int(math.Ceil(max(least, cells/maxCells))))
	if best == nil {
		return nil, false
	}
	if found, ok := best.findCompany(r, &h.changes, s.cut.cpus, s.cut.siblings != nil); ok {
		m := best.model
		m.company = found
		if again, ok := identify(r, m, &h.changes, best.pool); ok {
			again.add(best.givenUp)
			again.wide = again.widen(again.fit, again.model, r, &h.changes, found.kinds())
			best = again
		}
	}
	sol := &solution{series: s, each: best}
	sol.validate(r, &h.changes)
	return sol, true
}

// bestPool tries how many intervals to sum to one, from least on.
func (h *history) bestPool(s *seriesHistory, watts float64, least int) *identified {
	r, ran := &s.rows, s.ran()
	var best *identified
	var first *identified // has the most intervals; what it cannot tell apart for noise, others tell by chance
	for _, pool := range pools(len(r.list), least) {
		m := model{watts: watts,
			terms: chooseTerms(h.functions, ran, s.other(), s.lost(), len(r.list)/pool, s.track.fitted, h.functions.sampled == nil)}
		var untold givenUp
		if first != nil && first.told.n <= m.terms.n {
			m.terms, untold = first.told, first.untold
		}
		id, ok := identify(r, m, &h.changes, pool)
		if !ok {
			continue
		}
		id.add(untold)
		if first == nil {
			first = id
		}
		if best == nil || id.betterThan(best) {
			best = id
		}
	}
	return best
}

// betterThan compares fits of the same recording: what tells more terms apart comes
// first, then what has the smaller errors.
func (id *identified) betterThan(o *identified) bool {
	if id.coarse != o.coarse {
		return o.coarse
	}
	if n := id.model.terms.n; n != o.model.terms.n {
		return n > o.model.terms.n
	}
	return mat.Trace(id.cov) < mat.Trace(o.cov)
}

// fewestPeriods is how many samples of a CPU an interval holds at least: with
// fewer, how far they err cannot be told well.
const fewestPeriods = 5

// pools are the numbers of intervals to sum to one that are worth a try, from least
// on: more of them wash out the errors at their edges and lose what differs
// between them.
func pools(rows, least int) []int {
	list := []int{max(1, min(least, rows/fewestRows))}
	for _, p := range []int{2, 3, 5, 10, 20} {
		if p > list[0] && rows/p >= 100 {
			list = append(list, p)
		}
	}
	return list
}

// joules is the energy of the rows.
func (s *seriesHistory) joules() float64 {
	var sum float64
	for _, w := range s.rows.list {
		sum += w.joules
	}
	return sum
}

// validate compares the regression with simpler models.
func (s *solution) validate(r *rows, c *changes) {
	p, t := s.each.problem, &s.each.model.terms
	given := s.each.model.watts
	one := s.each.model
	one.terms = t.alike()
	two := s.each.problemOf(r, c, one)
	bare, timeOnly := two, two
	if k := one.terms.n; k > 1 {
		bare = two.columns([]int{k - 1})
	}
	if one.terms.base != none {
		timeOnly = two.columns([]int{one.terms.base})
	}
	var ok [4]bool
	s.byEach, ok[0] = p.crossValidate(given)
	s.byAlike, ok[1] = two.crossValidate(given)
	s.bySharing, ok[2] = bare.withStatic(given).crossValidate(0)
	s.byTime, ok[3] = timeOnly.crossValidate(given)
	f, solved := two.solve()
	if solved {
		a := &identified{fit: f, model: one, pool: s.each.pool, damping: s.each.damping, givenUp: s.each.givenUp}
		if a.cov, solved = f.covariance(); solved {
			if of := one.company.kinds(); len(of) > 0 {
				a.wide = a.widen(f, one, r, c, of)
			}
			s.alike = a
		}
	}
	if ok[0] {
		s.each, s.byEach = s.each.bySegment(s.byEach)
	}
	s.validated = ok == [4]bool{true, true, true, true} && s.alike != nil
}

// responds tells whether what runs explains more of the energy than time alone, and leads by more
// than so many standard errors.
func (s *solution) responds(lead float64) bool {
	if s.each.model.terms.base == none {
		return true
	}
	return max(s.byAlike.lead(s.byTime), s.byEach.lead(s.byTime)) > lead
}

// All energy depends on what runs, and it is asked whether a recording shows it. Counts need not: one series in
// forty that does not would come out as the functions' by chance.
const (
	energyLead = 2
	countsLead = 4
)

// differ tells whether functions have different powers, as far as predictions show.
func (s *solution) differ() bool {
	return s.each.model.terms.functions() > 1 && s.byEach.beats(s.byAlike)
}
