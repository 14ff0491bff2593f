package pebs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Try tries an event that is written by hand, in perf's syntax: a raw one
// (cpu/event=0xd3,umask=0x1/pp), page-faults, a breakpoint (mem:0x1000/8:w), ibs_fetch//. It is
// tried at the precise level that is written; the modifier P stands for the highest that opens.
// A name of several PMUs, as mem-loads is where there are two kinds of core, gives a sampler
// for each, and so does each event of a list.
//
// What cannot be read is refused as internal/pmu does, what the kernel refuses or has no
// addresses with a [Reason].
func (m Machine) Try(spec string, opt Options) ([]Sampler, error) { return m.try(spec, opt, ask) }

func (m Machine) try(spec string, opt Options, ask opener) ([]Sampler, error) {
	t, err := m.newTrial(opt, ask)
	if err != nil {
		return nil, err
	}
	groups, err := t.fs.ParseGroups(spec)
	if err != nil {
		return nil, err
	}
	instances := map[int]int{} // of each event that was written
	for _, g := range groups {
		if g.Braces || g.Sample || g.Weak {
			return nil, fmt.Errorf("event %q: memory is sampled by single events, not by groups", spec)
		}
		instances[g.Events[0].Term]++
	}
	var samplers []Sampler
	for _, g := range groups {
		ev := g.Events[0]
		c, err := t.byHand(ev, instances[ev.Term] > 1)
		if err != nil {
			return nil, err
		}
		sampler, reason := t.settle(c)
		if reason != nil {
			return nil, *reason
		}
		samplers = append(samplers, sampler)
	}
	return samplers, nil
}

// byHand makes a candidate of an event that was written, of one PMU among several if
// the name stands for more.
func (t *trial) byHand(ev pmu.Event, among bool) (candidate, error) {
	c := candidate{name: ev.Name, levels: []uint8{ev.Precise}}
	if ev.PMU != "" {
		var err error
		if c.pmu, err = t.fs.PMU(ev.PMU); err != nil {
			return c, err
		}
	}
	var why error
	if c.kind, why = kindOf(ev, c.pmu.Core); why != nil {
		return c, Reason{PMU: ev.Name, Why: why.Error(), Err: why}
	}
	if ev.MaxPrecise {
		c.levels = nil
		for level := 3; level >= int(ev.Precise); level-- {
			c.levels = append(c.levels, uint8(level))
		}
	}
	name := ev.Name
	if among {
		name = ofPMU(name, ev.PMU)
	}
	c.spec = func(level uint8, _ bool) string {
		if ev.MaxPrecise {
			return withPrecise(name, level)
		}
		return name
	}
	return c, nil
}

// kindOf tells what the samples of an event are of, or why they would tell of no access.
// core is set if the event names a PMU of the cores.
func kindOf(ev pmu.Event, core bool) (Kind, error) {
	switch {
	case ev.Uncore:
		return 0, fmt.Errorf("%s counts outside the cores, and has no samples", ev.PMU)
	case ev.BPType != 0:
		return Breakpoints, nil
	case strings.HasPrefix(ev.PMU, armSPE):
		return 0, ErrTrace
	case ev.PMU == ibsFetch:
		return Fetches, nil
	case core && ev.Alias == loadsAlias:
		return Loads, nil
	case core && ev.Alias == storesAlias:
		return Stores, nil
	case ev.Type == unix.PERF_TYPE_TRACEPOINT:
		return 0, errNoAddress
	case ev.Type == unix.PERF_TYPE_SOFTWARE:
		switch ev.Config {
		case unix.PERF_COUNT_SW_PAGE_FAULTS, unix.PERF_COUNT_SW_PAGE_FAULTS_MIN, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ,
			unix.PERF_COUNT_SW_ALIGNMENT_FAULTS, unix.PERF_COUNT_SW_EMULATION_FAULTS:
			return Faults, nil
		}
		return 0, errNoAddress
	}
	return Accesses, nil
}

var errNoAddress = errors.New("its samples have no address of data")

// ofPMU writes name as an event of one of the PMUs that it stands for:
// cpu_atom/mem-loads/P of mem-loads:P.
func ofPMU(name, unit string) string {
	if _, terms, ok := strings.Cut(name, "/"); ok {
		return unit + "/" + terms
	}
	alias, modifiers, _ := strings.Cut(name, ":")
	return unit + "/" + alias + "/" + modifiers
}

// withPrecise writes an event that has the modifier P with a precise level in its place.
func withPrecise(name string, level uint8) string {
	i := strings.LastIndexAny(name, "/:") + 1
	letters := strings.NewReplacer("P", "", "p", "").Replace(name[i:]) + strings.Repeat("p", int(level))
	if letters == "" {
		return strings.TrimSuffix(name[:i], ":")
	}
	return name[:i] + letters
}
