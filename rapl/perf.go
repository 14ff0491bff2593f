package rapl

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// The kernel's PMUs for energy. power is per package (or die); power_core, on AMD
// since 6.14, per physical core (commit b4943b8bfc41). Both only count: an event
// with a period, an exclude bit or a task is refused with EINVAL.
var powerPMUs = []string{"power", "power_core"}

// kernelSlips are by how many counts of 2^-32 J a perf energy counter can be too
// small. It extends the 32-bit register with the sign of the difference
// (rapl_event_update), so a difference beyond half the range counts backwards, by
// one whole range: 2^(64-ESU). The TPMI driver does not undo wraps at all, with
// the same effect. ESU is not known here, but only one can make sense.
func kernelSlips() []uint64 {
	var moduli []uint64
	for esu := 10; esu <= 18; esu++ {
		moduli = append(moduli, 1<<(64-esu))
	}
	return moduli
}

// perfPlan is what to open, made from sysfs alone.
type perfPlan struct {
	domains  []Domain
	counters []Counter // one for each domain
	notes    []string
}

func openPerf(m Machine) (Source, error) {
	plan, err := m.planPerf()
	if err != nil {
		return nil, err
	}
	mt, err := openCounters("perf-power", plan, kernelSlips())
	if err != nil {
		return nil, err
	}
	for i := range mt.channels {
		c := &mt.channels[i].counter
		c.extended = true
		mt.channels[i].steady = mt.info.Domains[i].Sum
		c.maxWatts, c.step = plausibleWatts(mt.info.Domains[i].Name), mt.info.Domains[i].Unit
	}
	// A timer interrupt for every core would cost more than it tells.
	mt.counters = slices.DeleteFunc(mt.counters, func(c Counter) bool { return mt.info.Domains[c.Domain].Name == "core" })
	mt.info.Measured = true
	mt.info.Notes = append(mt.info.Notes, m.energyNotes()...)
	return mt, mt.begin()
}

// planPerf finds the domains of the energy PMUs.
func (m Machine) planPerf() (perfPlan, error) {
	cpu, err := m.processor()
	if err != nil {
		return perfPlan{}, err
	}
	online, err := m.online()
	if err != nil {
		return perfPlan{}, err
	}
	var plan perfPlan
	found := false
	for _, name := range powerPMUs {
		p, err := m.pmus().PMU(name)
		if errors.Is(err, pmu.ErrNoPMU) {
			continue
		}
		if err != nil {
			return perfPlan{}, err
		}
		found = true
		if err := plan.add(m, p, cpu, online); err != nil {
			return perfPlan{}, err
		}
	}
	if !found {
		return perfPlan{}, cpu.missing("no perf PMU " + powerPMUs[0])
	}
	if len(plan.domains) == 0 {
		return perfPlan{}, fmt.Errorf("perf PMU %s has no energy events: %w", powerPMUs[0], ErrNoHardware)
	}
	if sumless(plan.domains) {
		plan.notes = append(plan.notes, "there is no package or dram counter: nothing here may be called the energy of the machine")
	}
	return plan, nil
}

// add plans the events of one PMU, in the order of known domains.
func (plan *perfPlan) add(m Machine, p pmu.PMU, cpu processor, online []pmu.CPU) error {
	for _, f := range p.Faults {
		plan.notes = append(plan.notes, fmt.Sprintf("%s is left out: %v", f.Path, f))
	}
	for _, k := range known {
		if k.event == "" {
			continue
		}
		if i := slices.IndexFunc(p.Events, func(a pmu.Alias) bool { return a.Name == k.event }); i >= 0 {
			if err := plan.addEvent(m, p, p.Events[i], Domain{Name: k.name, Sum: k.sum, Unit: cpu.usualUnit(k.name)}, cpu, online); err != nil {
				return err
			}
		}
	}
	for _, a := range p.Events {
		suffix, isEnergy := strings.CutPrefix(a.Name, "energy-")
		if !isEnergy || slices.ContainsFunc(knownEvents(), func(name string) bool { return name == a.Name }) {
			continue
		}
		d := Domain{Name: label(suffix), Unit: a.Scale}
		if err := plan.addEvent(m, p, a, d, cpu, online); err != nil {
			return err
		}
		plan.notes = append(plan.notes, fmt.Sprintf("%s/%s/ is a domain of unknown nesting: it is in no sum", p.Name, a.Name))
	}
	return nil
}

func knownEvents() []string {
	var names []string
	for _, k := range known {
		names = append(names, k.event)
	}
	return names
}

