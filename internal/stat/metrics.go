package stat

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/uncore"
)

// ownFigures are those of the machine's metrics that a result has anyway, wherever
// what they need is there: IPC of every place and modifier, and what follows from
// joules under the name of measured or of estimated energy.
var ownFigures = []string{"ipc", "joules_per_instruction", "energy_delay_product"}

// NamedMetrics finds the metrics of these names among the machine's, and adds the
// events they need to those that are counted anyway. An error begins with the name.
func NamedMetrics(known []uncore.Metric, names, specs []string) (named []uncore.Metric, events []string, err error) {
	events = slices.Clone(specs)
	for _, name := range names {
		i := slices.IndexFunc(known, func(m uncore.Metric) bool { return m.Name == name })
		if i < 0 {
			return nil, nil, noMetric(name, known)
		}
		named = append(named, known[i])
		for _, e := range known[i].Events {
			if !slices.Contains(events, e) {
				events = append(events, e)
			}
		}
	}
	return named, events, nil
}

// noMetric says whether nobody or only this machine does not know a metric.
func noMetric(name string, known []uncore.Metric) error {
	for _, m := range uncore.AllMetrics() {
		if m.Name == name {
			return fmt.Errorf("%s: this machine does not have what it is made of: %s", name, m.Formula)
		}
	}
	var names []string
	for _, m := range known {
		names = append(names, m.Name)
	}
	return fmt.Errorf("%s: there is no such metric; this machine gives %s", name, strings.Join(names, ", "))
}

// AddMetrics has the results show the named metrics and all others of the machine's
// that follow from b.Terms.
func (b *Builder) AddMetrics(m uncore.Machine, named, known []uncore.Metric) error {
	b.events = metricEvents(m, b.Terms)
	b.metrics = shownMetrics(named, known, b.events)
	if len(b.metrics) == 0 {
		return nil
	}
	var err error
	if b.tsc, err = uncore.TSCRate(); err != nil && slices.ContainsFunc(b.metrics, func(m uncore.Metric) bool { return strings.Contains(m.Formula, "TSC") }) {
		b.remarks = append(b.remarks, err.Error())
	}
	b.packages, err = m.Packages()
	return err
}

// metricEvents are the terms as metrics call them: an event of a table by its code.
func metricEvents(m uncore.Machine, terms []uncore.Term) []string {
	names := make([]string, len(terms))
	for i, t := range terms {
		names[i] = t.Name
		if e, ok := m.Lookup(t.Name); ok {
			names[i] = e.Spec()
		}
	}
	return names
}

// shownMetrics are the named ones and those of the machine whose events are all counted.
func shownMetrics(named, known []uncore.Metric, events []string) []uncore.Metric {
	var shown []uncore.Metric
	add := func(m uncore.Metric) {
		already := slices.ContainsFunc(shown, func(s uncore.Metric) bool { return s.Name == m.Name })
		if !already && !slices.Contains(ownFigures, m.Name) {
			shown = append(shown, m)
		}
	}
	for _, m := range named {
		add(m)
	}
	for _, m := range known {
		if !slices.ContainsFunc(m.Events, func(event string) bool { return !slices.Contains(events, event) }) {
			add(m)
		}
	}
	return shown
}

// derived are the values of the metrics, of each place that has one.
func (b *Builder) derived(readings []counting.Reading, per []rates) []Metric {
	var out []Metric
	for _, m := range b.metrics {
		type place struct {
			pkg, cpu int
			box      string
		}
		var places []place
		values := map[place][]float64{}
		for i, reading := range readings {
			for _, v := range m.Values(b.stretch(reading, per[i])) {
				at := place{v.Package, v.CPU, v.Box}
				if values[at] == nil {
					places = append(places, at)
					for range readings {
						values[at] = append(values[at], unknown)
					}
				}
				values[at][i] = v.Value
			}
		}
		for _, at := range places {
			out = append(out, Metric{Name: m.Name, Where: metricPlace(at.pkg, at.box, at.cpu), Unit: m.Unit, Formula: m.Formula,
				Source: m.Source, Doubt: m.Doubt, Quantity: newQuantity(values[at])})
		}
		if len(places) == 0 {
			out = append(out, Metric{Name: m.Name, Unit: m.Unit, Formula: m.Formula, Source: m.Source, Doubt: m.Doubt})
		}
	}
	return out
}

// metricPlace names where a metric's value is from.
func metricPlace(pkg int, box string, cpu int) string {
	var parts []string
	if pkg >= 0 {
		parts = append(parts, fmt.Sprintf("S%d", pkg))
	}
	if box != "" {
		parts = append(parts, box)
	}
	if cpu >= 0 {
		parts = append(parts, fmt.Sprintf("CPU%d", cpu))
	}
	return strings.Join(parts, "-")
}

// stretch is a reading in the terms of metrics.
func (b *Builder) stretch(reading counting.Reading, per rates) uncore.Stretch {
	s := uncore.Stretch{Seconds: per.seconds, TSC: b.tsc, Package: b.packages}
	for i, c := range reading.Counters {
		m := uncore.Measured{Event: b.events[c.Term], PMU: c.PMU, CPU: c.CPU}
		if c.Err == nil {
			m.Count, m.OK = reading.Counts[i].Scaled()
		}
		s.Counts = append(s.Counts, m)
	}
	if !b.Source.Measured {
		return s // a metric of estimated joules would pass for a measurement
	}
	add := func(domain string, pkg int, joules float64) {
		if !math.IsNaN(joules) {
			s.Joules = append(s.Joules, uncore.Joules{Domain: domain, Package: pkg, Joules: joules})
		}
	}
	var packages []int
	for i, d := range b.Source.Domains {
		add(d.Name, d.Package, per.domains[i])
		if d.Sum && !slices.Contains(packages, d.Package) {
			packages = append(packages, d.Package)
		}
	}
	for _, pkg := range packages {
		add("energy", pkg, b.joules(per, pkg))
	}
	return s
}
