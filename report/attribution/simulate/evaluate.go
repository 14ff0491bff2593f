package simulate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/energyprof/energyprof/report/attribution"
)

// Evaluation is what became of a scenario over many seeds.
type Evaluation struct {
	Scenario Scenario
	Seeds    int

	// Methods are the errors of joules of functions with at least MinShare of
	// the CPU time: the regression, what Auto chose, proportional, share, the
	// formulas of other tools, and an oracle.
	Methods []MethodErrors
	// Apart is the part of those functions that the regression tells apart in
	// every package; its errors are of these.
	Apart float64

	// Clear is the worst error of the regression among the functions that an
	// oracle tells to Limits.Worst with three standard deviations, and ClearOf the
	// part of the functions that these are. 0 without a limit.
	Clear, ClearOf float64

	// Coverage is the part of the confidence intervals that have the truth, of
	// functions with MinShare and of groups; CoverageAll of all. Width is the
	// median of their width, relative to the truth, and WidthOracle relative to
	// an oracle's.
	Coverage, CoverageAll   float64
	Intervals, IntervalsAll int
	Width, WidthOracle      float64

	// Baseline and Active are the errors of the static power and of that of an
	// active package.
	Baseline, Active Watts

	Validation, ShareValidation float64 // medians
	ValidationRatio             float64 // median of ShareValidation / Validation
	Chosen                      float64 // part of the seeds in which Auto ended with the regression
	Noted                       float64 // part of the seeds with a note, or a group of functions
	Notes                       map[string]int
	Cost                        float64 // by the clock, per second of recording, of the regression
}

// MethodErrors are relative errors: Mean over functions and seeds, Typical the
// median over seeds of the worst function, Worst of all.
type MethodErrors struct {
	Name                 string
	Mean, Typical, Worst float64
	// Bias is the mean of the errors with their signs.
	Bias float64
	// Scaled is the mean with the one common factor that suits best.
	Scaled float64
}

// Watts are the relative errors of a power over packages and seeds.
type Watts struct {
	Apart       float64 // part of the packages in which it was told apart
	Mean, Worst float64 // NaN if it never was
	// Clear are the errors where an oracle tells it to 5 % (95 % interval), Of
	// how many packages these are.
	Clear float64
	Of    float64
}

// outcome is one seed.
type outcome struct {
	errors, scaled   map[string][]float64
	functions, apart int
	clear            []float64
	intervals        []Interval
	baseline, active wattErrors
	series           int
	validation       *attribution.Validation
	chosen, noted    bool
	notes            []string
	cost             float64
	err              error
}

// Evaluate runs a scenario with the seeds from 1 on. The clock tells ns, for
// the cost; nil leaves it out.
func Evaluate(s Scenario, seeds, workers int, clock func() int64) (*Evaluation, error) {
	outcomes := make([]outcome, seeds)
	var wg sync.WaitGroup
	next := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range next {
				outcomes[i] = s.evaluate(uint64(i+1), clock)
			}
		})
	}
	for i := range seeds {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, o := range outcomes {
		if o.err != nil {
			return nil, fmt.Errorf("simulate: %s, seed %d: %w", s.Name, i+1, o.err)
		}
	}
	return s.collect(outcomes), nil
}