// addEvent plans one event on each of its scopes.
func (plan *perfPlan) addEvent(m Machine, p pmu.PMU, a pmu.Alias, d Domain, cpu processor, online []pmu.CPU) error {
	spec := p.Name + "/" + a.Name + "/"
	if a.Unit != "Joules" || a.Scale <= 0 {
		plan.notes = append(plan.notes, fmt.Sprintf("%s is left out: its unit is %q and its scale %v", spec, a.Unit, a.Scale))
		return nil
	}
	ev, err := m.pmus().Parse(spec)
	if err != nil {
		return err
	}
	var where []scope
	if d.Name == "core" {
		where = cores(online, p.CPUs)
	} else {
		where = scopes(online, p.CPUs, !cpu.amd())
	}
	if d.Name != "core" && len(p.CPUs) > len(where) {
		note := fmt.Sprintf("the cpumask of PMU %s names %d CPUs for %d packages or dies: each is counted once", p.Name, len(p.CPUs), len(where))
		if !slices.Contains(plan.notes, note) {
			plan.notes = append(plan.notes, note)
		}
	}
	if d.Name == "psys" && len(where) > 0 {
		if len(where) > 1 {
			plan.notes = append(plan.notes, fmt.Sprintf("psys is read on CPU %d alone: the platform is one, though %d packages show it", where[0].cpu, len(where)))
		}
		where = []scope{platform(where[0], online)}
	}
	for _, s := range where {
		one := d
		one.Package, one.CPUs = s.pkg, s.cpus
		plan.counters = append(plan.counters, Counter{Attr: countingAttr(ev), CPU: s.cpu, Domain: len(plan.domains), JoulesPerCount: a.Scale})
		plan.domains = append(plan.domains, one)
	}
	return nil
}

// platform is the scope of psys: the platform is one, whichever package shows
// its counter, and its energy is that of all CPUs.
func platform(where scope, online []pmu.CPU) scope {
	return scope{pkg: 0, cpu: where.cpu, cpus: everyCPU(online)}
}

// cores groups CPUs by physical core, among those a cpumask names (nil: all).
func cores(online []pmu.CPU, among []int) []scope {
	type id struct{ pkg, die, core int }
	index := map[id]int{}
	var found []scope
	for _, c := range online {
		key := id{c.Package, c.Die, c.Core}
		if _, ok := index[key]; !ok && (among == nil || slices.Contains(among, c.ID)) {
			index[key] = len(found)
			found = append(found, scope{pkg: c.Package, die: c.Die, cpu: c.ID})
		}
	}
	for _, c := range online {
		if i, ok := index[id{c.Package, c.Die, c.Core}]; ok {
			found[i].cpus = append(found[i].cpus, c.ID)
		}
	}
	return found
}

// countingAttr is the attribute of a counter that is only read.
func countingAttr(ev pmu.Event) perfring.Attr {
	return perfring.Attr{
		Type: ev.Type, Config: ev.Config, Config1: ev.Config1, Config2: ev.Config2, Config3: ev.Config3, Config4: ev.Config4,
		BPType: ev.BPType, Flags: perfring.Flags(ev.Flags()),
		ReadFormat: perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning,
	}
}

// openCounters opens each counter of a plan on its CPU, for all tasks, and on
// its own: a group that is throttled stops all of its members. A counter inside
// the package that the kernel refuses is left out; one that belongs to the sum, or that
// this user may not open, is an error.
func openCounters(name string, plan perfPlan, moduli []uint64) (*meter, error) {
	mt := &meter{info: Info{Name: name, Notes: plan.notes}}
	for _, c := range plan.counters {
		d := plan.domains[c.Domain]
		// Pinned: the kernel must not take turns between this counter and others,
		// which would leave holes in it. Reading one that it gave up is an error.
		a := c.Attr
		a.Flags |= perfring.FlagPinned
		ev, err := perfring.Open(&a, -1, c.CPU, nil)
		if err != nil && !d.Sum && !errors.Is(err, fs.ErrPermission) {
			mt.info.Notes = append(mt.info.Notes, fmt.Sprintf("%s is left out: %v", d, err))
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", d, err), mt.Close())
		}
		mt.closers = append(mt.closers, ev.Close)
		c.Domain = len(mt.info.Domains)
		mt.counters = append(mt.counters, c)
		mt.info.Domains = append(mt.info.Domains, d)
		mt.channels = append(mt.channels, channel{
			counter: counter{unit: c.JoulesPerCount, moduli: moduli},
			read: func() (uint64, error) {
				count, err := ev.ReadCount()
				return count.Value, err
			},
		})
	}
	if len(mt.channels) == 0 {
		return nil, fmt.Errorf("no counter could be opened: %s: %w", strings.Join(mt.info.Notes, "; "), ErrNoHardware)
	}
	return mt, nil
}
