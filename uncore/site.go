package uncore

import (
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
)

// site is what perf_event_open(2) is told to count: a thread on any CPU (cpu -1), or
// whatever runs on a CPU (thread -1).
type site struct{ thread, cpu int }

// sites decides where a group is opened.
type sites struct {
	target Target
	online []int
	cpus   []pmu.CPU // where they are; only if the target names CPUs
}

func (m Machine) sites(t Target) (*sites, error) {
	online, err := m.fs().OnlineCPUs()
	if err != nil {
		return nil, err
	}
	p := &sites{target: t, online: online}
	if t.Threads != nil || t.CPUs == nil {
		return p, nil
	}
	for _, cpu := range t.CPUs {
		if !slices.Contains(online, cpu) {
			return nil, fmt.Errorf("CPU %d is not online: %s are", cpu, pmu.FormatCPUList(online))
		}
	}
	p.cpus, err = m.fs().Topology()
	return p, err
}

// of lists the sites of an event, and of the group that it leads: events outside the cores
// are in a group of their own PMU alone.
func (p *sites) of(leader pmu.Event) []site {
	var all []site
	switch {
	case p.target.Threads != nil && !leader.Uncore:
		for _, tid := range p.target.Threads {
			all = append(all, site{thread: tid, cpu: -1})
		}
		return all
	case leader.CPUs != nil && leader.Uncore && p.cpus != nil:
		for _, cpu := range nearest(p.cpus, p.target.CPUs, leader.CPUs) {
			all = append(all, site{thread: -1, cpu: cpu})
		}
		return all
	}
	cpus := p.online
	if p.cpus != nil {
		cpus = p.target.CPUs
	}
	for _, cpu := range cpus {
		if leader.CPUs == nil || slices.Contains(leader.CPUs, cpu) {
			all = append(all, site{thread: -1, cpu: cpu})
		}
	}
	return all
}

// nearest picks, of the CPUs that a PMU outside the cores is read on, those of the units
// that the wanted CPUs share: a unit of the core itself where each has one, else those of
// the die, else of the package, else of the machine.
func nearest(cpus []pmu.CPU, wanted, units []int) []int {
	where := map[int]pmu.CPU{}
	for _, c := range cpus {
		where[c.ID] = c
	}
	var found []int
	for _, id := range wanted {
		want, best := where[id], 0
		var near []int
		for _, unit := range units {
			c, distance := where[unit], 4
			switch {
			case unit == id:
				distance = 0
			case c.Package != want.Package:
			case c.Die != want.Die:
				distance = 3
			case c.Core != want.Core:
				distance = 2
			default:
				distance = 1
			}
			if near == nil || distance < best {
				near, best = nil, distance
			}
			if distance == best {
				near = append(near, unit)
			}
		}
		found = append(found, near...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
