package pprofile

import (
	"slices"

	"github.com/google/pprof/profile"
)

// The synthetic frames.
const (
	Baseline     = "[baseline]"        // static power, idle energy included
	Active       = "[package active]"  // what any running CPU costs its package
	Other        = "[other processes]" // CPU time of processes that were not sampled
	Lost         = "[lost]"            // samples that were lost
	Unattributed = "[unattributed]"    // energy that nothing explains
	Idle         = "[idle]"            // CPU time that nobody used, when sharing over all CPUs

	// Prefetch is what memory controllers counted beyond the loads that were sampled: prefetches, write-backs, and what
	// nobody sampled. It is a stack of its own.
	Prefetch = "[prefetch and write-back]"
)

// Synthetic is the energy of a column, in joules, or the counts of a counter that belong to no stack.
type Synthetic struct {
	Baseline, Active, Other, Lost, Unattributed, Idle float64
}

// syntheticNames are the frames in the order of Synthetic.parts.
var syntheticNames = [...]string{Baseline, Active, Other, Lost, Unattributed, Idle}

func (s Synthetic) parts() [len(syntheticNames)]float64 {
	return [...]float64{s.Baseline, s.Active, s.Other, s.Lost, s.Unattributed, s.Idle}
}

// IsSynthetic reports whether a sample is energy or time of no stack, and the
// name of its frame.
func IsSynthetic(s *profile.Sample) (name string, ok bool) {
	if len(s.Location) != 1 {
		return "", false
	}
	l := s.Location[0]
	if l.Mapping != nil || l.Address != 0 || len(l.Line) != 1 || l.Line[0].Function == nil {
		return "", false
	}
	name = l.Line[0].Function.Name
	return name, name == Prefetch || slices.Contains(syntheticNames[:], name)
}
