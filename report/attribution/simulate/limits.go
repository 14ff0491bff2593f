package simulate

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Coverage of claimed intervals must lie between these, and their width must
// not exceed an oracle's more than widthLimit times.
const (
	coverageLow, coverageHigh = 0.92, 0.98
	widthLimit                = 2.
	// With fewer than many intervals chance is given its due, three standard
	// deviations of it; few say nothing.
	fewIntervals, manyIntervals = 100, 1000
)

// beyond is what a note has in it that takes back the intervals of a recording.
const beyond = "beyond their intervals"

// says tells whether a note has words in it.
func (o *outcome) says(words string) bool {
	return slices.ContainsFunc(o.notes, func(note string) bool { return strings.Contains(note, words) })
}

// said tells whether the result says what it must.
func (s *Scenario) said(o *outcome) bool {
	return (s.Limits.Says == "" || o.says(s.Limits.Says)) && (!s.Limits.Grouped || o.grouped)
}

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
	if e.Said < 1 {
		fail("said what cannot be told in %.0f %% of the recordings", 100*e.Said)
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
		if e.WidthOracle > widthLimit {
			fail("intervals %.1f times as wide as an oracle's", e.WidthOracle)
		}
	}
	return out
}
