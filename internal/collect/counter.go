package collect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// counted adds the counters to the recording and returns the counts of the stacks, by series.
func (c *Collector) counted(r *report.Recording) [][]float64 {
	var byKey [][]float64
	for i, event := range c.opt.Counters {
		if c.energy.counters[i] == nil {
			continue // of the memory's traffic
		}
		result := c.energy.counters[i].Finish()
		counter := report.Counter{Name: event.Name, Scale: event.Scale, Unit: event.Unit}
		counter.Attribution, counter.Fit = c.method(result, c.function)
		r.Counters = append(r.Counters, counter)
		for _, s := range result.Series {
			r.Data.Counters = append(r.Data.Counters, pprofile.Counter{Event: event.Name, Package: s.Package,
				CPUs: pmu.FormatCPUList(s.CPUs), Counts: s.Joules, Synthetic: synthetic(&s)})
			byKey = append(byKey, s.ByKey)
		}
		r.Notes = append(r.Notes, counterNotes(event.Name, result)...)
	}
	return byKey
}

// counterNotes says what a reader of the counts must know.
func counterNotes(name string, result *attribution.Result) []string {
	if !slices.ContainsFunc(result.Series, func(s attribution.SeriesResult) bool { return s.Joules > 0 }) {
		return nil // nothing was counted, and nothing is to be told apart
	}
	var notes []string
	for _, n := range result.Notes {
		if !strings.HasPrefix(n, name+" of package ") { // it is of all series
			n = name + ": " + n
		}
		notes = append(notes, n)
	}
	if s := result.UncoveredSeconds; s >= 0.001 {
		notes = append(notes, fmt.Sprintf("%s: %.3f s of CPU time are of CPUs that it is not counted for", name, s))
	}
	for _, s := range result.Series {
		if s.OutsideSeconds > 0.1 && s.OutsideSeconds > 0.01*s.BusySeconds {
			notes = append(notes, fmt.Sprintf("%.3f s of CPU time are before the first or after the last reading of %v, and have no counts of it",
				s.OutsideSeconds, s.Series))
		}
	}
	return notes
}
