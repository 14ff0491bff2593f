package main

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/uncore"
)

// metricMatch is a figure that counts give.
type metricMatch struct {
	Name    string   `json:"name"`
	Usable  bool     `json:"usable"`           // this machine has what it is made of
	Reason  string   `json:"reason,omitempty"` // why it is not usable
	Unit    string   `json:"unit"`
	Scope   string   `json:"scope"` // "machine", "package", "box" or "cpu"
	Formula string   `json:"formula"`
	Source  string   `json:"source"`
	Doubt   string   `json:"doubt,omitempty"`
	Events  []string `json:"events,omitempty"`
	Joules  []string `json:"joules,omitempty"` // domains whose energy it needs
}

// grepMetrics searches the figures by name and formula; without a pattern it has
// all. Of several of one name it has the one that this machine gives, or else all.
func grepMetrics(machine uncore.Machine, pattern *regexp.Regexp) ([]metricMatch, error) {
	here, err := machine.Metrics()
	if len(here) == 0 && err != nil {
		return nil, err
	}
	measured := sync.OnceValue(measuredDomains)
	found := []metricMatch{}
	has := map[string]bool{}
	add := func(m uncore.Metric, reason func() string) {
		if pattern != nil && !pattern.MatchString(m.Name) && !pattern.MatchString(m.Formula) {
			return
		}
		why := reason()
		found = append(found, metricMatch{Name: m.Name, Usable: why == "", Reason: why, Unit: m.Unit, Scope: m.Scope.String(), Formula: m.Formula,
			Source: m.Source, Doubt: m.Doubt, Events: m.Events, Joules: m.Joules})
	}
	for _, m := range here {
		has[m.Name] = true
		add(m, func() string { return lacksJoules(m, measured) })
	}
	for _, m := range uncore.AllMetrics() {
		if !has[m.Name] {
			add(m, func() string { return "this machine has no such counters" })
		}
	}
	return found, nil
}

// lacksJoules says which joules of a figure are not measured here. Those of the
// whole machine are also given from an estimate, under its name.
func lacksJoules(m uncore.Metric, measured func() map[string]bool) string {
	if len(m.Joules) == 0 || m.Scope == uncore.PerMachine {
		return ""
	}
	missing := slices.DeleteFunc(slices.Clone(m.Joules), func(domain string) bool { return measured()[domain] })
	if len(missing) == 0 {
		return ""
	}
	return "no joules of " + strings.Join(missing, ", ") + " are measured here"
}

// measuredDomains are those of the first source that measures, which is the one
// that is taken, and "energy" for the sum of those that do not overlap.
func measuredDomains() map[string]bool {
	domains := map[string]bool{}
	for _, source := range rapl.Probe(rapl.Machine{}) {
		if !source.Usable || !source.Info.Measured {
			continue
		}
		for _, d := range source.Info.Domains {
			domains[d.Name] = true
			if d.Sum {
				domains["energy"] = true
			}
		}
		break
	}
	return domains
}
