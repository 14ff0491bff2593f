package compare

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/report/gate"
)

// Sets compares two sets of runs, in pairs if they were made as pairs. Joules are compared if both sides have them of
// the same kind; whatever else differs is in the result. Joules of the total are those of [runs.Program].
func Sets(old, new *runs.Set, options gate.Options) (*Result, error) {
	matched := runs.Match(old, new, runs.Program)
	options.Paired = matched.Paired
	options.Energy = old.Energy != "" && old.Energy == new.Energy && matched.Energy
	what := Compared{Old: side(old), New: side(new), Options: options}
	for _, d := range runs.Differences(old, new) {
		what.Differences = append(what.Differences, Difference{Kind: string(d.Kind), What: d.What, Old: d.Old, New: d.New, Text: d.String()})
	}
	if old.Energy != new.Energy {
		what.Notes = append(what.Notes, "joules are not compared: they are not of one kind on both sides")
	}
	if min(len(matched.Old), len(matched.New)) < gate.MinRuns {
		what.Notes = append(what.Notes, fmt.Sprintf("how much runs differ by themselves is known from %d runs of each side on: "+
			"amounts and their differences are shown, and nothing is claimed", gate.MinRuns))
	}
	for _, l := range matched.Libraries {
		what.Notes = append(what.Notes, fmt.Sprintf("%s is taken for the old %s: most of their functions have the same names", l.New, l.Old))
	}
	what.Notes = slices.Concat(what.Notes, old.Notes, new.Notes, matched.Notes)
	c, err := gate.Compare(matched.Old, matched.New, options)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", old.Name, new.Name, err)
	}
	if what.Cycles, err = cycles(matched.Old, matched.New, options); err != nil {
		return nil, fmt.Errorf("%s and %s: cycles: %w", old.Name, new.Name, err)
	}
	return New(c, what), nil
}

// side says what a set is.
func side(s *runs.Set) Side {
	out := Side{Name: s.Name, Command: s.Command()}
	if s.Energy != "" {
		out.Source = &Source{Name: cmp.Or(s.Source, "unknown source"), Measured: !s.Estimated()}
	}
	return out
}
