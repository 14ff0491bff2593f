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
	p := pprofile.Profile{Events: c.furtherEvents(), NoClock: c.clock < 0, Measured: c.opt.Energy.Measured}
	for _, d := range c.opt.Energy.Domains {
		p.Columns = append(p.Columns, pprofile.Column{Domain: d.Name, Package: d.Package, Sum: d.Sum})
	}
	for i, e := range c.opt.Counters {
		if slices.ContainsFunc(c.opt.Counters[:i], func(o rapl.CountedEvent) bool { return o.Name == e.Name }) {
			return fmt.Errorf("collect: there are two counters %q", e.Name)
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

// furtherEvents are the events beside the clock.
func (c *Collector) furtherEvents() []pprofile.EventType {
	var events []pprofile.EventType
	for i, column := range c.extra {
		if column >= 0 {
			events = append(events, pprofile.EventType{Name: c.opt.Events[i].Name})
		}
	}
	return events
}
