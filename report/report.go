// Package report turns a recording into what people and scripts read: a pprof
// profile, a summary as JSON, the closing text on a terminal, and the table of
// functions of a profile read back.
//
// All of them come from one set of integers, the rounded profile, so they agree
// with each other and with the counters to the microjoule.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/pprof/profile"
)

// Recording is everything that a run found out.
type Recording struct {
	// Data is the stacks, the energy columns and the time. Its Comments follow
	// those that Profile writes from the fields below.
	Data pprofile.Profile

	Tool   string // who recorded: "energyprof 1.2.0"
	Source string // name of the energy source (perf-power, model, ...); not used without columns

	Attribution Attribution // not used without columns
	Fit         *Fit        // what a regression found out about functions; nil without
	Command     *Command    // nil if no command was run
	// Counters are the events of Data.Counters, each once.
	Counters []Counter

	Stacks *Stacks // how many are whole; nil if nobody asked for callers

	Throttled  int64 // times the kernel throttled an event
	BadRecords int64 // records or stretches of ring that could not be decoded

	Notes []string // what a reader must know, one sentence each
	Error string   // why the recording is not what was asked for; "" if it is

	built      *profile.Profile // of Data, without comments
	summed     []*function      // of built, in the order of byEnergy
	intervalOf map[rowID]interval
	counted    []counted // of built, by Counters
}

// Attribution is how energy was shared out. The slices are in the order of the
// columns; they and the errors are absent when the method has no such thing.
type Attribution struct {
	Method attribution.Method `json:"method"`
	// Basis is what it was shared out by, where that is not CPU time: "loads served by memory".
	Basis string `json:"basis,omitempty"`
	// ValidationError is the relative error at which watts fitted on one half of
	// the recording predict the energy of the other half; ShareValidationError is
	// that of sharing by CPU time on the same data.
	ValidationError      *float64  `json:"validation_error,omitempty"`
	ShareValidationError *float64  `json:"share_validation_error,omitempty"`
	BaselineWatts        []float64 `json:"baseline_watts,omitempty"`
	BaselineFitted       []bool    `json:"baseline_fitted,omitempty"` // false: given
	ActiveWatts          []float64 `json:"active_watts,omitempty"`
}

// Command is the command that was run and how it ended: by exit code or by
// signal ("SIGTERM"); neither if it was not seen to end.
type Command struct {
	Args     []string `json:"args"`
	ExitCode *int     `json:"exit_code,omitempty"`
	Signal   string   `json:"signal,omitempty"`
}

// Profile assembles the pprof profile; see package pprofile for what is in it.
// Comments, notes and the command may change between calls of Profile and Summary,
// but not the rest of Data nor Fit, which are worked on once.
func (r *Recording) Profile() (*profile.Profile, error) {
	if err := r.build(); err != nil {
		return nil, err
	}
	b := r.built
	p := &profile.Profile{SampleType: b.SampleType, DefaultSampleType: b.DefaultSampleType, Sample: b.Sample, Mapping: b.Mapping,
		Location: b.Location, Function: b.Function, PeriodType: b.PeriodType, Period: b.Period,
		TimeNanos: b.TimeNanos, DurationNanos: b.DurationNanos}
	for _, c := range slices.Concat(r.comments(), r.Data.Comments, intervalComments(r.summed, r.intervalOf), r.counterComments()) {
		p.Comments = append(p.Comments, validUTF8(c))
	}
	return p, nil
}

// build assembles all of the profile but its comments, and sums it up, once.
func (r *Recording) build() error {
	if r.built != nil {
		return nil
	}
	data := r.Data
	data.Comments = nil
	p, err := pprofile.Build(&data)
	if err != nil {
		return err
	}
	r.built, r.summed, r.intervalOf = p, functions(p, valuesOf(p)), r.intervals()
	slices.SortFunc(r.summed, byEnergy)
	r.counted = r.sumCounters()
	return nil
}

