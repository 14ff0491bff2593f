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
	if r.systemWide() {
		stopped := r.stopped()
		went = append(went, difference(stopped, went)...)
		came = append(came, difference(stopped, difference(stopped, online))...)
	}
	if len(went) > 0 {
		r.note(NoteHotplug, "CPU %s went offline during the recording", pmu.FormatCPUList(went))
	}
	for _, cpu := range came {
		r.learnKind(cpu)
	}
	if r.systemWide() {
		for _, cpu := range went {
			if c := r.rings[cpu]; c != nil {
				r.drainRing(c)
				r.addWalk(c, c.walks.heldAt)
				r.closeCPU(c)
			}
		}
		for _, cpu := range came {
			if err := r.openCPU(cpu); err != nil {
				return err
			}
		}
	}
	if !r.systemWide() {
		for _, cpu := range came {
			if err := r.reopenWalks(cpu); err != nil {
				return err
			}
		}
	}
	if len(came) > 0 {
		r.note(NoteHotplug, "CPU %s came online during the recording and is sampled from then on", pmu.FormatCPUList(came))
	}
	return nil
}

// learnKind looks which events count on a CPU that came online: of a kind of core x86 lists
// the CPUs that are online, and refuses events of a task on others.
func (r *recording) learnKind(cpu int) {
	for i := range r.opt.Events {
		e := &r.opt.Events[i]
		if e.CPUs == nil || slices.Contains(e.CPUs, cpu) {
			continue
		}
		if p, err := r.opt.FS.PMU(e.PMU); err != nil || p.CPUs != nil && !slices.Contains(p.CPUs, cpu) {
			continue
		}
		if r.systemWide() {
			e.CPUs = append(slices.Clone(e.CPUs), cpu)
		} else {
			r.note(NoteHotplug, "%s is not sampled on CPU %d, which was offline when the recording began", e.Name, cpu)
		}
	}
}

// stopped finds CPUs whose events count no more: they were offline for so short
// a time that no look at the list of CPUs saw it. Only rings that have brought
// nothing since the last look are suspects.
func (r *recording) stopped() []int {
	var cpus []int
	for cpu, c := range r.rings {
		if c.last != c.looked {
			c.looked = c.last
			continue
		}
		count, err := c.owner.ReadCount()
		if err == nil && count.Enabled != c.enabled {
			c.enabled = count.Enabled
			continue
		}
		cpus = append(cpus, cpu)
	}
	slices.Sort(cpus)
	return cpus
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
		r.settleClosing(e)
		e.Close()
		return true
	})
	c.walks.close()
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
