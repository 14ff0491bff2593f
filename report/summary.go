package report

import (
	"cmp"
	"io"
	"math"
	"slices"

	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/pprof/profile"
)

// none is the name of the source and the method when there is no energy.
const none = "none"

// Summary is a recording for scripts: version 1 of a format whose fields keep
// their names, units and order. Later versions add fields; a change of meaning
// changes Version. Fields that hold joules or watts are absent, not 0, when
// there is no energy source.
//
// The joules of all Functions, which are own and not cumulative ones, and the
// joules of the six fields below them (seven with PrefetchWriteBackJoules) add up to those of the domains that are
// InEnergy.
type Summary struct {
	Version     int         `json:"version"` // 1
	Source      Source      `json:"source"`
	Attribution Attribution `json:"attribution"`       // method "none" without energy
	Command     *Command    `json:"command,omitempty"` // absent when no command was run
	Error       string      `json:"error,omitempty"`   // why the recording is not what was asked for

	// Event is what Count is of, absent when a clock was sampled: then there is CPU time.
	Event string `json:"event,omitempty"`

	Seconds    float64 `json:"seconds"` // how long was recorded
	Samples    int64   `json:"samples"`
	Lost       int64   `json:"lost"`        // samples the kernel had no room for
	Throttled  int64   `json:"throttled"`   // times the kernel throttled an event
	BadRecords int64   `json:"bad_records"` // records that could not be decoded
	// LostSeconds is CPU time of no function: of lost samples, and what the clock
	// did not sample while it was throttled.
	LostSeconds float64 `json:"lost_seconds"`
	// Stacks says how many stacks are whole, absent if no callers were recorded.
	Stacks *Stacks `json:"stacks,omitempty"`

	BaselineJoules     *float64 `json:"baseline_joules,omitempty"`     // static power
	ActiveJoules       *float64 `json:"active_joules,omitempty"`       // what any running CPU costs
	OtherJoules        *float64 `json:"other_joules,omitempty"`        // processes that were not sampled
	LostJoules         *float64 `json:"lost_joules,omitempty"`         // lost samples
	UnattributedJoules *float64 `json:"unattributed_joules,omitempty"` // what nothing explains
	IdleJoules         *float64 `json:"idle_joules,omitempty"`         // CPU time nobody used, method share only
	// PrefetchWriteBackJoules are of what memory controllers counted beyond the sampled loads, absent where they did not.
	PrefetchWriteBackJoules *float64 `json:"prefetch_write_back_joules,omitempty"`

	// Functions are all functions that occur in a stack, by joules, then
	// cpu_seconds, both falling, then name and process.
	Functions []Function `json:"functions"`
	// Processes and Threads are those that were sampled, in the same order. They add
	// up to what Functions do.
	Processes []Process `json:"processes"`
	Threads   []Thread  `json:"threads"`
	// Counters are the events that were counted beside the samples, absent without any.
	Counters []CounterSummary `json:"counters,omitempty"`
	Notes    []string         `json:"notes,omitempty"` // what a reader must know
}

// Source is the energy source: "none" with no domains if there is none.
// Measured is false for an estimate by a model.
type Source struct {
	Name     string   `json:"name"`
	Measured bool     `json:"measured"`
	Domains  []Domain `json:"domains"`
}

func (s Source) String() string {
	if s.Measured {
		return s.Name + ", measured"
	}
	return s.Name + ", " + estimated
}

// Domain is one energy counter: a domain of one package, and the CPUs that it
// covers in the kernel's list form. InEnergy says whether it is part of the
// sum: domains that lie in or around another are not.
type Domain struct {
	Name     string  `json:"name"`
	Package  int     `json:"package"`
	CPUs     string  `json:"cpus"`
	Joules   float64 `json:"joules"`
	InEnergy bool    `json:"in_energy"`
}

// Function is a function of a process. Joules and CPUSeconds are its own, as
// the leaf of the stack; JoulesCumulative includes what it called, once per
// stack even in recursion. JoulesLow and JoulesHigh are the 95 % interval of
// Joules over all domains, and functions of one Group share one power because
// the data cannot tell them apart; both are absent when the method gives none.
// Watts is Joules / CPUSeconds, absent without CPU time. Count is there when no
// clock was sampled, of the event that stands for activity.
type Function struct {
	Name             string   `json:"name"`
	Process          string   `json:"process"`
	CPUSeconds       float64  `json:"cpu_seconds"`
	Count            *int64   `json:"count,omitempty"`
	Joules           *float64 `json:"joules,omitempty"`
	JoulesLow        *float64 `json:"joules_low,omitempty"`
	JoulesHigh       *float64 `json:"joules_high,omitempty"`
	Group            string   `json:"group,omitempty"`
	Watts            *float64 `json:"watts,omitempty"`
	JoulesCumulative *float64 `json:"joules_cumulative,omitempty"`
}

// Process is a process, under each name that it had: those of the programs it
// executed. Joules and Watts are absent like those of a Function.
type Process struct {
	PID        int64    `json:"pid"`
	Name       string   `json:"name"`
	CPUSeconds float64  `json:"cpu_seconds"`
	Count      *int64   `json:"count,omitempty"`
	Joules     *float64 `json:"joules,omitempty"`
	Watts      *float64 `json:"watts,omitempty"`
}

