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

// readingEvery is the time in ns between two points of a series: samples can
// bring values more often than the hardware measures.
const readingEvery = 10e6

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

// energy follows the values of energy events in samples.
type energy struct {
	events  map[int][]int // domains of each event that counts energy
	series  map[uint64]*energySeries
	feeds   []uint64 // by domain: id of the counter that it is read from, 0 none yet
	pending []reading
	file    *File
}

// energySeries is one counter, by its id.
type energySeries struct {
	domain int // -1: not used
	last   uint64
	any    bool
}

// reading is the last point of a domain's series; it waits if the one
// before it was handed on just now.
type reading struct {
	time   int64
	joules float64
	waits  bool
	handed int64 // time of the one handed on last
	any    bool  // one was
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
// so many joules in each count, instead of those that File.EnergyDomains lists. The
// event must be counted in a group with one that samples ('{cpu-clock,msr/tsc/}:S').
func (f *File) UseEnergy(event string, joulesPerCount float64) error {
	f.resetEnergy()
	f.energyGiven = true
	for i := range f.Events {
		e := &f.Events[i]
		if e.Name != event && strings.TrimSuffix(e.Name, modifiers(&e.Attr)) != event {
			continue
		}
		f.addDomains(i, label(event), true, joulesPerCount)
	}
	if len(f.EnergyDomains) == 0 {
		return fmt.Errorf("%s: energy event %q: %w", f.name, event, ErrNoSuchEvent)
	}
	if !slices.ContainsFunc(f.events.perEvent, func(t traits) bool { return t.readIDs }) {
		return fmt.Errorf("%s: energy event %q: no sample carries its value, as in a group with \":S\": %w", f.name, event, ErrNoSuchEvent)
	}
	return nil
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

// take takes the value of a counter if it is one of energy. Values grow since
// the counter was opened; one that goes back is a disturbance.
func (e *energy) take(s *perfring.Sample, cpu, event int, v perfring.ReadValue) bool {
	domains, ok := e.events[event]
	if !ok {
		return false
	}
	r := &e.file.result
	r.EnergyReadings++
	series := e.series[v.ID]
	if series == nil {
		series = &energySeries{domain: e.assign(domains, cpu, v.ID)}
		e.series[v.ID] = series
	}
	switch {
	case series.domain < 0:
		return true
	case series.any && v.Value < series.last:
		r.EnergyBack++
		return true
	}
	series.last, series.any = v.Value, true
	p := &e.pending[series.domain]
	p.time, p.joules, p.waits = int64(s.Time), float64(v.Value)*e.file.EnergyDomains[series.domain].JoulesPerCount, true
	if !p.any || p.time >= p.handed+readingEvery {
		e.hand(series.domain)
	}
	return true
}

// assign finds the domain that the counter with an id belongs to: that of the CPU
// it was opened on. Of several counters of one domain the first is enough.
func (e *energy) assign(domains []int, cpu int, id uint64) int {
	if cpu < 0 {
		if known, ok := e.file.cpuOfID[id]; ok {
			cpu = known
		}
	}
	for _, d := range domains {
		if len(domains) > 1 && !slices.Contains(e.file.EnergyDomains[d].CPUs, cpu) {
			continue
		}
		if e.feeds[d] != 0 {
			return -1
		}
		e.feeds[d] = id
		return d
	}
	e.file.notes.add("energy of CPU %d, which the topology of the file has not, is left out", cpu)
	return -1
}

func (e *energy) hand(domain int) {
	p := &e.pending[domain]
	e.file.sink.Energy(domain, p.time, p.joules)
	p.waits, p.any, p.handed = false, true, p.time
}

// deliver hands on the readings that wait: all records up to them were.
func (e *energy) deliver() {
	for domain := range e.pending {
		if e.pending[domain].waits {
			e.hand(domain)
		}
	}
}

// isClock tells of the events that count nanoseconds of CPU time.
func isClock(a *perfring.Attr) bool {
	const software, cpuClock, taskClock = 1, 0, 1 // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_*
	return a.Type == software && (a.Config == cpuClock || a.Config == taskClock)
}
