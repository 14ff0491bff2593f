package uncore

import "github.com/energyprof/energyprof/internal/pmu"

// Events is what a user asked to count, understood but not opened.
type Events struct {
	fs     pmu.FS
	groups []pmu.Group
	terms  []Term
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

// Terms lists what the user asked for, in order; Counter.Term is an index of it.
func (e *Events) Terms() []Term { return e.terms }

// Events reads a list of events and groups of events, {a,b}, in perf's syntax; names
// that sysfs does not know are looked up in the machine's tables.
func (m Machine) Events(spec string) (*Events, error) {
	groups, err := pmu.NewFS(m.Sys, m.Proc).ParseGroups(spec)
	if err != nil {
		return nil, err
	}
	return &Events{groups: groups}, nil
}
