package attribution

import (
	"math"
)

// regress turns the result of proportional sharing into that of the regression,
// for all series for which there is one, if the method allows it.
func (a *Attributor) regress(r *Result) {
	solutions := make([]*solution, len(a.tracks))
	histories := make([]*history, len(a.tracks))
	found, validated, responds, differ := false, false, false, false
	lead := float64(energyLead)
	if a.counts {
		lead = countsLead
	}
	for _, g := range a.groups {
		g.history.finish() // of all first: after that all functions are known
	}
	for _, g := range a.groups {
		for _, s := range g.history.series {
			sol, ok := g.history.regress(s)
			if !ok {
				continue
			}
			i := s.track.index
			solutions[i], histories[i] = sol, g.history
			found = true
			validated = validated || sol.validated
			responds = responds || sol.validated && sol.responds(lead)
			differ = differ || sol.validated && sol.responds(lead) && sol.differ()
		}
	}
	note := func(format string, args ...any) { r.Notes = append(r.Notes, a.say(format, args...)) }
	r.Method = Proportional
	if !found {
		note("there are too few intervals of energy for a regression (it takes %d): joules are shared by CPU time", fewestRows)
		return
	}
	r.Validation = validation(solutions, differ || a.method == Regression)
	if a.method == Auto && !validated {
		note("one half of the recording does not tell enough to predict the other: joules are shared by CPU time")
		return
	}
	if a.method == Auto && !responds && !a.counts && a.sampled == nil {
		note("the energy does not depend on what runs, as far as the recording shows: joules are shared by CPU time")
		return
	}
	switch {
	case differ || a.method == Regression:
		r.Method = Regression
	case !responds:
		note("the energy does not depend on what runs, as far as the recording shows: all of it is static")
	default:
		note("no function draws more than another, as far as the recording shows: all CPU time has one power")
	}
	for i, s := range solutions {
		if s == nil {
			if r.Series[i].Joules > 0 {
				note("%v: there are too few intervals of energy for a regression: its joules are shared by CPU time", r.Series[i].Series)
			}
			continue
		}
		id := s.each
		switch {
		case a.method == Regression:
		case !s.validated:
			note("%v: one half of the recording does not tell enough to predict the other: its joules are shared by CPU time", r.Series[i].Series)
			continue
		case !s.responds(lead):
			id = s.alike.still()
		case !s.differ():
			id = s.alike
		}
		o := newOutcome(id, s.series, histories[i].functions)
		keys := len(r.Series[i].ByKey)
		r.Series[i] = o.result(keys)
		if r.Method != Regression {
			r.Series[i].Functions = nil
		}
		r.Notes = append(r.Notes, o.notes(a.say)...)
	}
}

// still is the model in which all energy is static.
func (id *identified) still() *identified {
	s := *id
	f := *id.fit
	s.fit = &f
	f.joules = make([]float64, len(id.joules))
	f.joules[id.model.terms.base] = id.problem.energy
	s.known = id.errors()
	s.known[id.model.terms.base] = 0 // as well as the total
	s.noAlone = false                // no function's joules include anything
	return &s
}

// validation is that of the series together, by energy.
func validation(solutions []*solution, each bool) *Validation {
	var v Validation
	var energy float64
	for _, s := range solutions {
		if s == nil || !s.validated {
			continue
		}
		p := s.byAlike
		if each {
			p = s.byEach
		}
		e := s.series.joules()
		energy += e
		v.Error += e * p.error() * p.error()
		v.ShareError += e * s.bySharing.error() * s.bySharing.error()
	}
	if energy == 0 {
		return nil
	}
	v.Error, v.ShareError = math.Sqrt(v.Error/energy), math.Sqrt(v.ShareError/energy)
	return &v
}
