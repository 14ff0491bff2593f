package perfdata

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/perfring"
)

// EnergyDomain is one series of energy in the samples of a file.
type EnergyDomain struct {
	// Name is "package", "cores", "dram", "gpu", "psys" or "core", as in
	// package rapl, or that of the event given to UseEnergy, in letters, digits
	// and "_".
	Name    string
	Package int   // 0 for what belongs to no one package, or where the file has no topology
	CPUs    []int // whose work the energy pays; nil where the file has no topology: all
	// Sum tells that the domain overlaps no other one with Sum.
	Sum            bool
	Event          int // index in File.Events
	JoulesPerCount float64
}

// String names the domain for messages: "package 0".
func (d EnergyDomain) String() string { return fmt.Sprintf("%s %d", d.Name, d.Package) }

// powerScale is the joules in one count of the kernel's PMUs for energy:
// 2^-32 (RAPL_CNTR_WIDTH of arch/x86/events/rapl.c, and its files *.scale).
const powerScale = 1.0 / (1 << 32)

// powerDomains are the events of PMU power and power_core: the end of the name,
// the config (arch/x86/events/rapl.c), the domain.
var powerDomains = []struct {
	suffix string
	config uint64
	name   string
	sum    bool
}{
	{"cores", 1, "cores", false},
	{"pkg", 2, "package", true},
	{"ram", 3, "dram", true},
	{"gpu", 4, "gpu", false},
	{"psys", 5, "psys", false},
	{"core", 1, "core", false},
}

// domainOf tells which domain an event of the kernel's energy PMUs counts.
func (f *File) domainOf(e *Event) (index int, ok bool) {
	pmu, term, hasPMU := strings.Cut(e.Name, "/")
	if !hasPMU {
		pmu, term = f.Info.PMUs[e.Attr.Type], e.Name
	}
	if !strings.HasPrefix(pmu, "power") {
		return 0, false
	}
	term, _, _ = strings.Cut(term, "/")
	term, _, _ = strings.Cut(term, ":")
	core := pmu == "power_core"
	for i, d := range powerDomains {
		if term == "energy-"+d.suffix {
			return i, true
		}
	}
	for i, d := range powerDomains {
		if f.Info.PMUs[e.Attr.Type] == pmu && e.Attr.Config == d.config && core == (d.name == "core") {
			return i, true
		}
	}
	return 0, false
}

// findEnergy makes a domain of each event that counts energy, for each part of
// the machine, if there are samples that carry its values.
func (f *File) findEnergy() {
	if f.energyGiven {
		return
	}
	f.resetEnergy()
	if !slices.ContainsFunc(f.events.perEvent, func(t traits) bool { return t.readIDs }) {
		return
	}
	for i := range f.Events {
		e := &f.Events[i]
		k, ok := f.domainOf(e)
		if !ok {
			continue
		}
		scale := powerScale
		if e.Scale > 0 && (e.Unit == "Joules" || e.Unit == "") {
			scale = e.Scale
		}
		f.addDomains(i, powerDomains[k].name, powerDomains[k].sum, scale)
	}
}

func (f *File) resetEnergy() {
	f.EnergyDomains = nil
	f.energy = energy{events: make(map[int][]int), series: make(map[uint64]*energySeries), file: f}
}

