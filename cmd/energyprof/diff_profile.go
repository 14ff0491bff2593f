package main

import (
	"fmt"
	"io"
	"iter"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/internal/compare"
	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/report/pprofile"
)

// writeProfile writes the profile of the difference.
func (d diff) writeProfile(path string) error {
	p, err := compare.Profile(profiles(d.old), profiles(d.new), []string{
		fmt.Sprintf("difference: %s (%d runs) minus %s (%d runs), per run", d.new.Name, d.new.Len(), d.old.Name, d.old.Len()),
		"energyprof " + version(),
	})
	if err != nil {
		return diffError{fmt.Errorf("--pprof: %s and %s: %w", d.old.Name, d.new.Name, err)}
	}
	to, err := createOutput(path)
	if err != nil {
		return err
	}
	return to.fill(func(w io.Writer) error { return pprofile.Write(w, p) })
}

// profiles reads those of a side again, in full, one at a time.
func profiles(s *runs.Set) iter.Seq2[*profile.Profile, error] {
	return func(yield func(*profile.Profile, error) bool) {
		for i := range s.Len() {
			p, err := readProfileFile(s.File(i))
			if err != nil {
				err = fmt.Errorf("it takes profiles: %w", err)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}