func (s *Scenario) minShare() float64 {
	if s.MinShare > 0 {
		return s.MinShare
	}
	return 0.02
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
	if Normal95*oracle < 0.05*want {
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
		o.errors[name] = tr.Errors(joules, s.domain(), s.minShare())
		o.scaled[name] = tr.Errors(tr.Scaled(joules, s.domain()), s.domain(), s.minShare())
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
	o.errors[oracleName] = tr.Errors(ideal, s.domain(), s.minShare())
	o.intervals = slices.DeleteFunc(tr.Intervals(r, s.domain(), func(series int) Oracle { return oracles[series] }),
		func(iv Interval) bool { return slices.ContainsFunc(s.Except, iv.has) })
	o.validation, o.notes, o.noted = r.Validation, r.Notes, len(r.Notes) > 0
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
		if share >= s.minShare() {
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
	o.noted = o.noted || len(grouped) > 0
	return joules
}

func (s *Scenario) collect(outcomes []outcome) *Evaluation {
	e := &Evaluation{Scenario: *s, Seeds: len(outcomes), Notes: map[string]int{}}
	names := []string{string(attribution.Regression), string(attribution.Auto), string(attribution.Proportional), string(attribution.Share)}
	for _, f := range Formulas() {
		names = append(names, f.Name)
	}
	names = append(names, oracleName)
	for _, name := range names {
		var all, scaled, worst []float64
		for _, o := range outcomes {
			all = append(all, o.errors[name]...)
			scaled = append(scaled, o.scaled[name]...)
			if len(o.errors[name]) > 0 {
				worst = append(worst, largest(absolute(o.errors[name])))
			}
		}
		e.Methods = append(e.Methods, MethodErrors{name, mean(absolute(all)), quantile(worst, 0.5), largest(worst), mean(all), mean(absolute(scaled))})
	}
	var functions, apart, series, inside, insideAll, chosen, noted int
	var baseline, active wattErrors
	var clear, widths, oracle, validation, shareValidation, ratio, cost []float64
	for _, o := range outcomes {
		functions += o.functions
		clear = append(clear, o.clear...)
		apart += o.apart
		series += o.series
		baseline.all, baseline.clear = append(baseline.all, o.baseline.all...), append(baseline.clear, o.baseline.clear...)
		active.all, active.clear = append(active.all, o.active.all...), append(active.clear, o.active.clear...)
		baseline.of += o.baseline.of
		active.of += o.active.of
		for _, iv := range o.intervals {
			e.IntervalsAll++
			if iv.Inside() {
				insideAll++
			}
			if iv.Share < s.minShare() {
				continue
			}
			e.Intervals++
			if iv.Inside() {
				inside++
			}
			widths = append(widths, (iv.High-iv.Low)/iv.Truth)
			if iv.Oracle > 0 && !math.IsInf(iv.Oracle, 1) {
				oracle = append(oracle, (iv.High-iv.Low)/(2*Normal95*iv.Oracle))
			}
		}
		if v := o.validation; v != nil {
			validation, shareValidation = append(validation, v.Error), append(shareValidation, v.ShareError)
			ratio = append(ratio, v.ShareError/v.Error)
		}
		if o.chosen {
			chosen++
		}
		if o.noted {
			noted++
		}
		for _, n := range o.notes {
			e.Notes[n]++
		}
		cost = append(cost, o.cost)
	}
	part := func(n, of int) float64 { return float64(n) / float64(of) }
	e.Apart, e.Chosen, e.Noted = part(apart, functions), part(chosen, e.Seeds), part(noted, e.Seeds)
	if len(clear) > 0 {
		e.Clear, e.ClearOf = slices.Max(clear), part(len(clear), functions)
	}
	e.Baseline, e.Active = baseline.watts(series), active.watts(series)
	e.Coverage, e.CoverageAll = part(inside, e.Intervals), part(insideAll, e.IntervalsAll)
	e.Width, e.WidthOracle = quantile(widths, 0.5), quantile(oracle, 0.5)
	e.Validation, e.ShareValidation = quantile(validation, 0.5), quantile(shareValidation, 0.5)
	e.ValidationRatio, e.Cost = quantile(ratio, 0.5), mean(cost)/1e9
	return e
}

func (w *wattErrors) watts(series int) Watts {
	n := float64(series)
	return Watts{float64(len(w.all)) / n, mean(w.all), largest(w.all), mean(w.clear), float64(w.of) / n}
}

// Coverage of claimed intervals must lie between these, and their width must
// not exceed an oracle's more than widthLimit times.
const (
	coverageLow, coverageHigh = 0.92, 0.98
	widthLimit                = 2.
	// With fewer than many intervals chance is given its due, three standard
	// deviations of it; few say nothing.
	fewIntervals, manyIntervals = 100, 1000
)

// Violations are the limits that the regression did not keep.
func (e *Evaluation) Violations() []string {
	var out []string
	fail := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	m, l := e.Methods[0], e.Scenario.Limits
	if l.Mean > 0 && !(m.Mean <= l.Mean) {
		fail("mean error %.2f %%, limit %.2f %%", 100*m.Mean, 100*l.Mean)
	}
	if l.Worst > 0 && e.Clear > l.Worst {
		fail("worst error %.2f %%, limit %.2f %%", 100*e.Clear, 100*l.Worst)
	}
	if l.Baseline > 0 && e.Baseline.Clear > l.Baseline {
		fail("static power off by %.2f %%, limit %.2f %%", 100*e.Baseline.Clear, 100*l.Baseline)
	}
	if l.Validation > 0 && !(e.ValidationRatio >= l.Validation) {
		fail("validation error %.1f times smaller than sharing's, limit %.1f", e.ValidationRatio, l.Validation)
	}
	if l.Notes && e.Noted < 1 {
		fail("said what cannot be told in %.0f %% of the recordings", 100*e.Noted)
	}
	if l.Sharing && e.Chosen > 0.05 {
		fail("chose the regression in %.0f %% of the recordings, where watts are equal", 100*e.Chosen)
	}
	if e.Scenario.Claimed && e.Intervals >= fewIntervals {
		chance := 0.0
		if e.Intervals < manyIntervals {
			chance = 3 * math.Sqrt(0.95*0.05/float64(e.Intervals))
		}
		if !(e.Coverage >= coverageLow-chance && e.Coverage <= coverageHigh+chance) {
			fail("coverage %.1f %%", 100*e.Coverage)
		}
		if e.WidthOracle > cmp.Or(l.Width, widthLimit) {
			fail("intervals %.1f times as wide as an oracle's", e.WidthOracle)
		}
	}
	return out
}
