package collect

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// Finish gives names to all locations and returns what was recorded. The caller adds what it
// alone knows: tool, command, times, period, throttled and bad records. The Collector must
// not be used afterwards, but for Books.
func (c *Collector) Finish() *report.Recording {
	r := &report.Recording{Source: c.opt.Energy.Name, Notes: slices.Clone(c.opt.Energy.Notes)}
	locations := c.symbolise()
	p := &r.Data
	p.Measured = c.opt.Energy.Measured
	p.Events, p.NoClock, p.Default = c.furtherEvents(), c.clock < 0, c.defaultType()
	c.traffic.finish()
	books := c.Books()
	p.LostSamples, p.LostNanoseconds = int64(books.LostSamples), books.LostNanoseconds
	joules := c.columns(r)
	counts := c.counted(r)
	// Few large pieces of memory in place of several for each stack: there can be 250,000.
	n := len(c.stacks.list)
	frames := make([]*pprofile.Location, 0, len(c.stacks.frames))
	amounts := make([]float64, 0, n*(len(joules)+len(counts)))
	p.Stacks = make([]pprofile.Stack, 0, n)
	for id := range c.stacks.list {
		st := c.stack(id, locations, &frames)
		st.Joules, amounts = ofStack(id, joules, amounts)
		if len(counts) > 0 {
			st.Counts, amounts = ofStack(id, counts, amounts)
		}
		p.Stacks = append(p.Stacks, st)
	}
	c.stacks.release()
	p.Main = c.mainMapping()
	r.Stacks = c.wholeStacks()
	r.Notes = append(r.Notes, c.notes(c.Books())...)
	return r
}

// columns adds the energy to the recording and returns the joules of the stacks, by column.
func (c *Collector) columns(r *report.Recording) [][]float64 {
	if c.energy.joules == nil {
		return nil
	}
	result := c.energy.joules.Finish()
	function := c.function
	if c.opt.Memory.Weigh {
		function = c.functionAndLevel
	}
	r.Attribution, r.Fit = c.method(result, function)
	switch {
	case !c.opt.Memory.Weigh:
		r.Notes = append(r.Notes, result.Notes...)
		r.Notes = append(r.Notes, unpaid(result)...)
	case c.hasMemory(): // else nothing weighed, and nothing was to be told apart
		r.Attribution.Basis = basisOfLoads
		r.Notes = append(r.Notes, result.Notes...)
		r.Notes = append(r.Notes, unpaidLoads(result)...)
	}
	var byKey [][]float64
	for i, s := range result.Series {
		d := c.opt.Energy.Domains[i]
		r.Data.Columns = append(r.Data.Columns, pprofile.Column{Domain: d.Name, Package: d.Package,
			CPUs: pmu.FormatCPUList(s.CPUs), Sum: d.Sum, Joules: s.Joules, Synthetic: synthetic(&s)})
		byKey = append(byKey, s.ByKey)
	}
	return byKey
}

// method says how a quantity was shared out; fit is nil without a regression.
func (c *Collector) method(result *attribution.Result, function func(attribution.Key) (function, pool int32)) (a report.Attribution, fit *report.Fit) {
	a.Method = result.Method
	if v := result.Validation; v != nil {
		a.ValidationError, a.ShareValidationError = &v.Error, &v.ShareError
	}
	if result.Method == attribution.Regression {
		fit = c.fit(result, function)
	}
	fitted := result.Method == attribution.Regression ||
		slices.ContainsFunc(result.Series, func(s attribution.SeriesResult) bool { return s.BaselineFitted })
	for _, s := range result.Series {
		if result.Method != attribution.Share { // which has no baseline; 0 is one
			a.BaselineWatts = append(a.BaselineWatts, s.BaselineWatts)
		}
		if fitted {
			a.BaselineFitted = append(a.BaselineFitted, s.BaselineFitted)
			a.ActiveWatts = append(a.ActiveWatts, s.ActiveWatts)
		}
	}
	return a, fit
}

// synthetic is what of a series belongs to no stack.
func synthetic(s *attribution.SeriesResult) pprofile.Synthetic {
	return pprofile.Synthetic{Baseline: s.Baseline, Active: s.Active, Other: s.Other, Lost: s.Lost,
		Unattributed: s.Unattributed, Idle: s.Idle}
}

// ofStack is what a stack has of each column; it goes to the end of amounts.
func ofStack(id int, byKey [][]float64, amounts []float64) (own, all []float64) {
	from := len(amounts)
	for _, column := range byKey {
		var v float64
		if id < len(column) {
			v = column[id]
		}
		amounts = append(amounts, v)
	}
	return amounts[from:len(amounts):len(amounts)], amounts
}

// unpaid says what CPU time had no energy to be charged with.
func unpaid(result *attribution.Result) []string {
	var notes []string
	if s := result.UncoveredSeconds; s >= 0.001 {
		notes = append(notes, fmt.Sprintf("%.3f s of CPU time are of CPUs that no energy counter covers, and have no joules", s))
	}
	for _, s := range result.Series {
		if s.OutsideSeconds > 0.1 && s.OutsideSeconds > 0.01*s.BusySeconds {
			notes = append(notes, fmt.Sprintf("%.3f s of CPU time are before the first or after the last energy reading of %v, and have no joules of it",
				s.OutsideSeconds, s.Series))
		}
	}
	return notes
}

