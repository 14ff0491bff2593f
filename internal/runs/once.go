package runs

import (
	"fmt"
	"time"
)

// noteTwice notes runs that are there twice, as copies are: they have no noise among them, so that what is held against them looks more
// certain than it is. No two runs of one machine begin in the same nanosecond.
func (s *Set) noteTwice() {
	fileOf := map[int64]string{}
	var first, other string
	n := 0
	for i := range s.runs {
		r := &s.runs[i]
		if r.start == 0 {
			continue
		}
		if there, twice := fileOf[r.start]; twice {
			if n++; n == 1 {
				first, other = there, r.file
			}
			continue
		}
		fileOf[r.start] = r.file
	}
	if n > 0 {
		s.note("%s: %d of %d runs began in the same nanosecond as another one (%s and %s): copies of a run make changes look more certain than they are", s.Name, n, len(s.runs), first, other)
	}
}

// isOf tells a profile of another run than the manifest's by when it began.
func (a *amounts) isOf(run *Run) error {
	if a.start != 0 && !run.Start.IsZero() && a.start != run.Start.UnixNano() {
		return fmt.Errorf("not the run that the manifest has under this name: it began at %s, and that one at %s", beginning(a.start), beginning(run.Start.UnixNano()))
	}
	return nil
}

// beginning is a time of ns since 1970 as a manifest has it.
func beginning(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
