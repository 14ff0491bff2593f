package main

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/internal/compare"
	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/report/pprofile"
)

// writeProfile writes the profile of the difference.
func (d diff) writeProfile(path string) error {
	old, err := profiles(d.old)
	if err != nil {
		return err
	}
	new, err := profiles(d.new)
	if err != nil {
		return err
	}
	p, err := compare.Profile(old, new, []string{
		fmt.Sprintf("difference: %s (%d runs) minus %s (%d runs), per run", d.new.Name, len(new), d.old.Name, len(old)),
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

// profiles reads those of a side again, in full.
func profiles(s *runs.Set) ([]*profile.Profile, error) {
	var all []*profile.Profile
	for i := range s.Len() {
		p, err := readProfileFile(s.File(i))
		if err != nil {
			return nil, diffError{fmt.Errorf("--pprof takes profiles on both sides: %w", err)}
		}
		all = append(all, p)
	}
	return all, nil
}
