package main

import (
	"fmt"

	"github.com/energyprof/energyprof/internal/runs"
)

// judgement is what the differences between two sides mean for a check.
type judgement struct {
	energy   bool    // joules can be compared
	refused  []error // why limits on joules are refused, if there are any
	warnings []string
}

// judge decides which differences forbid limits on joules, and which are only told. limited says that there are such
// limits; without them joules that are not comparable are left out, and time is compared whatever differs.
func (f *checkFlags) judge(found []runs.Difference, limited bool) judgement {
	j := judgement{energy: true}
	for _, d := range found {
		forbidden := false
		switch d.Kind {
		case runs.DifferentSource:
			forbidden = true
		case runs.DifferentAttribution:
			forbidden = true
		case runs.Estimate:
			forbidden = !f.model
		case runs.DifferentMachine, runs.Unknown:
			forbidden = !f.otherMachines
		case runs.DifferentCommand:
			continue // two builds have two names: the report has both
		}
		switch {
		case forbidden && limited:
			j.refused = append(j.refused, incomparable{d})
		case forbidden && (d.Kind == runs.DifferentMachine || d.Kind == runs.Unknown):
			j.warnings = append(j.warnings, d.String()+": joules are not compared, and seconds are those of different machines as far as anybody knows")
		case forbidden:
			j.warnings = append(j.warnings, d.String()+": joules are not compared")
		default:
			j.warnings = append(j.warnings, d.String())
		}
		j.energy = j.energy && !forbidden
	}
	return j
}

// incomparable is a difference that forbids limits on joules.
type incomparable struct{ runs.Difference }

func (e incomparable) Error() string {
	return fmt.Sprintf("limits on joules are refused: %s", e.Difference)
}