// fit is what the regression found out about functions, and which one each stack is in.
func (c *Collector) fit(result *attribution.Result, function func(attribution.Key) (function, pool int32)) *report.Fit {
	fit := &report.Fit{}
	for id := range c.stacks.list {
		f, _ := function(attribution.Key(id))
		fit.Function = append(fit.Function, f)
	}
	for _, s := range result.Series {
		fit.Power = append(fit.Power, s.Functions)
	}
	return fit
}

// stack is a stack as the profile has it, without what was shared out; its frames go to the end of frames.
func (c *Collector) stack(id int, locations []*pprofile.Location, frames *[]*pprofile.Location) pprofile.Stack {
	st := &c.stacks.list[id]
	out := pprofile.Stack{Samples: st.samples, Nanoseconds: st.ns}
	if st.labels != none {
		l := c.stacks.labels[st.labels]
		out.Process, out.Thread, out.PID, out.TID = l.process, l.thread, int(int32(l.pid)), int(int32(l.tid))
	}
	if c.extras > 0 {
		out.Events = c.stacks.events[id*c.extras : (id+1)*c.extras]
	}
	if st.access != none {
		out.Access = &c.accesses.list[st.access].Access
	}
	from := len(*frames)
	for _, frame := range c.stacks.framesOf(st) {
		*frames = append(*frames, locations[frame])
	}
	out.Locations = (*frames)[from:len(*frames):len(*frames)]
	return out
}

// mainMapping is the mapping of the program that the recording began with: of the command, or of
// the first process that was attached to. It need not have been sampled.
func (c *Collector) mainMapping() *pprofile.Mapping {
	p := c.table.first
	if p == nil || c.opt.SystemWide {
		return nil
	}
	if c.opt.Past != nil && c.opt.Past.Main != nil {
		return c.opt.Past.Main
	}
	for _, m := range p.space.mappings {
		if m.image != p.main {
			continue
		}
		if m.segment == nil {
			m.segment = c.segment(p, m)
		}
		return m.segment.profile()
	}
	return nil
}

// profile is the segment as the profile has it.
func (s *segment) profile() *pprofile.Mapping {
	m := &pprofile.Mapping{Start: s.start, Limit: s.limit, Offset: s.offset, File: s.image.file, BuildID: s.image.buildID}
	if s.binary != nil {
		m.BuildID = cmp.Or(m.BuildID, s.binary.BuildID)
	}
	return m
}

// notes says what a reader of the profile must know about its making.
func (c *Collector) notes(b Books) []string {
	var notes []string
	note := func(n uint64, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	note(b.Folded, "%d samples came after %d different stacks were known: their stacks are cut to the leaf and %s",
		b.Folded, c.opt.MaxStacks, frameFolded)
	note(b.Truncated, "the stacks of %d samples were cut at %d frames (kernel.perf_event_max_stack): their root is %s", b.Truncated, c.opt.MaxDepth, frameTruncated)
	note(b.DroppedMappings, "%d mappings of processes with more than %d are unknown", b.DroppedMappings, maxMappings)
	if b.Refused > 0 {
		note(b.Refused, "%d values were not taken, the first because: %v", b.Refused, b.Err)
	}
	switch {
	case c.opt.SystemWide && c.clock < 0:
		note(b.Idle, "CPUs had nothing to do in %d samples, which are not in the profile", b.Idle)
	case c.opt.SystemWide:
		note(b.Idle, "CPUs had nothing to do in %d samples, %.3f s, which are not in the profile", b.Idle, float64(b.IdleNanoseconds)/1e9)
	}
	note(b.NoAccess, "%d samples of memory accesses are of no load and no store, and are not in the profile", b.NoAccess)
	return slices.Concat(notes, c.basis(), c.nameless(), c.unwinder.damaged())
}

// foreignKernel says why the kernel's functions have no names when the records are of another time.
func (c *Collector) foreignKernel() []string {
	k := &c.kernel
	if !k.foreign || !slices.ContainsFunc(c.stacks.locations.list, func(l location) bool { return l.segment == k.segment }) {
		return nil
	}
	why := "it has been booted again since, at other addresses"
	switch id := k.segment.image.buildID; {
	case id == "":
		why = "the records do not say which kernel it was"
	case id != c.opt.Kernel.Running:
		why = "it is not the kernel that runs here"
	}
	return []string{"functions of the kernel have no names: " + why}
}

// nameless says which files gave no names.
func (c *Collector) nameless() []string {
	if c.opt.Resolver == nil {
		return nil
	}
	var reasons []string
	unverified := map[string]bool{}
	for _, s := range c.stacks.locations.segments {
		switch {
		case s.binary == nil && s.err != nil:
			reasons = append(reasons, fmt.Sprintf("%s: %v", s.image.file, s.err))
		case s.binary != nil && s.binary.Err() != nil:
			reasons = append(reasons, s.binary.Err().Error())
		}
		if s.binary != nil && s.binary.Unverified {
			unverified[s.binary.Path] = true
		}
	}
	slices.Sort(reasons)
	reasons = slices.Compact(reasons)
	notes := c.foreignKernel()
	if n := len(reasons); n > 0 {
		notes = append(notes, fmt.Sprintf("functions of %d files are without names or incomplete, the first: %s", n, reasons[0]))
	}
	if len(unverified) > 0 {
		notes = append(notes, fmt.Sprintf("%d files were taken for what was mapped on their paths alone", len(unverified)))
	}
	return notes
}