// UseEnergy takes the counter with the name of event for one of energy, with
// so many joules in each count, or as many as the file says if that is 0, instead of those
// that File.EnergyDomains lists. The event must be counted in a group with one that
// samples, and on whole CPUs (perf record -a -e '{cpu-clock,msr/tsc/}:S').
func (f *File) UseEnergy(event string, joulesPerCount float64) error {
	f.resetEnergy()
	f.energyGiven = true
	for i := range f.Events {
		e := &f.Events[i]
		if e.Name != event && strings.TrimSuffix(e.Name, modifiers(&e.Attr)) != event {
			continue
		}
		scale := joulesPerCount
		if scale == 0 && e.Unit == "Joules" {
			scale = e.Scale
		}
		switch {
		case scale == 0:
			return fmt.Errorf("%s: energy event %q: %w", f.name, event, ErrNoScale)
		case f.perThread(i):
			return fmt.Errorf("%s: energy event %q: %w", f.name, event, ErrPerThread)
		}
		f.addDomains(i, label(event), true, scale)
	}
	if len(f.EnergyDomains) == 0 {
		return fmt.Errorf("%s: energy event %q: %w", f.name, event, ErrNoSuchEvent)
	}
	if !slices.ContainsFunc(f.events.perEvent, func(t traits) bool { return t.readIDs }) {
		return fmt.Errorf("%s: energy event %q: no sample carries its value, as in a group with \":S\": %w", f.name, event, ErrNoSuchEvent)
	}
	return nil
}

// perThread tells whether an event counts only while certain threads run. Without an index of
// ids the attributes tell: perf waits for execve of a command alone, and samples carry their
// CPU where it records whole ones (evsel__config in tools/perf/util/evsel.c).
func (f *File) perThread(event int) bool {
	e := &f.Events[event]
	for _, id := range e.IDs {
		if of, known := f.ofThread[id]; known {
			return of
		}
	}
	return e.Attr.SampleFormat&perfring.SampleCPU == 0 ||
		slices.ContainsFunc(f.Events, func(e Event) bool { return e.Attr.Flags&perfring.FlagEnableOnExec != 0 })
}

// label makes an event's name one of a domain.
func label(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, name)
	return cmp.Or(strings.Trim(name, "_"), "energy")
}

// addDomains adds the domains of one event: one for each package, or die if
// that is how often it was opened, or core; psys is one of the whole machine.
func (f *File) addDomains(event int, name string, sum bool, scale float64) {
	type part struct{ pkg, die, core int }
	var parts []part
	cpus := make(map[part][]int)
	packages := make(map[int]bool)
	for _, c := range f.Info.CPUs {
		if c.Package >= 0 {
			packages[c.Package] = true
		}
	}
	byDie := len(f.Events[event].IDs) > len(packages) && f.Events[event].CPUs != nil && len(f.Events[event].CPUs) > len(packages)
	for cpu, c := range f.Info.CPUs {
		if c.Package < 0 {
			continue
		}
		p := part{pkg: c.Package}
		switch {
		case name == "psys":
			p = part{}
		case name == "core":
			p.die, p.core = c.Die, c.Core
		case byDie:
			p.die = c.Die
		}
		if cpus[p] == nil {
			parts = append(parts, p)
		}
		cpus[p] = append(cpus[p], cpu)
	}
	if at := f.openedOn(event); at != nil {
		parts = slices.DeleteFunc(parts, func(p part) bool {
			return !slices.ContainsFunc(cpus[p], func(cpu int) bool { return at[cpu] })
		})
	}
	if len(parts) == 0 {
		parts = []part{{}}
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.die, b.die), cmp.Compare(a.core, b.core))
	})
	for _, p := range parts {
		f.energy.events[event] = append(f.energy.events[event], len(f.EnergyDomains))
		f.energy.feeds = append(f.energy.feeds, 0)
		f.energy.pending = append(f.energy.pending, reading{})
		f.EnergyDomains = append(f.EnergyDomains, EnergyDomain{
			Name: name, Package: p.pkg, CPUs: cpus[p], Sum: sum, Event: event, JoulesPerCount: scale,
		})
	}
}

// openedOn returns the CPUs that an event was opened on, nil unless all are known.
func (f *File) openedOn(event int) map[int]bool {
	at := make(map[int]bool)
	for _, id := range f.Events[event].IDs {
		cpu, ok := f.cpuOfID[id]
		if !ok {
			return nil
		}
		at[cpu] = true
	}
	if len(at) == 0 {
		return nil
	}
	return at
}
