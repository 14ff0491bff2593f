package main

import (
	"strings"

	"github.com/energyprof/energyprof/internal/runs"
)

// judgement is what the differences between two sides mean for a check.
type judgement struct {
	energy   bool              // joules can be compared
	refused  []runs.Difference // why limits on joules are refused, if there are any
	warnings []string
	notes    []string // why joules are left out where nobody limits them
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
		case d == noJoules && !limited: // and nobody asks for any
		case forbidden && limited:
			j.refused = append(j.refused, d)
		case forbidden && (d.Kind == runs.DifferentMachine || d.Kind == runs.Unknown):
			j.warnings = append(j.warnings, d.String()+": joules are not compared, and seconds are those of different machines as far as anybody knows")
		case forbidden:
			j.notes = append(j.notes, d.String()+": joules are not compared")
		default:
			j.warnings = append(j.warnings, d.String())
		}
		j.energy = j.energy && !forbidden
	}
	return j
}

// noJoules is what forbids limits on joules where the two sides differ in nothing: neither has any, or not in all runs.
var noJoules = runs.Difference{Kind: runs.DifferentSource, What: "joules"}

// incomparable are the differences that forbid limits on joules.
type incomparable []runs.Difference

func (e incomparable) Error() string {
	all := make([]string, len(e))
	for i, d := range e {
		all[i] = d.String()
		if d == noJoules {
			all[i] = "not all runs have joules"
		}
	}
	return "limits on energy and power are refused: " + strings.Join(all, "; ")
}
