package main

import (
	"fmt"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// keeper writes the recording into a perf.data file (--perf-data) as it goes by; the zero value
// keeps nothing.
type keeper struct {
	*perfdata.Writer
	out *output
}

// found passes on what the collector looks up while the recording runs.
func (k *keeper) found(rec perfring.Record) {
	if k.Writer != nil {
		k.Found(rec)
	}
}

// servedBy keeps the answers of f. The writer is there when the first sample comes.
func (k *keeper) servedBy(f func(s *perfring.Sample, cpu int) int) func(s *perfring.Sample, cpu int) int {
	if f == nil {
		return nil
	}
	var kept func(s *perfring.Sample, cpu int) int
	return func(s *perfring.Sample, cpu int) int {
		if kept == nil {
			kept = k.ServedBy(f)
		}
		return kept(s, cpu)
	}
}

// between puts the keeper between the session and its sink.
func (k *keeper) between(sink session.Sink, out *output, opt *session.Options) (session.Sink, error) {
	if out == nil {
		return sink, nil
	}
	w, err := perfdata.NewWriter(out.File, perfdata.Machine{Sys: "/sys", Proc: "/proc"}, sink)
	if err != nil {
		return nil, fmt.Errorf("output file %s: %w", out.path, err)
	}
	k.Writer, k.out = w, out
	opt.Tap = w.Tap
	// perf script prints a field only where the first event of a type has it, and of software events that is the clock.
	for _, e := range opt.Events {
		opt.Events[0].SampleFormat |= e.SampleFormat
	}
	if clock := &opt.Events[0]; clock.SampleFormat&perfring.SampleWeightStruct != 0 {
		clock.SampleFormat &^= perfring.SampleWeight // no event may have both
	}
	// The file has the stacks as the collector completed them, not the copies and branches that they were made of.
	w.Whole(opt.WholeFormats())
	return w, nil
}

// finish completes the file with what is known at the end of the recording. notes are those of rec
// that the collector does not find out by itself when it gets the same stream again.
func (k *keeper) finish(rec *report.Recording, notes []string, what collect.Options, past *collect.Past, result *session.Result) error {
	if k.Writer == nil {
		return nil
	}
	own := &perfdata.Own{
		Tool: rec.Tool, Start: rec.Data.Start, Duration: rec.Data.Duration, Period: rec.Data.Period,
		SystemWide: what.SystemWide, NoOthers: what.NoOthers, CPUs: what.CPUs, MaxDepth: past.MaxDepth,
		Energy: what.Energy, Attribution: what.Attribution, Counters: what.Counters, CounterMethod: what.CounterMethod,
		Throttled: rec.Throttled, BadRecords: rec.BadRecords, Notes: notes, Comments: rec.Data.Comments,
		KernelVisible: past.KernelVisible, Idle: past.Idle, Locations: past.Locations, Main: past.Main, Books: result.Events,
	}
	if m := what.Memory; m.Addresses || m.Weigh || len(m.Traffic) > 0 {
		own.Memory = &perfdata.OwnMemory{Addresses: m.Addresses, Weigh: m.Weigh, Traffic: m.Traffic}
	}
	own.Stacks = ownStacks(rec.Stacks, what.Stacks.Walked())
	if c := rec.Command; c != nil {
		own.Command = &perfdata.OwnCommand{Args: c.Args, ExitCode: c.ExitCode, Signal: c.Signal}
	}
	for _, e := range what.Events {
		own.Events = append(own.Events, perfdata.OwnEvent{Name: e.Name, Clock: e.Clock, Period: e.Period, Weight: e.Weight, Memory: e.Memory, Address: e.Address})
	}
	var events []perfdata.Event
	for _, e := range result.Opened {
		events = append(events, perfdata.Event{Name: e.Name, Attr: session.Whole(e.Attr), IDs: e.IDs})
	}
	if err := k.Writer.Finish(events, own); err != nil {
		return fmt.Errorf("output file %s: %w", k.out.path, err)
	}
	return k.out.commit()
}

// close releases what is not needed any more.
func (k *keeper) close() {
	if k.Writer != nil {
		k.Writer.Close()
	}
}
