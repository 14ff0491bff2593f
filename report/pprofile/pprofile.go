// Package pprofile assembles a pprof profile from stacks that have samples, CPU
// time and joules. Its room is what pprof expects: sample types and units,
// integers that add up, mappings that tell the truth about what they carry, and
// bytes that are equal for equal input.
//
// # Sample types
//
// samples/count, cpu/nanoseconds where a clock was sampled, and one <event>/count
// for each further event and for each event that was counted and shared out. An
// event can have another unit, as latency/cycles has.
// Then, for a measurement, energy_<domain>/microjoules for each domain, over all
// packages, and last and default energy/microjoules, the sum of the domains that
// do not overlap. For an estimate the last and default one is
// energy_model/microjoules and there is no other energy, so that pprof refuses
// to add or compare the two. Without energy the default is cpu, or the first event. A measurement
// none of whose domains can be summed (psys alone) has no energy type; its last
// energy_<domain> is the default.
//
// pprof knows no joules: its -unit option puts another name on the same number.
//
// # Adding up
//
// The total of each column (a domain of a package) is rounded to microjoules,
// and the stacks to integers that add up to it, by largest remainder; all other
// energy is a sum of those integers. Counts are shared out in the same way, to whole counts.
//
// Energy that belongs to no stack has samples of its own, of one synthetic frame
// without address or mapping: see the constants.
package pprofile

import (
	"cmp"
	"time"
)

// The types of energy samples; their unit is EnergyUnit.
const (
	EnergyType      = "energy"       // measured
	EnergyModelType = "energy_model" // estimated
	DomainPrefix    = "energy_"      // + domain, measured
	EnergyUnit      = "microjoules"
)

// The types of samples of memory accesses, by all events that sample any.
const (
	Loads       = "loads"
	Stores      = "stores"
	Latency     = "latency" // the cycles that each access took, times the accesses that the sample stands for
	LatencyUnit = "cycles"
)

// Mapping is a stretch of address space that shows a file. BuildID is in hex,
// "" if there is none.
type Mapping struct {
	Start, Limit, Offset uint64
	File, BuildID        string
}

// Frame is one function at a location; several when calls were inlined.
// Function is the name for people, SystemName the linker's; Line and StartLine
// are 0 if not known.
type Frame struct {
	Function, SystemName, File string
	Line, StartLine            int64
}

// Location is a place in code. Address lies in the mapping, limit included, and
// for a caller is the return address - 1. Locations of equal content are one.
type Location struct {
	Address uint64
	Mapping *Mapping // nil if none is known
	Lines   []Frame  // innermost first; empty if not symbolised
}

// Stack is one call stack of one thread with what was counted there.
type Stack struct {
	Locations       []*Location // leaf first
	Process, Thread string
	PID, TID        int
	Samples         int64
	Nanoseconds     int64     // CPU time
	Access          *Access   // what the memory accesses of the stack have in common; nil of all else
	Events          []int64   // amounts of Profile.Events
	Joules          []float64 // by column; may be nil if there is none
	Counts          []float64 // by Profile.Counters; may be nil if there is none
}

// Access says of the memory accesses of a stack where the data was and how they got there, in perf's words. Stacks that
// differ in nothing else are apart. A field that is "" has no label.
type Access struct {
	Op         string // label op: "LOAD", "STORE"
	DataSource string // label data_src: "L3 or L3 hit"
	Snoop      string // label snoop
	TLB        string // label tlb
	Locked     string // label locked
	Address    uint64 // virtual, of the data; numeric label address, with HasAddress
	HasAddress bool
}

// EventType is what is told of sampled events beside the clock; the unit "" is that of counts.
type EventType struct{ Name, Unit string }

func (e EventType) unit() string { return cmp.Or(e.Unit, "count") }

// Column is one energy counter: a domain of one package. Joules is what it
// counted and what the stacks and Synthetic add up to. Sum is set for domains
// that are part of energy (package, dram), which must not overlap. CPUs is the
// kernel's list form ("0-3,8").
type Column struct {
	Domain    string
	Package   int
	CPUs      string
	Sum       bool
	Joules    float64
	Synthetic Synthetic
}

// Counter is one series of an event that was counted beside the samples: the counts of a package, or
// of the machine. Those of one event are one sample type. Counts is what was counted and what
// the stacks and Synthetic, which holds counts in place of joules, add up to.
type Counter struct {
	Event     string
	Package   int
	CPUs      string // as of a Column
	Counts    float64
	Synthetic Synthetic
}

// Profile is the input of Build.
type Profile struct {
	Stacks   []Stack
	Columns  []Column
	Counters []Counter
	Measured bool        // the columns come from a counter, not from a model
	Events   []EventType // beside the clock
	Default  string      // the sample type that is shown first where there is no energy; "": cpu, or the first event
	NoClock  bool        // no event tells CPU time, so there is no cpu type; the first event stands for the activity
	Main     *Mapping    // of the main binary; nil if there is none (all CPUs)

	LostSamples, LostNanoseconds int64 // shown as [lost]

	Period   time.Duration // CPU time between two samples, nominal; counts of the first event without a clock
	Start    time.Time
	Duration time.Duration
	Comments []string
}
