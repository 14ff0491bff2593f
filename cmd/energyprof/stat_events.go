package main

import (
	"strings"

	"github.com/energyprof/energyprof/internal/stat"
	"github.com/energyprof/energyprof/uncore"
)

// Events that are counted if none is named: those of every perf stat, in one group what is
// divided by each other. Of whole CPUs the clock is theirs.
const (
	defaultTaskEvents = "task-clock,context-switches,cpu-migrations,page-faults,{cycles,instructions}"
	defaultCPUEvents  = "cpu-clock,context-switches,cpu-migrations,page-faults,{cycles,instructions}"
)

// machine is where events are looked for.
func (f *statFlags) machine() (m uncore.Machine, err error) {
	m.Platform = f.platform
	if err := checkPlatform(m.Platform); err != nil {
		return m, err
	}
	m.Tables, err = readEventFiles(f.eventFiles)
	return m, err
}

// events reads what to count, and which metrics follow from it.
func (f *statFlags) events(b *stat.Builder, machine uncore.Machine) (*uncore.Events, error) {
	for _, spec := range f.specs {
		if strings.TrimSpace(spec) == "" {
			return nil, usagef("-e %q: no event is named", spec)
		}
	}
	specs := f.specs
	var err error
	var named, known []uncore.Metric
	if len(f.specs) > 0 || len(f.metrics) > 0 { // there are none of the default events alone
		if known, err = machine.Metrics(); err != nil {
			return nil, err
		}
		if named, specs, err = stat.NamedMetrics(known, f.metrics, f.specs); err != nil {
			return nil, usagef("--metric %w", err)
		}
	}
	if len(specs) == 0 {
		specs = []string{defaultTaskEvents}
		if b.Options.All {
			specs = []string{defaultCPUEvents}
		}
	}
	events, err := machine.Events(strings.Join(specs, ","))
	if err != nil {
		return nil, usageError{err}
	}
	b.Terms = events.Terms()
	if len(known) > 0 {
		err = b.AddMetrics(machine, named, known)
	}
	return events, err
}
