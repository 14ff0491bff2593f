package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/uncore"
)

// match is an event that was found, in the stable form of `energyprof list
// --grep REGEXP --json`.
type match struct {
	finding
	// Event is what the name stands for on this machine, or would on its own:
	// "uncore_cxlcm/event=0x41,umask=0x10/".
	Event      string `json:"event,omitempty"`
	From       string `json:"from"` // "kernel", "sysfs", "tracepoint", platforms ("EMR,SPR") or an event file
	Brief      string `json:"brief,omitempty"`
	Counters   []int  `json:"counters,omitempty"` // of the unit, those that can count it
	Doubt      string `json:"doubt,omitempty"`    // what is documented inconsistently
	Deprecated bool   `json:"deprecated,omitempty"`
}

// matches is what `energyprof list --grep REGEXP --json` prints.
type matches struct {
	Version int           `json:"version"` // 1
	Events  []match       `json:"events"`
	Metrics []metricMatch `json:"metrics"`
}

// grepper looks for events and figures.
type grepper struct {
	fs      pmu.FS
	machine uncore.Machine
	pattern *regexp.Regexp
	found   matches

	tracepointTried bool
	tracepointErr   error
}

// grep searches names and briefs of everything there is. Upper and lower case
// are the same.
func grep(fs pmu.FS, machine uncore.Machine, expression string) (matches, error) {
	pattern, err := regexp.Compile("(?i)" + expression)
	if err != nil {
		return matches{}, usagef("--grep: %w", err)
	}
	g := grepper{fs: fs, machine: machine, pattern: pattern, found: matches{Version: 1, Events: []match{}, Metrics: []metricMatch{}}}
	for _, name := range pmu.Names() {
		if pattern.MatchString(name) {
			g.add(match{finding: finding{Name: name}, Event: name, From: "kernel"})
		}
	}
	if err := g.sysfs(); err != nil {
		return matches{}, err
	}
	if err := g.tracepoints(); err != nil {
		return matches{}, err
	}
	if err := g.tables(); err != nil {
		return matches{}, err
	}
	if g.found.Metrics, err = grepMetrics(machine, pattern); err != nil {
		return matches{}, err
	}
	return g.found, nil
}

// add keeps a match and tries whether it can be counted.
func (g *grepper) add(m match) {
	if m.Reason == "" {
		err := g.try(m)
		verdict := judge(m.Name, err)
		m.Usable, m.Reason, m.Fix = verdict.Usable, verdict.Reason, verdict.Fix
		if bad := (*pmu.EventError)(nil); errors.As(err, &bad) {
			// What to do about it is to look at this list.
			m.Reason, m.Fix = bad.Part+": "+bad.Reason, ""
			if errors.Is(bad, pmu.ErrNoPMU) {
				m.Reason = "this machine has no PMU " + bad.Part
			}
		}
	}
	g.found.Events = append(g.found.Events, m)
}

// try opens the event for a moment.
func (g *grepper) try(m match) error {
	events, err := g.fs.ParseList(m.Event)
	if err != nil {
		return err
	}
	if m.From != "tracepoint" {
		return tryEvent(events[0])
	}
	// To close a tracepoint takes the kernel 50 ms, and there are thousands: one
	// stands for all.
	if !g.tracepointTried {
		g.tracepointTried, g.tracepointErr = true, tryEvent(events[0])
	}
	return g.tracepointErr
}

// sysfs searches the events that the kernel names, pmu/event/.
func (g *grepper) sysfs() error {
	pmus, err := g.fs.PMUs()
	if len(pmus) == 0 {
		return err
	}
	for _, p := range pmus {
		for _, alias := range p.Events {
			name := p.Name + "/" + alias.Name + "/"
			if g.pattern.MatchString(name) {
				g.add(match{finding: finding{Name: name, Detail: alias.Unit}, Event: p.Name + "/" + alias.Terms + "/", From: "sysfs"})
			}
		}
	}
	return nil // what could not be read is named by `list`
}

// tracepoints are left out where the user may not look them up or there are none.
func (g *grepper) tracepoints() error {
	names, err := g.fs.Tracepoints()
	if err != nil && !errors.Is(err, pmu.ErrNoTracefs) && !errors.Is(err, os.ErrPermission) {
		return err
	}
	for _, name := range names {
		if g.pattern.MatchString(name) {
			g.add(match{finding: finding{Name: name}, Event: name, From: "tracepoint"})
		}
	}
	return nil
}

// tables searches those in force and then the others, whose events this machine
// has not: one who prepares a measurement elsewhere looks for them, too.
func (g *grepper) tables() error {
	all, err := uncore.Builtin()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	keep := func(e uncore.Entry, from, reason string) {
		key := strings.ToLower(e.Name)
		if seen[key] {
			return
		}
		seen[key] = true
		m := match{finding: finding{Name: e.Name, Reason: reason}, From: from, Brief: e.Brief, Counters: e.Counters, Doubt: e.Doubt, Deprecated: e.Deprecated}
		if e.Unusable != "" {
			m.Reason = e.Unusable
		} else {
			m.Event = e.Spec()
		}
		g.add(m)
	}
	for _, table := range g.machine.Tables {
		for _, e := range table.Search(g.pattern) {
			keep(e, table.Name, "")
		}
	}
	for _, e := range g.machine.Search(g.pattern) {
		keep(e, e.Platform, "")
	}
	for _, table := range all {
		for _, e := range table.Search(g.pattern) {
			keep(e, platformsOf(e, all), g.machine.Why(e.Name))
		}
	}
	return nil
}

// platformsOf names all platforms whose tables have that event of that code.
func platformsOf(e uncore.Entry, tables []*uncore.Table) string {
	var platforms []string
	for _, table := range tables {
		if other, ok := table.Lookup(e.Name); ok && other.Spec() == e.Spec() {
			platforms = append(platforms, table.Platform)
		}
	}
	return strings.Join(platforms, ",")
}

// readEventFiles reads what --event-file names.
func readEventFiles(paths []string) ([]*uncore.Table, error) {
	var tables []*uncore.Table
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("event file: %w", err)
		}
		table, err := uncore.ReadPerfmon(f, path)
		f.Close()
		if err != nil {
			return nil, err
		}
		tables = append(tables, table)
	}
	return tables, nil
}
