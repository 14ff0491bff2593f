package runs

import (
	"fmt"
	"math"
	"time"
)

// onceEach refuses a run that is there twice, as a copy is: runs that are all the same have no noise, and then whatever
// is held against them is decided. No two runs of one machine begin in the same nanosecond.
func (s *Set) onceEach() error {
	fileOf := map[int64]string{}
	for i := range s.runs {
		r := &s.runs[i]
		if r.start == 0 {
			continue
		}
		if other, twice := fileOf[r.start]; twice {
			return invalidf(r.file, "the same run as %s (both began at %s): a run is counted once", other, beginning(r.start))
		}
		fileOf[r.start] = r.file
	}
	return nil
}

// sameLength is by how many seconds the length of a run may differ in its files, which have nanoseconds.
const sameLength = 1e-6

// isOf tells a profile of another run by when it began, and of another than the summary's by how long it took.
func (a *amounts) isOf(run *Run, summary string, seconds float64) error {
	if a.start != 0 && !run.Start.IsZero() && a.start != run.Start.UnixNano() {
		return fmt.Errorf("not the run that the manifest has under this name: it began at %s, and that one at %s", beginning(a.start), beginning(run.Start.UnixNano()))
	}
	if math.Abs(a.elapsed-seconds) > sameLength {
		return fmt.Errorf("not the run of its summary: it took %v s, and that of %s %v s", a.elapsed, summary, seconds)
	}
	return nil
}

// beginning is a time of ns since 1970 as a manifest has it.
func beginning(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
