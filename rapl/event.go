package rapl

import (
	"fmt"
	"math"
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
)

// OpenEvent makes an energy source of a counting perf event that the user names,
// in perf's syntax, with the joules that one count stands for. 0 takes the
// kernel's own scale, if its unit is Joules. The event is counted once for each
// package if its PMU counts outside the cores, else on the first online CPU alone, as
// the energy of all. The domain is called "package".
//
// The error says which part of the event this machine does not know; if the
// kernel refuses the event, it wraps a *perfring.OpenError.
func OpenEvent(m Machine, spec string, joulesPerCount float64) (Source, error) {
	plan, err := m.planEvent(spec, joulesPerCount)
	if err != nil {
		return nil, fmt.Errorf("energy event %s: %w", spec, err)
	}
	mt, err := openCounters(spec, plan, nil)
	if err != nil {
		return nil, fmt.Errorf("energy event %s: %w", spec, err)
	}
	mt.info.Measured = true
	for i := range mt.channels {
		mt.channels[i].extended = true
	}
	return mt, mt.begin()
}

func (m Machine) planEvent(spec string, joulesPerCount float64) (perfPlan, error) {
	ev, err := m.pmus().Parse(spec)
	if err != nil {
		return perfPlan{}, err
	}
	said := "the user"
	if joulesPerCount == 0 && ev.Unit == "Joules" {
		joulesPerCount, said = ev.Scale, "the kernel"
	}
	if !(joulesPerCount > 0) || math.IsInf(joulesPerCount, 1) {
		return perfPlan{}, fmt.Errorf("a scale of %v joules per count is not positive", joulesPerCount)
	}
	online, err := m.online()
	if err != nil {
		return perfPlan{}, err
	}
	var where []scope
	switch {
	case ev.Uncore:
		cpu, err := m.processor()
		if err != nil {
			return perfPlan{}, err
		}
		where = scopes(online, ev.CPUs, !cpu.amd())
	case ev.CPUs == nil:
		where = []scope{{cpu: online[0].ID, cpus: everyCPU(online)}}
	default: // a PMU of some of the cores, as of one kind on a hybrid machine
		if i := slices.IndexFunc(online, func(c pmu.CPU) bool { return slices.Contains(ev.CPUs, c.ID) }); i >= 0 {
			where = []scope{{cpu: online[i].ID, cpus: everyCPU(online)}}
		}
	}
	if len(where) == 0 {
		return perfPlan{}, fmt.Errorf("none of its CPUs (%s) is online: %w", pmu.FormatCPUList(ev.CPUs), ErrNoHardware)
	}
	plan := perfPlan{notes: []string{fmt.Sprintf("the energy is %s counted at %g J each, as %s says", spec, joulesPerCount, said)}}
	for i, s := range where {
		plan.domains = append(plan.domains, Domain{Name: "package", Package: s.pkg, CPUs: s.cpus, Sum: true, Unit: joulesPerCount})
		plan.counters = append(plan.counters, Counter{Attr: countingAttr(ev), CPU: s.cpu, Domain: i, JoulesPerCount: joulesPerCount})
	}
	return plan, nil
}