// samples is the number of samples that were recorded.
func (r *Recording) samples() int64 {
	var n int64
	for i := range r.Data.Stacks {
		n += r.Data.Stacks[i].Samples
	}
	return n
}

// source is the name of the energy source and what it is.
func (r *Recording) source() Source {
	if len(r.Data.Columns) == 0 {
		return Source{Name: none, Domains: []Domain{}}
	}
	return Source{Name: r.Source, Measured: r.Data.Measured}
}

// comments are for people who look at the profile; nothing reads them back.
func (r *Recording) comments() []string {
	var c []string
	add := func(format string, args ...any) { c = append(c, fmt.Sprintf(format, args...)) }
	if r.Tool != "" {
		add("recorded by %s", r.Tool)
	}
	if r.Command != nil {
		add("command: %s", commandLine(r.Command.Args))
	}
	if len(r.Data.Columns) == 0 {
		add("energy source: none")
	} else {
		for _, col := range r.Data.Columns {
			add("energy of %s: %s (%v)", domainName(col.Domain, col.Package, col.CPUs, col.Sum), joules(col.Joules), r.source())
		}
		add("energy is in microjoules; the -unit option of pprof changes the name, not the number")
		add("%s", r.Attribution.text())
		if text := r.Attribution.validation(); text != "" {
			add("%s", text)
		}
	}
	for i := range r.Counters {
		for _, text := range r.counterLines(i) {
			add("%s", text)
		}
	}
	add("samples: %d, lost: %d, throttled: %d, bad records: %d", r.samples(), r.Data.LostSamples, r.Throttled, r.BadRecords)
	if r.Stacks != nil {
		add("%s", r.Stacks.text())
	}
	for _, note := range r.Notes {
		add("note: %s", note)
	}
	if r.Error != "" {
		add("error: %s", r.Error)
	}
	return c
}

// domainName is "dram of package 0 (CPUs 0-3)", and says when the domain is not
// part of the sum.
func domainName(domain string, pkg int, cpus string, sum bool) string {
	s := fmt.Sprintf("%s of package %d", domain, pkg)
	if domain == "package" {
		s = fmt.Sprintf("package %d", pkg)
	}
	if cpus != "" {
		s += " (CPUs " + cpus + ")"
	}
	if !sum {
		s += ", not in the sum"
	}
	return s
}

// text is one line: "attribution: proportional, baseline 9.9 W".
func (a Attribution) text() string {
	s := "attribution: " + string(a.Method)
	if a.Basis != "" {
		s += " by " + a.Basis
	}
	return s + a.static(watts)
}

// static is what is drawn whatever runs, by column: ", baseline 9.9 W". form prints a power or a rate.
func (a Attribution) static(form func(float64) string) string {
	s := ""
	list := func(what string, values []float64, fitted []bool) {
		if len(values) == 0 {
			return
		}
		var all []string
		for i, w := range values {
			text := form(w)
			if i < len(fitted) && fitted[i] {
				text += " (fitted)"
			}
			all = append(all, text)
		}
		s += ", " + what + " " + strings.Join(all, " + ")
	}
	list("baseline", a.BaselineWatts, a.BaselineFitted)
	list("package active", a.ActiveWatts, nil)
	return s
}

// validation is one line on how well the fit predicts what it has not seen, "" where nothing was fitted.
func (a Attribution) validation() string {
	if a.ValidationError == nil {
		return ""
	}
	s := "validation: one half of the recording predicts the other half within " + percent(*a.ValidationError)
	if a.ShareValidationError != nil {
		s += " (sharing by " + cmp.Or(a.Basis, "CPU time") + ": " + percent(*a.ShareValidationError) + ")"
	}
	return s
}

// commandLine quotes the arguments that a reader could take for something else.
func commandLine(args []string) string {
	var quoted []string
	for _, arg := range args {
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\") || arg != terminal(arg) {
			arg = strconv.Quote(arg)
		}
		quoted = append(quoted, arg)
	}
	return strings.Join(quoted, " ")
}
