package simulate

import (
	"cmp"
	"math"
	"slices"

	"github.com/energyprof/energyprof/report/attribution"
)

// minShare is the share of the CPU time from which on the errors of functions count.
const minShare = 0.02

// outcome is one seed.
type outcome struct {
	errors, scaled   map[string][]float64
	functions, apart int
	clear            []float64
	intervals        []Interval
	baseline, active wattErrors
	series           int
	validation       *attribution.Validation
	chosen, grouped  bool
	notes            []string
	cost             float64
	err              error
}

// wattErrors are the relative errors of a power where it was told apart, all and
// those that are clear to an oracle; of counts what was clear, told or not.
type wattErrors struct {
	all, clear []float64
	of         int
}

func (w *wattErrors) add(got, want, oracle float64, told bool) {
	if want <= 0 {
		return
	}
	e := math.Abs(got-want) / want
	if told {
		w.all = append(w.all, e)
	}
	if 3*oracle < 0.05*want {
		w.of++
		w.clear = append(w.clear, e)
	}
}

const oracleName = "oracle"

const packageDomain, memoryDomain = "package", "dram"

func (s *Scenario) domain() string { return cmp.Or(s.Domain, packageDomain) }

func (s *Scenario) evaluate(seed uint64, clock func() int64) outcome {
	tr, err := s.Record(seed)
	if err != nil {
		return outcome{err: err}
	}
	o := outcome{errors: map[string][]float64{}, scaled: map[string][]float64{}}
	put := func(name string, joules []float64) {
		for _, f := range s.Except {
			joules[f] = math.NaN()
		}
		o.errors[name] = tr.Errors(joules, s.domain(), minShare)
		o.scaled[name] = tr.Errors(tr.Scaled(joules, s.domain()), s.domain(), minShare)
	}
	if s.domain() == packageDomain {
		for _, f := range Formulas() {
			put(f.Name, f.Joules(tr))
		}
	}
	attribute := func(method attribution.Method) (*attribution.Result, error) {
		opt := tr.Options(method)
		if s.StaticGiven && method != attribution.Share {
			opt.BaselineWatts = tr.StaticWatts()
		}
		return tr.Attribute(opt)
	}
	for _, method := range []attribution.Method{attribution.Auto, attribution.Regression, attribution.Proportional, attribution.Share} {
		if method == attribution.Regression && o.chosen {
			continue // what Auto did
		}
		var start int64
		if clock != nil {
			start = clock()
		}
		r, err := attribute(method)
		if err != nil {
			return outcome{err: err}
		}
		joules := tr.Joules(r, s.domain())
		o.chosen = o.chosen || method == attribution.Auto && r.Method == attribution.Regression
		if r.Method == attribution.Regression {
			if clock != nil {
				o.cost = float64(clock()-start) / tr.Instruments.Duration.Seconds()
			}
			joules = s.regression(tr, seed, r, &o, joules)
			put(string(attribution.Regression), joules)
		}
		put(string(method), joules)
	}
	return o
}

// regression takes what only a regression says, and returns joules without
// functions that it does not tell apart.
func (s *Scenario) regression(tr *Trace, seed uint64, r *attribution.Result, o *outcome, joules []float64) []float64 {
	oracles := make([]Oracle, len(tr.Series))
	square := make([]float64, len(joules)) // of the oracle's errors
	for i, series := range tr.Series {
		if series.Domain == s.domain() {
			oracles[i] = tr.Oracle(i, s.StaticGiven)
			for f, sd := range oracles[i].Joules {
				square[f] += sd * sd
			}
		}
	}
	truth, _, share := tr.Known(s.domain())
	rng := source(seed, streamOracle, 0)
	ideal := make([]float64, len(joules))
	for f := range ideal {
		if ideal[f] = truth[f] + math.Sqrt(square[f])*rng.NormFloat64(); math.IsInf(ideal[f], 0) {
			ideal[f] = math.NaN()
		}
	}
	for _, f := range s.Except {
		ideal[f] = math.NaN()
	}
	o.errors[oracleName] = tr.Errors(ideal, s.domain(), minShare)
	o.intervals = slices.DeleteFunc(tr.Intervals(r, s.domain(), func(series int) Oracle { return oracles[series] }),
		func(iv Interval) bool { return slices.ContainsFunc(s.Except, iv.has) })
	o.validation, o.notes = r.Validation, r.Notes
	grouped := map[int]bool{}
	for i, sr := range r.Series {
		if sr.Domain != s.domain() {
			continue
		}
		for f, p := range sr.Functions {
			if p.Group >= 0 && p.Seconds > 0 {
				grouped[f] = true
			}
		}
		truth := tr.Truth.Series[i]
		o.series++
		if !sr.BaselineFitted {
			continue
		}
		active := 0.0
		if truth.ActiveSeconds > 0 {
			active = truth.Active / truth.ActiveSeconds
		}
		told := active == 0 || sr.ActiveWatts > 0 // else they come in one
		o.baseline.add(sr.BaselineWatts, truth.BaselineWatts, oracles[i].Baseline, told)
		o.active.add(sr.ActiveWatts, active, oracles[i].Active, told)
	}
	for f, share := range share {
		if slices.Contains(s.Except, f) {
			continue
		}
		if share >= minShare {
			o.functions++
			if !grouped[f] && 3*math.Sqrt(square[f]) <= s.Limits.Worst*truth[f] {
				o.clear = append(o.clear, math.Abs(joules[f]-truth[f])/truth[f])
			}
			if !grouped[f] {
				o.apart++
			}
		}
		if grouped[f] {
			joules[f] = math.NaN()
		}
	}
	o.grouped = len(grouped) > 0
	return joules
}
