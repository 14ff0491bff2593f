package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// memEvents are the events of a recording of memory accesses. The first is a clock, from which time comes.
type memEvents struct {
	session []session.Event
	collect []collect.Event
	remarks []string // what they do without
}

// tableEvents says to a table of accesses what the events are. breakpoint is the type of those that are breakpoints.
func tableEvents(events []collect.Event, breakpoint func(event int) uint32) []memory.Event {
	var out []memory.Event
	for i, e := range events {
		out = append(out, memory.Event{Name: e.Name, Clock: e.Clock, Memory: e.Memory, Period: e.Period, Writes: breakpoint(i) == pmu.BreakWrite})
	}
	return out
}

// hasMemory tells whether any of the events samples accesses.
func hasMemory(events []collect.Event) bool {
	for _, e := range events {
		if e.Memory {
			return true
		}
	}
	return false
}

// nobodys is the note on joules that no event could share out.
func nobodys(events []collect.Event, energy rapl.Info) []string {
	if len(energy.Domains) == 0 || hasMemory(events) {
		return nil
	}
	return []string{"page faults and breakpoints do not tell what memory served: the joules of DRAM are nobody's"}
}

// events finds what samples memory here, or tries what was named.
func (f *memFlags) events(fs pmu.FS) (e memEvents, err error) {
	if err := f.checkRate(); err != nil {
		return e, err
	}
	clock, err := fs.Parse("cpu-clock")
	if err != nil {
		return e, err
	}
	e.session = []session.Event{{Event: clock, Frequency: allowed(clockOfMemory)}}
	e.collect = []collect.Event{{Name: clock.Name, Clock: true}}
	samplers, remarks, err := f.samplers()
	if err != nil {
		return e, err
	}
	e.remarks = remarks
	for _, s := range samplers {
		if err := e.add(fs, s, &f.sampling); err != nil {
			return e, err
		}
	}
	return e, nil
}

// samplers are what the kernel accepted.
func (f *memFlags) samplers() (samplers []pebs.Sampler, remarks []string, err error) {
	var machine pebs.Machine
	opt := pebs.Options{Latency: f.latency, AllCPUs: f.all, UserOnly: f.userOnly, KernelOnly: f.kernelOnly, Physical: true, PageSizes: true}
	if !f.changed("ldlat") {
		opt.Latency = 0 // where the PMU has none, nothing is missing
	}
	if opt.Loads, opt.Stores, err = f.wanted(); err != nil {
		return nil, nil, err
	}
	opt.Frequency = f.frequency
	if f.periodSet {
		opt.Period, opt.Frequency = f.period, 0
	}
	if len(f.specs) > 0 {
		samplers, err = f.named(machine, opt)
		return samplers, nil, err
	}
	choice, err := machine.Choose(opt)
	if err == nil {
		for _, r := range choice.Reasons {
			remarks = append(remarks, whyNotSampled(r))
		}
		return choice.Samplers, remarks, nil
	}
	none := (*pebs.NoneError)(nil)
	if !errors.As(err, &none) || f.changed("type") || f.changed("ldlat") {
		return nil, nil, err
	}
	// What is real everywhere: which pages a program touches first.
	opt.Period, opt.Frequency = 1, 0
	samplers, err = machine.Try("page-faults", opt)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; %w", none, err) // an error has one line
	}
	remarks = append(remarks, pebs.ErrNone.Error()+": recorded are page faults, with the addresses that were touched; "+
		"they tell nothing of levels, latencies and joules (-e mem:ADDRESS:rw records accesses to a variable)")
	for _, r := range none.Reasons {
		remarks = append(remarks, whyNotSampled(r))
	}
	return samplers, remarks, nil
}

// named tries the events of -e.
func (f *memFlags) named(machine pebs.Machine, opt pebs.Options) (samplers []pebs.Sampler, err error) {
	for _, spec := range f.specs {
		found, err := machine.Try(spec, opt)
		refused := (*perfring.OpenError)(nil)
		switch {
		case err == nil:
		case errors.As(err, &refused):
			return nil, fmt.Errorf("-e %w", err)
		default: // it was not for the kernel to answer
			return nil, usagef("-e %w", err)
		}
		samplers = append(samplers, found...)
	}
	return samplers, nil
}

// add opens nothing yet: it says how a sampler is to be opened, and what is collected of it.
func (m *memEvents) add(fs pmu.FS, s pebs.Sampler, rate *sampling) error {
	parsed, err := fs.Parse(s.Spec)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(m.collect, func(e collect.Event) bool { return e.Name == parsed.Name }) {
		return usagef("-e %s: it is named twice", parsed.Name)
	}
	event := session.Event{Event: parsed, SampleFormat: s.Format}
	if s.CPUs != nil {
		event.CPUs = s.CPUs
	}
	event.Precise, event.MaxPrecise = s.Precise, false
	if s.UserOnly {
		event.ExcludeKernel, event.ExcludeHV = true, true
	}
	if s.AuxSpec != "" {
		leader, err := fs.Parse(s.AuxSpec)
		if err != nil {
			return err
		}
		event.Leader = &leader
	}
	if err := sampleable(event.Event); err != nil {
		return err
	}
	switch {
	case parsed.Period > 0 || parsed.Frequency > 0: // period=, freq= of the event itself
		event.Period, event.Frequency = parsed.Period, parsed.Frequency
	case rate.periodSet:
		event.Period = rate.period
	case !s.Kind.Sampled() && !rate.frequencySet:
		event.Period = 1
	default:
		event.Frequency = rate.frequency
	}
	m.session = append(m.session, event)
	m.collect = append(m.collect, collect.Event{Name: parsed.Name, Memory: s.Kind.Sampled(), Address: !s.Kind.Sampled()})
	if len(s.Refused) > 0 {
		m.remarks = append(m.remarks, fmt.Sprintf("%s is recorded without %s", s.Spec, refusals(s.Refused)))
	}
	return nil
}

// refusals says what was refused, and why.
func refusals(list []pebs.Refusal) string {
	var texts []string
	for _, r := range list {
		texts = append(texts, fmt.Sprintf("%s (%s)", r.What, r.Why))
	}
	return strings.Join(texts, ", ")
}

// whyNotSampled is a reason with what the operator can do about it.
func whyNotSampled(r pebs.Reason) string {
	text := r.Error()
	if hint := advice(r); hint != "" {
		text += ": " + hint
	}
	return text
}
