package rapl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// CountedEvent is an event whose counts are recorded beside the samples.
type CountedEvent struct {
	Name  string
	Scale float64 // units per count, as the kernel gives them; 0 if it gives none
	Unit  string  // what the scaled count is in, "MiB"; "" if not known
	// Domains are the series of the event, one for each package: its CPUs are those whose work
	// the counts may be of, which for one kind of core are the CPUs of that kind. What counts for the machine as a
	// whole has one, of all CPUs.
	Domains []Domain
}

// Counts is a source of counts in place of joules: of one perf event or several. The
// domains of all events, one behind the other, are those of Read.
type Counts struct {
	Events []CountedEvent

	series  []countSeries
	started bool // all have been read
}

// OpenCounts opens counting events that the user names, in perf's syntax. All instances of a PMU that
// a name stands for (uncore_cxlcm for uncore_cxlcm_0 and _1) are summed, and so are all CPUs that
// they are counted on: those of the PMU's cpumask, or every one for an event of the cores.
//
// names gives the event of a name that neither sysfs nor perf-list(1) has, as pmu/terms/; nil knows none.
//
// The counters are pinned: the kernel does not take turns between them and others, and a PMU that has
// no counter to spare is an error, which wraps perfring.ErrEventError or a *perfring.OpenError.
// The counts begin with the first Read.
func OpenCounts(m Machine, specs []string, names func(name string) (spec string, ok bool)) (*Counts, error) {
	online, err := m.online()
	if err != nil {
		return nil, err
	}
	c, fs := &Counts{}, m.pmus()
	if names != nil {
		fs = fs.WithNames(names)
	}
	for _, spec := range specs {
		if err := c.open(fs, spec, online); err != nil {
			return nil, errors.Join(fmt.Errorf("counter %s: %w", spec, err), c.Close())
		}
	}
	// A counter that does not fit on its PMU is opened all the same, and says so when it is read.
	if _, err := c.Read(make([]float64, len(c.series))); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// countPlace is an event to be opened on a CPU for a domain.
type countPlace struct {
	event  pmu.Event
	cpu    int
	domain int
}

// planCount says what to open of one event, from sysfs alone.
func planCount(fs pmu.FS, spec string, online []pmu.CPU) (CountedEvent, []countPlace, error) {
	groups, err := fs.ParseGroups(spec)
	if err != nil {
		return CountedEvent{}, nil, err
	}
	first := groups[0].Events[0]
	var places []countPlace
	var counted []pmu.CPU // those whose own counters are read
	for _, g := range groups {
		if len(g.Events) > 1 || g.Events[0].Term != first.Term {
			return CountedEvent{}, nil, errors.New("it is several events: each is a counter of its own")
		}
		ev := g.Events[0]
		for _, cpu := range online {
			if ev.CPUs == nil || slices.Contains(ev.CPUs, cpu.ID) {
				places = append(places, countPlace{event: ev, cpu: cpu.ID, domain: cpu.Package})
				counted = append(counted, cpu)
			}
		}
	}
	if len(places) == 0 {
		return CountedEvent{}, nil, fmt.Errorf("none of its CPUs (%s) is online: %w", pmu.FormatCPUList(first.CPUs), ErrNoHardware)
	}
	out := CountedEvent{Name: cmp.Or(first.Label, first.Name), Scale: first.Scale, Unit: first.Unit}
	// What counts outside of the cores counts for all CPUs of its package. Cores count what they do
	// themselves, and on a hybrid machine they may be of one kind.
	served, packages := online, packagesOf(counted)
	if !first.Uncore {
		served = slices.DeleteFunc(slices.Clone(online), func(cpu pmu.CPU) bool { return !slices.Contains(counted, cpu) })
	} else if len(packages) < len(packagesOf(online)) {
		// A device that one CPU counts for, in a machine of several packages, serves them all.
		out.Domains = []Domain{{Name: out.Name, CPUs: everyCPU(online), Unit: 1}}
		for i := range places {
			places[i].domain = 0
		}
		return out, places, nil
	}
	for i := range places {
		places[i].domain = slices.Index(packages, places[i].domain)
	}
	for _, p := range packages {
		out.Domains = append(out.Domains, Domain{Name: out.Name, Package: p, CPUs: cpusOf(served, p, -1), Unit: 1})
	}
	return out, places, nil
}

// packagesOf are the packages of CPUs, in order.
func packagesOf(cpus []pmu.CPU) []int {
	var packages []int
	for _, cpu := range cpus {
		packages = append(packages, cpu.Package)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// open opens all counters of an event.
func (c *Counts) open(fs pmu.FS, spec string, online []pmu.CPU) error {
	event, places, err := planCount(fs, spec, online)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.Events, func(e CountedEvent) bool { return e.Name == event.Name }) {
		return fmt.Errorf("it is counted already under the name %s", event.Name)
	}
	first := len(c.series)
	c.Events = append(c.Events, event)
	for _, d := range event.Domains {
		c.series = append(c.series, countSeries{name: d.String()})
	}
	for _, p := range places {
		a := countingAttr(p.event)
		a.Flags |= perfring.FlagPinned
		counter, err := perfring.Open(&a, -1, p.cpu, nil)
		if err != nil {
			return err
		}
		s := &c.series[first+p.domain]
		s.counters = append(s.counters, counter)
	}
	return nil
}

// Info describes the counters as a source; its Domains are those of all events. Its Notes grow with the readings.
func (c *Counts) Info() Info {
	info := Info{Name: "counters", Measured: true}
	for _, e := range c.Events {
		info.Domains = append(info.Domains, e.Domains...)
	}
	for i := range c.series {
		if s := &c.series[i]; s.failed > 0 {
			info.Notes = append(info.Notes, fmt.Sprintf("counter %s could not be read %d times (%v): what it counted meanwhile came later, or is missing", s.name, s.failed, s.why))
		}
	}
	return info
}

// Read puts the counts since the first Read into counts, which are whole numbers, as of the moment before any
// counter is read: how long it takes to read all of them depends on what runs, and would pass for counts of that. A counter that goes
// back has not counted, as far as anybody knows. One of the cores ends when its CPU goes offline, and is opened anew
// once that is back; what it missed until then is missing. The moment's Dropped counts both.
func (c *Counts) Read(counts []float64) (Moment, error) {
	if len(counts) != len(c.series) {
		return Moment{}, fmt.Errorf("counters: room for %d series, not %d", len(counts), len(c.series))
	}
	before, err := clock(unix.CLOCK_MONOTONIC)
	if err != nil {
		return Moment{}, err
	}
	moment := Moment{Before: before, After: before}
	failed := 0
	for i := range c.series {
		s := &c.series[i]
		dropped, err := s.read(before)
		if err != nil {
			if moment.Failed == nil {
				moment.Failed = make([]error, len(c.series))
			}
			moment.Failed[i] = fmt.Errorf("counter %s: %w", s.name, err)
			s.failed, s.why = s.failed+1, err
			failed++
		}
		if dropped {
			moment.Dropped++
		}
		counts[i] = float64(s.counted - s.later)
	}
	if failed > 0 && (failed == len(c.series) || !c.started) {
		return moment, errors.Join(moment.Failed...)
	}
	c.started = true
	return moment, nil
}

// Close releases the counters.
func (c *Counts) Close() error {
	var errs []error
	for i := range c.series {
		for _, counter := range c.series[i].counters {
			errs = append(errs, counter.Close())
		}
		c.series[i].counters = nil
	}
	return errors.Join(errs...)
}