// Thread is a thread, under each name that it had.
type Thread struct {
	PID        int64    `json:"pid"`
	TID        int64    `json:"tid"`
	Name       string   `json:"name"`
	Process    string   `json:"process"`
	CPUSeconds float64  `json:"cpu_seconds"`
	Count      *int64   `json:"count,omitempty"`
	Joules     *float64 `json:"joules,omitempty"`
	Watts      *float64 `json:"watts,omitempty"`
}

// Summary sums the recording up. When Profile fails the summary has that as its
// Error and no functions.
func (r *Recording) Summary() Summary {
	s := Summary{
		Version: 1, Source: r.source(), Attribution: Attribution{Method: none}, Command: r.Command, Error: r.Error,
		Seconds: r.Data.Duration.Seconds(), Samples: r.samples(), Lost: r.Data.LostSamples,
		Throttled: r.Throttled, BadRecords: r.BadRecords, LostSeconds: float64(r.Data.LostNanoseconds) / 1e9,
		Stacks:    r.Stacks,
		Functions: []Function{}, Processes: []Process{}, Threads: []Thread{}, Notes: r.Notes,
	}
	for _, c := range r.Data.Columns {
		s.Attribution = r.Attribution
		s.Source.Domains = append(s.Source.Domains,
			Domain{c.Domain, c.Package, c.CPUs, math.Round(c.Joules*1e6) / 1e6, c.Sum})
	}
	if err := r.build(); err != nil {
		s.Error = cmp.Or(s.Error, err.Error())
		return s
	}
	v := valuesOf(r.built)
	if v.count >= 0 {
		s.Event = r.built.SampleType[v.count].Type
	}
	if v.energy >= 0 {
		s.addSynthetic(r.built, v.energy)
	}
	for _, f := range r.summed {
		if f.synthetic {
			continue
		}
		out := Function{Name: f.name, Process: f.process, CPUSeconds: float64(f.ns) / 1e9, Count: f.counted(v)}
		if out.Joules, out.Watts = f.energy(v); v.energy >= 0 {
			cum := float64(f.ujCum) / 1e6
			out.JoulesCumulative = &cum
			if in, ok := r.intervalOf[rowID{f.name, f.process}]; ok {
				low, high := in.ends(f.uj)
				out.JoulesLow, out.JoulesHigh, out.Group = &low, &high, in.group
			}
		}
		s.Functions = append(s.Functions, out)
	}
	s.addTasks(r.built, v)
	s.Counters = r.counterSummaries()
	return s
}

// addTasks fills in the processes and threads.
func (s *Summary) addTasks(p *profile.Profile, v values) {
	sampled := func(threads bool) []*function {
		all := slices.DeleteFunc(tasks(p, v, threads), func(f *function) bool { return f.synthetic })
		slices.SortFunc(all, byEnergy)
		return all
	}
	for _, f := range sampled(false) {
		out := Process{PID: f.pid, Name: f.name, CPUSeconds: float64(f.ns) / 1e9, Count: f.counted(v)}
		out.Joules, out.Watts = f.energy(v)
		s.Processes = append(s.Processes, out)
	}
	for _, f := range sampled(true) {
		out := Thread{PID: f.pid, TID: f.tid, Name: f.name, Process: f.process, CPUSeconds: float64(f.ns) / 1e9, Count: f.counted(v)}
		out.Joules, out.Watts = f.energy(v)
		s.Threads = append(s.Threads, out)
	}
}

// counted is the count, nil where there is CPU time.
func (f *function) counted(v values) *int64 {
	if v.count < 0 {
		return nil
	}
	return &f.count
}

// energy is joules, and watts where there is CPU time; nil without a source.
func (f *function) energy(v values) (joules, watts *float64) {
	if v.energy < 0 {
		return nil, nil
	}
	j := float64(f.uj) / 1e6
	if f.ns > 0 {
		w := j / (float64(f.ns) / 1e9)
		watts = &w
	}
	return &j, watts
}

// valuesOf finds the energy and the CPU time of a profile of ours.
func valuesOf(p *profile.Profile) values {
	energy := max(sampleType(p, pprofile.EnergyType, pprofile.EnergyUnit), sampleType(p, pprofile.EnergyModelType, pprofile.EnergyUnit))
	v := values{energy: energy, cpu: sampleType(p, "cpu", "nanoseconds"), count: -1}
	if v.cpu < 0 {
		v.count = countOf(p)
	}
	return v
}

// addSynthetic fills in the energy that belongs to no function.
func (s *Summary) addSynthetic(p *profile.Profile, energy int) {
	fields := map[string]**float64{
		pprofile.Baseline: &s.BaselineJoules, pprofile.Active: &s.ActiveJoules, pprofile.Other: &s.OtherJoules,
		pprofile.Lost: &s.LostJoules, pprofile.Unattributed: &s.UnattributedJoules, pprofile.Idle: &s.IdleJoules,
	}
	for _, field := range fields {
		*field = new(float64)
	}
	for _, sample := range p.Sample {
		switch name, ok := pprofile.IsSynthetic(sample); {
		case name == pprofile.Prefetch && ok:
			joules := float64(sample.Value[energy]) / 1e6
			s.PrefetchWriteBackJoules = &joules
		case ok:
			**fields[name] = float64(sample.Value[energy]) / 1e6
		}
	}
}

// JSON writes the summary, indented and with a newline at the end.
func (s Summary) JSON(w io.Writer) error { return writeJSON(w, s) }
