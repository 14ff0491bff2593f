package runs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/report/pprofile"
)

// agree holds the runs against each other: what differs between two of them and cannot be compared is an error, all
// else that a reader must know a note.
func (s *Set) agree() error {
	first := &s.runs[0]
	s.Energy, s.Source, s.Libraries = first.energy, first.source, first.libraries
	for i := range s.runs[1:] {
		r := &s.runs[i+1]
		switch {
		case r.energy != first.energy:
			return invalidf(r.file, "it has %s, but %s has %s", nameEnergy(r.energy), first.file, nameEnergy(first.energy))
		case r.libraries != first.libraries:
			return invalidf(r.file, "summaries and profiles do not go together: functions of a summary have no library (%s is the other kind)", first.file)
		case r.source != first.source:
			return invalidf(r.file, "its joules are from %s, but those of %s from %s", nameSource(r.source), first.file, nameSource(first.source))
		case !slices.Equal(r.command, first.command):
			return invalidf(r.file, "a run of another command: %s, but %s is of %s", nameCommand(r.command), first.file, nameCommand(first.command))
		}
	}
	empty := 0
	for i := range s.runs {
		s.Notes = append(s.Notes, s.runs[i].notes...)
		if len(s.runs[i].functions) == 0 {
			empty++
		}
	}
	if empty > 0 {
		s.note("%s: %d of %d runs have no sample, so that nothing is known of what they took: they end too soon for the rate of the samples", s.Name, empty, len(s.runs))
	}
	s.noteTwice()
	s.noteMixed("joules were shared out by", func(r *amounts) string { return r.method }, "--attribution chooses one for all")
	s.noteMixed("static power is", func(r *amounts) string { return r.staticFrom }, "--baseline gives all runs the same")
	return nil
}

// noteMixed notes what was chosen differently for the runs.
func (s *Set) noteMixed(what string, of func(*amounts) string, cure string) {
	count := map[string]int{}
	for i := range s.runs {
		count[of(&s.runs[i])]++
	}
	if len(count) < 2 {
		return
	}
	var parts []string
	for _, value := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s in %d", cmp.Or(value, "unknown"), count[value]))
	}
	s.note("%s: %s %s of the runs, which makes functions differ: %s", s.Name, what, strings.Join(parts, " and "), cure)
}

func nameEnergy(energy string) string {
	switch energy {
	case "":
		return "no joules"
	case pprofile.EnergyType:
		return "measured joules (" + energy + ")"
	case modelType:
		return "estimated joules (" + energy + ")"
	}
	return "joules of " + energy
}

func nameSource(source string) string { return cmp.Or(source, "an unknown source") }

func nameCommand(command []string) string {
	if len(command) == 0 {
		return "an unknown one"
	}
	return fmt.Sprintf("%q", strings.Join(command, " "))
}
