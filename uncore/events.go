package uncore

import (
	"cmp"
	"errors"
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Events is what a user asked to count, understood but not opened.
type Events struct {
	machine Machine
	groups  []pmu.Group
	terms   []Term
}

// Term is one event of the user's list. It may stand for several of the kernel's:
// one for each instance of a PMU, or for each kind of core.
type Term struct {
	Name  string // as the user wrote it
	Label string // what the user wants it called (name=); "" for Name
	// PMUs are those that count it, in order; empty if it names none.
	PMUs   []string
	Uncore bool    // it counts outside the cores, whatever runs there: for no task alone
	Clock  bool    // the count is nanoseconds of CPU time
	Scale  float64 // units per count; 0 if the kernel gives none
	Unit   string  // what the scaled count is in, "MiB"; "" if the kernel gives none
	Group  int     // the pair of braces it stands in, from 0; -1 outside of braces
}

// Events reads a list of events and groups of events, {a,b}, in perf's syntax; names
// that sysfs does not know are looked up in the machine's tables. Nothing is opened.
// Where the list is at fault, the error names the event, the part of it that is wrong, and why.
func (m Machine) Events(spec string) (*Events, error) {
	fs := m.fs().WithNames(func(name string) (string, bool) {
		entry, ok := m.Lookup(name)
		return entry.Spec(), ok
	})
	groups, err := fs.ParseGroups(spec)
	if err != nil {
		return nil, m.explain(err)
	}
	return &Events{machine: m, groups: groups, terms: terms(groups)}, nil
}

// explain adds what the tables know of a name that stands for nothing here.
func (m Machine) explain(err error) error {
	var bad *pmu.EventError
	if errors.As(err, &bad) && errors.Is(err, pmu.ErrNoEvent) {
		if why := m.Why(cmp.Or(bad.Part, bad.Spec)); why != "" {
			bad.Reason += ": " + why
		}
	}
	return err
}

// terms lists the user's events, of which each may stand in several groups: the
// instances of a PMU.
func terms(groups []pmu.Group) []Term {
	var all []Term
	braces := -1
	for _, g := range groups {
		if g.Braces && g.Events[0].Term >= len(all) {
			braces++
		}
		for _, ev := range g.Events {
			if ev.Term >= len(all) {
				t := Term{Name: ev.Name, Label: ev.Label, Uncore: ev.Uncore, Clock: ev.Clock, Scale: ev.Scale, Unit: ev.Unit, Group: -1}
				if g.Braces {
					t.Group = braces
				}
				all = append(all, t)
			}
			if t := &all[ev.Term]; ev.PMU != "" && !slices.Contains(t.PMUs, ev.PMU) {
				t.PMUs = append(t.PMUs, ev.PMU)
			}
		}
	}
	return all
}

// Terms lists what the user asked for, in order; Counter.Term is an index of it.
func (e *Events) Terms() []Term { return e.terms }
