package collect

import (
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/pprofile"
)

// buildable tells at the beginning what would make the profile impossible at the end: names of events
// or domains that it cannot have.
func (c *Collector) buildable() error {
	p := pprofile.Profile{Events: c.furtherEvents(), NoClock: c.clock < 0, Measured: c.opt.Energy.Measured, Default: c.defaultType()}
	for _, d := range c.opt.Energy.Domains {
		p.Columns = append(p.Columns, pprofile.Column{Domain: d.Name, Package: d.Package, Sum: d.Sum})
	}
	for i, e := range c.opt.Counters {
		if slices.ContainsFunc(c.opt.Counters[:i], func(o rapl.CountedEvent) bool { return o.Name == e.Name }) {
			return fmt.Errorf("collect: there are two counters %q", e.Name)
		}
		if slices.Contains(c.opt.Memory.Traffic, i) {
			continue
		}
		for _, d := range e.Domains {
			p.Counters = append(p.Counters, pprofile.Counter{Event: e.Name, Package: d.Package})
		}
	}
	if _, err := pprofile.Build(&p); err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	return nil
}

// hasMemory tells whether memory accesses are sampled.
func (c *Collector) hasMemory() bool {
	return slices.ContainsFunc(c.opt.Events, func(e Event) bool { return e.Memory })
}

// defaultType is the sample type that is shown where there is no energy, "" the usual one.
func (c *Collector) defaultType() string {
	if c.hasMemory() {
		return pprofile.Latency
	}
	return ""
}

// furtherEvents are the events beside the clock.
func (c *Collector) furtherEvents() []pprofile.EventType {
	var events []pprofile.EventType
	if c.hasMemory() {
		events = append(events, pprofile.EventType{Name: pprofile.Loads}, pprofile.EventType{Name: pprofile.Stores}, pprofile.EventType{Name: pprofile.Latency, Unit: pprofile.LatencyUnit})
	}
	for i, column := range c.extra {
		if column >= 0 { // the clock has its own, and memory accesses have them together
			events = append(events, pprofile.EventType{Name: c.opt.Events[i].Name})
		}
	}
	return events
}
