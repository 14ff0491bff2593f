package uncore

import (
	"math"
	"slices"
)

// Scope is the place that a figure is of.
type Scope int

const (
	PerMachine Scope = iota // everything that was counted
	PerPackage              // one package, all boxes of a kind together
	PerBox                  // one box of one package: a CXL port
	PerCPU                  // one counter: a core
)

// String is the word that `list` shows.
func (s Scope) String() string {
	return [...]string{"machine", "package", "box", "cpu"}[s]
}

// Metric is a figure that follows from counts, time and joules.
type Metric struct {
	Name    string // "cxl_read_bandwidth"
	Unit    string // "B/s"
	Formula string // in the names of events, s (seconds), J (joules)
	Source  string // where formula and facts are from
	Doubt   string // what is not sure about it; "" if nothing is known
	Scope   Scope
	// Events are what has to be counted, as a user would write it.
	Events []string
	// Joules are the domains whose energy is needed: "package", "dram", or
	// "energy", the sum of those that do not overlap.
	Joules []string

	pmu     string    // kind of PMU that must be there; "" for the generic events
	needs   []string  // events or fields of that PMU
	factors []float64 // what one count of each event stands for
	mean    bool      // counters of one place are averaged, not added: they are shares of time
	value   func(in inputs) (float64, bool)
}

// inputs are what a formula sees: counts by event of Metric.Events, times what
// one count stands for, and joules by domain of Metric.Joules.
type inputs struct {
	counts  []float64
	joules  []float64
	seconds float64
	tsc     float64 // ticks of the TSC in a second; 0 if not known
}

// Measured is what one counter has counted.
type Measured struct {
	Event string // the event as it was written, one of Metric.Events
	PMU   string // the box: "uncore_cxlcm_0"; "" for generic events
	CPU   int    // where it was opened; -1 for every CPU
	// Count is the plain count, corrected for multiplexing, and not multiplied by
	// the event's scale.
	Count float64
	// OK tells that it was counted at all. Without it there is no figure of this place.
	OK bool
}

// Joules is the energy of one domain of a package; Package is -1 for the whole
// machine. The domain "energy" is the sum of those that do not overlap.
type Joules struct {
	Domain  string
	Package int
	Joules  float64
}

// Stretch is what was measured between two instants.
type Stretch struct {
	Seconds float64
	// TSC is the rate of the time stamp counter in Hz, in whose ticks C-states are
	// counted; 0 if it is not known. TSCRate has it.
	TSC    float64
	Counts []Measured
	Joules []Joules
	// Package is where a CPU is; nil if all are in package 0.
	Package func(cpu int) int
}

// Value is a figure and its place. What a scope leaves open is -1 and "".
type Value struct {
	Package int
	Box     string
	CPU     int
	Value   float64
}

// Values computes the figure at each place where all it needs was measured, in
// order of package, box and CPU. Where something was not counted there is no
// value: never a 0 that nobody counted, and no sum with a hole in it.
func (m Metric) Values(s Stretch) []Value {
	found := map[Value]*tally{}
	for _, c := range m.own(s.Counts) {
		i := slices.Index(m.Events, c.Event)
		where := m.where(c, s.Package)
		p := found[where]
		if p == nil {
			p = &tally{counts: make([]float64, len(m.Events)), counters: make([]int, len(m.Events))}
			found[where] = p
		}
		p.add(i, c)
	}
	if len(m.Events) == 0 {
		for _, where := range m.everywhere(s.Joules) {
			found[where] = &tally{}
		}
	}
	var values []Value
	for where, p := range found {
		if m.Scope != PerMachine && where.Package < 0 {
			continue // of a CPU that is in no package: whose joules, and a part of which sum?
		}
		in, ok := m.inputs(p, where.Package, s)
		if !ok {
			continue
		}
		v, ok := m.value(in)
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		where.Value = v
		values = append(values, where)
	}
	slices.SortFunc(values, compareValues)
	return values
}

// own are the counters of the figure's events. One event of one PMU on one CPU
// counts once however often it was counted: a user may ask for it by name beside
// the figure that needs its code. What follows a thread (CPU -1) is at no place
// that could be there twice.
func (m Metric) own(counts []Measured) []Measured {
	type place struct {
		event, pmu string
		cpu        int
	}
	var own []Measured
	at := map[place]int{}
	for _, c := range counts {
		if !slices.Contains(m.Events, c.Event) {
			continue
		}
		where := place{c.Event, c.PMU, c.CPU}
		i, again := at[where]
		switch {
		case !again || c.CPU < 0:
			at[where] = len(own)
			own = append(own, c)
		case c.OK && !own[i].OK:
			own[i] = c
		}
	}
	return own
}

// tally collects the counters of one place.
type tally struct {
	counts   []float64
	counters []int
	missing  bool
}

func (p *tally) add(event int, c Measured) {
	p.counts[event] += c.Count
	p.counters[event]++
	p.missing = p.missing || !c.OK
}

// where is the place that a counter belongs to.
func (m Metric) where(c Measured, packageOf func(int) int) Value {
	v := Value{Package: -1, CPU: -1}
	if m.Scope == PerMachine {
		return v
	}
	v.Package = 0
	if packageOf != nil {
		v.Package = packageOf(c.CPU)
	}
	switch m.Scope {
	case PerBox:
		v.Box = c.PMU
	case PerCPU:
		v.CPU = c.CPU
	}
	return v
}

// everywhere is the places of a figure that needs joules alone.
func (m Metric) everywhere(joules []Joules) []Value {
	if m.Scope == PerMachine {
		return []Value{{Package: -1, CPU: -1}}
	}
	var places []Value
	for _, j := range joules {
		where := Value{Package: j.Package, CPU: -1}
		if slices.Contains(m.Joules, j.Domain) && !slices.Contains(places, where) {
			places = append(places, where)
		}
	}
	return places
}

// inputs are ready if every event was counted by every counter of the place and
// every domain was measured.
func (m Metric) inputs(p *tally, pkg int, s Stretch) (inputs, bool) {
	in := inputs{counts: make([]float64, len(m.Events)), joules: make([]float64, len(m.Joules)), seconds: s.Seconds, tsc: s.TSC}
	if p.missing || !(s.Seconds > 0) {
		return in, false
	}
	for i := range m.Events {
		if p.counters[i] == 0 {
			return in, false
		}
		in.counts[i] = p.counts[i] * m.factors[i]
		if m.mean {
			in.counts[i] /= float64(p.counters[i])
		}
	}
	for i, domain := range m.Joules {
		measured := false
		for _, j := range s.Joules {
			if j.Domain == domain && (pkg < 0 || j.Package == pkg) {
				in.joules[i] += j.Joules
				measured = true
			}
		}
		if !measured {
			return in, false
		}
	}
	return in, true
}

func compareValues(a, b Value) int {
	if a.Package != b.Package {
		return a.Package - b.Package
	}
	if a.Box != b.Box {
		// uncore_imc_2 before uncore_imc_10
		if len(a.Box) != len(b.Box) {
			return len(a.Box) - len(b.Box)
		}
		if a.Box < b.Box {
			return -1
		}
		return 1
	}
	return a.CPU - b.CPU
}
