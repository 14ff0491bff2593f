package session

import (
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
)

// followCPUs notices CPUs that came or went. The events of a task are open on
// every CPU that is present, and survive both; those of whole CPUs are opened
// on a CPU that came and let go of with one that went.
func (r *recording) followCPUs() error {
	online, err := r.opt.FS.OnlineCPUs()
	if err != nil {
		return err
	}
	came, went := difference(online, r.online), difference(r.online, online)
	r.online = online
	if len(went) > 0 {
		r.note(NoteHotplug, "CPU %s went offline during the recording", pmu.FormatCPUList(went))
	}
	if r.systemWide() {
		for _, cpu := range went {
			if c := r.rings[cpu]; c != nil {
				r.drainRing(c)
				r.closeCPU(c)
			}
		}
		for _, cpu := range came {
			if err := r.openCPU(cpu); err != nil {
				return err
			}
		}
	}
	if len(came) > 0 {
		r.note(NoteHotplug, "CPU %s came online during the recording and is sampled from then on", pmu.FormatCPUList(came))
	}
	return nil
}

// openCPU opens and enables the events of a CPU that came online.
func (r *recording) openCPU(cpu int) error {
	first := len(r.events)
	if err := r.openEverywhere(-1, []int{cpu}); err != nil {
		return err
	}
	for _, e := range r.events[first:] {
		if r.sampling || e.index == sidebandEvent {
			if err := e.Enable(); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeCPU closes the events and the ring of a CPU that went offline.
func (r *recording) closeCPU(c *cpuRing) {
	r.events = slices.DeleteFunc(r.events, func(e openEvent) bool {
		if e.CPU != c.cpu {
			return false
		}
		e.Close()
		return true
	})
	c.ring.Close()
	delete(r.rings, c.cpu)
}

// difference returns the members of a that are not in b.
func difference(a, b []int) []int {
	var out []int
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
