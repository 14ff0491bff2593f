package main

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/uncore"
)

// counterFlags are the flags about counters that are read beside the samples.
type counterFlags struct {
	counted    []string
	eventFiles []string
}

func (f *counterFlags) register(fl *pflag.FlagSet) {
	fl.StringArrayVar(&f.counted, "counter", nil, "count this event beside the samples and share its counts out like energy,\nfor instance 'uncore_cxlcm/event=0x41,umask=0x10/' (several times: several events)")
	fl.StringArrayVar(&f.eventFiles, "event-file", nil, "names of events for --counter, in an event file as Intel publishes them (JSON)")
}

// counters are open counting events with their recorder; all fields are zero without any.
type counters struct {
	source   *rapl.Counts
	recorder *rapl.Recorder
	events   []rapl.CountedEvent
}

// open opens the counters. sampled are the events of the samples, whose names are taken.
func (f *counterFlags) open(energy *energyFlags, sampled []session.Event) (*counters, error) {
	if len(f.counted) == 0 {
		if len(f.eventFiles) > 0 {
			return nil, usagef("--event-file belongs to --counter")
		}
		return &counters{}, nil
	}
	var machine uncore.Machine
	var err error
	if machine.Tables, err = readEventFiles(f.eventFiles); err != nil {
		return nil, err
	}
	for _, spec := range f.counted { // the tables know why a name stands for nothing here
		if _, err := machine.Events(spec); err != nil {
			return nil, fmt.Errorf("counter %s: %w", spec, err)
		}
	}
	source, err := rapl.OpenCounts(rapl.Machine{}, f.counted, func(name string) (string, bool) {
		entry, ok := machine.Lookup(name)
		return entry.Spec(), ok
	})
	if err != nil {
		return nil, err
	}
	c := &counters{source: source, events: source.Events, recorder: rapl.NewCountRecorder(source, energy.interval)}
	for _, e := range c.events {
		if slices.ContainsFunc(sampled, func(s session.Event) bool { return s.Name == e.Name }) {
			c.close()
			return nil, usagef("--counter %s: it is sampled as well, and both would have that name: name=OTHER among its terms gives it another", e.Name)
		}
	}
	return c, nil
}

// counterMethod is how counts are shared out. Unlike the energy of a model they are measured.
func (f *attributionFlags) counterMethod() attribution.Method { return attribution.Method(f.method) }

// notes says what a reader of the counts must know.
func (c *counters) notes() []string {
	if c.source == nil {
		return nil
	}
	notes := c.source.Info().Notes
	if n := c.recorder.Books().Dropped; n > 0 {
		notes = append(notes, fmt.Sprintf("counters went back or began anew in %d readings (a reset, a CPU that was offline): what they counted meanwhile is missing", n))
	}
	return notes
}

func (c *counters) close() {
	if c.source != nil {
		c.source.Close()
	}
}
