package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/internal/verdict"
	"github.com/energyprof/energyprof/report/gate"
)

// compare reads both sides and decides. Of an error, which is why that is not possible, there is a report, too.
func (f *checkFlags) compare(args []string, limits []gate.Limit) (*verdict.Report, error) {
	opt := gate.DefaultOptions()
	opt.MinJoules, opt.MinSeconds, opt.Limits = f.minJoules, f.minSeconds, limits
	host, err := os.Hostname()
	if err != nil {
		host = "" // the JUnit file has a word for that
	}
	about := verdict.About{Options: opt, When: f.now(), Host: host,
		Baseline: verdict.Side{Name: f.baseline[0]}, New: verdict.Side{Name: args[0]}}
	refuse := func(err error) (*verdict.Report, error) { return verdict.Refuse(message(err), about), err }
	old, err := runs.Read(f.baseline...)
	if err != nil {
		return refuse(err)
	}
	new, err := runs.Read(args...)
	if err != nil {
		return refuse(err)
	}
	matched := runs.Match(old, new, runs.Program)
	about.Baseline, about.New = checkedSide(old, len(matched.Old)), checkedSide(new, len(matched.New))
	about.Notes = checkNotes(&matched)
	said := slices.Compact(slices.Concat(old.Notes, new.Notes)) // once, of a set that is held against itself
	told := func(err error) error {
		if len(said) == 0 {
			return err
		}
		return fmt.Errorf("%w (%s)", err, strings.Join(said, "; "))
	}
	limited := slices.ContainsFunc(limits, func(l gate.Limit) bool { return l.Quantity == gate.Energy || l.Quantity == gate.Power })
	differences := runs.Differences(old, new)
	if !matched.Energy && old.Energy == new.Energy {
		differences = append(differences, noJoules)
	}
	found := f.judge(differences, limited)
	if len(found.refused) > 0 {
		return refuse(told(incomparable(found.refused)))
	}
	if err := limitable(limits, slices.Concat(matched.Old, matched.New)); err != nil {
		return refuse(told(err))
	}
	about.Notes = append(about.Notes, found.notes...)
	about.Warnings = slices.Concat(found.warnings, said)
	opt.Energy, opt.Paired = found.energy, matched.Paired
	about.Options = opt
	result, err := gate.Check(matched.Old, matched.New, opt)
	if err != nil {
		return refuse(told(fmt.Errorf("checking %s against %s: %w", new.Name, old.Name, err)))
	}
	return verdict.New(result, about), nil
}

// limitable refuses limits on what not all runs tell: runs without a sample have no CPU time, and not all files a wall time.
func limitable(limits []gate.Limit, all []gate.Run) error {
	for _, l := range limits {
		for _, run := range all {
			switch {
			case l.Quantity == gate.Time && l.Function == nil && math.IsNaN(run.Total.Seconds):
				return errors.New("a limit on CPU time: not all runs have any")
			case (l.Quantity == gate.Elapsed || l.Quantity == gate.Power && l.Function == nil) && !(run.Elapsed > 0):
				return errors.New("a limit on elapsed time, or on power, which is joules by it: not all runs tell theirs")
			}
		}
	}
	return nil
}

// checkedSide describes a set, of which so many runs are compared.
func checkedSide(s *runs.Set, n int) verdict.Side {
	out := verdict.Side{Name: s.Name, Runs: n, Command: s.Command()}
	if s.Energy != "" {
		out.Source = &verdict.Source{Name: s.Source, Measured: !s.Estimated()}
		if s.Source == "" {
			out.Source.Name = "an unknown source"
		}
	}
	return out
}

// checkNotes are what a reader must know of how the two sets were brought together.
func checkNotes(matched *runs.Matched) []string {
	var all []string
	for _, l := range matched.Libraries {
		all = append(all, l.Old+" is taken for "+l.New+": most of their functions have the same names")
	}
	return append(all, matched.Notes...)
}
