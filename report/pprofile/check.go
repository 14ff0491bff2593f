package pprofile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// check refuses counts that no profile can hold.
func check(p *Profile) error {
	if p.LostSamples < 0 || p.LostNanoseconds < 0 {
		return fmt.Errorf("%d lost samples of %d ns", p.LostSamples, p.LostNanoseconds)
	}
	for i := range p.Stacks {
		s := &p.Stacks[i]
		switch {
		case s.Samples < 0 || s.Nanoseconds < 0:
			return fmt.Errorf("stack %d: %d samples of %d ns", i, s.Samples, s.Nanoseconds)
		case len(s.Events) != len(p.Events):
			return fmt.Errorf("stack %d: %d event counts, the profile has %d events", i, len(s.Events), len(p.Events))
		case len(s.Joules) != len(p.Columns) && len(s.Joules) != 0:
			return fmt.Errorf("stack %d: joules in %d columns, the profile has %d", i, len(s.Joules), len(p.Columns))
		case len(s.Counts) != len(p.Counters) && len(s.Counts) != 0:
			return fmt.Errorf("stack %d: counts of %d counters, the profile has %d", i, len(s.Counts), len(p.Counters))
		}
		for k, n := range s.Events {
			if n < 0 {
				return fmt.Errorf("stack %d: %d of event %s", i, n, p.Events[k].Name)
			}
		}
	}
	used := map[string]bool{"samples": true, cpuType: true, EnergyType: true}
	if p.Default != "" && p.Default != cpuType && !slices.ContainsFunc(p.Events, func(e EventType) bool { return e.Name == p.Default }) {
		return fmt.Errorf("%q is no event", p.Default)
	}
	for _, e := range p.Events {
		if used[e.Name] || e.Name == "" || strings.HasPrefix(e.Name, DomainPrefix) {
			return fmt.Errorf("event name %q is taken or empty", e.Name)
		}
		used[e.Name] = true
	}
	for i, c := range p.Counters {
		// One event has several, one behind the other.
		if i > 0 && c.Event == p.Counters[i-1].Event {
			continue
		}
		if used[c.Event] || c.Event == "" || strings.HasPrefix(c.Event, DomainPrefix) {
			return fmt.Errorf("counter name %q is taken or empty", c.Event)
		}
		used[c.Event] = true
	}
	sum := len(p.Columns) == 0
	for i, c := range p.Columns {
		if c.Domain == "" || DomainPrefix+c.Domain == EnergyModelType && p.Measured {
			return fmt.Errorf("column %d: no domain can have the name %q", i, c.Domain)
		}
		sum = sum || c.Sum
	}
	if !sum && !p.Measured {
		return errors.New("no domain of the estimate is part of the energy")
	}
	return nil
}
