package simulate

import (
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

	// Methods are the errors of joules of functions with at least 2 % of
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
	// functions with 2 % of the CPU time and of groups; CoverageAll of all. Width is the
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
	Said                        float64 // part of the seeds in which the result said what Limits asks for
	// Withdrawn is the part of the seeds in which a note says that errors go beyond
	// the intervals; these do not count.
	Withdrawn float64
	Notes     map[string]int
	Cost      float64 // by the clock, median, per second of recording, of the regression
}

// MethodErrors are relative errors: Mean over functions and seeds, Worst of all.
type MethodErrors struct {
	Name        string
	Mean, Worst float64
	// Bias is the mean of the errors with their signs.
	Bias float64
	// Scaled is the mean with the one common factor that suits best.
	Scaled float64
}

// Watts are the relative errors of a power over packages and seeds.
type Watts struct {
	Apart       float64 // part of the packages in which it was told apart
	Mean, Worst float64 // NaN if it never was
	// Clear are the errors where an oracle tells it to 5 % with three standard deviations, Of
	// how many packages these are.
	Clear float64
	Of    float64
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
		e.Methods = append(e.Methods, MethodErrors{name, mean(absolute(all)), largest(worst), mean(all), mean(absolute(scaled))})
	}
	var functions, apart, series, inside, insideAll, chosen, said, withdrawn int
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
		if o.says(beyond) {
			withdrawn++
			o.intervals = nil
		}
		for _, iv := range o.intervals {
			e.IntervalsAll++
			if iv.Inside() {
				insideAll++
			}
			if iv.Share < minShare {
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
		if s.said(&o) {
			said++
		}
		for _, n := range o.notes {
			e.Notes[n]++
		}
		cost = append(cost, o.cost)
	}
	part := func(n, of int) float64 { return float64(n) / float64(of) }
	e.Apart, e.Chosen = part(apart, functions), part(chosen, e.Seeds)
	e.Said, e.Withdrawn = part(said, e.Seeds), part(withdrawn, e.Seeds)
	if len(clear) > 0 {
		e.Clear, e.ClearOf = slices.Max(clear), part(len(clear), functions)
	}
	e.Baseline, e.Active = baseline.watts(series), active.watts(series)
	e.Coverage, e.CoverageAll = part(inside, e.Intervals), part(insideAll, e.IntervalsAll)
	e.Width, e.WidthOracle = quantile(widths, 0.5), quantile(oracle, 0.5)
	e.Validation, e.ShareValidation = quantile(validation, 0.5), quantile(shareValidation, 0.5)
	e.ValidationRatio, e.Cost = quantile(ratio, 0.5), quantile(cost, 0.5)/1e9
	return e
}

func (w *wattErrors) watts(series int) Watts {
	n := float64(series)
	return Watts{float64(len(w.all)) / n, mean(w.all), largest(w.all), mean(w.clear), float64(w.of) / n}
}
