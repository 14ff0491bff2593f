package runs

import (
	"fmt"
	"math"

	"github.com/energyprof/energyprof/report/gate"
)

// Set is runs of one command that were read back.
type Set struct {
	Name     string    // of the directory, the file, or the first of several files
	Manifest *Manifest // nil of loose files: what they do not tell is unknown
	// Energy is the sample type that joules are of (package report/pprofile): energy, energy_model for an estimate,
	// energy_<domain> where no domain is part of a sum; "" without joules, and then all are 0.
	Energy string
	// Source is the name of the source of energy, "none" without; "" if it is not known.
	Source string
	// Libraries tells whether functions have libraries. Summaries tell names alone, and all libraries are "".
	Libraries bool
	Notes     []string // what a reader of a comparison must know, one sentence each

	runs    []amounts
	numbers []int // of the runs in the manifest, from 0; nil without
}

// Estimated tells whether the joules come from a model.
func (s *Set) Estimated() bool { return s.Energy == modelType }

// Len is the number of runs.
func (s *Set) Len() int { return len(s.runs) }

// File is the file that run i was read from, as it was named.
func (s *Set) File(i int) string { return s.runs[i].file }

// Command is the command that was run, nil where nothing tells it.
func (s *Set) Command() []string {
	if s.Manifest != nil {
		return s.Manifest.Command
	}
	return s.runs[0].command
}

// Total is which joules the total of a run has. CPU time is the same in all of them: that of the functions and of lost
// samples. Joules of [other processes] are in none of them.
type Total int

const (
	// Program is what the program is accountable for: its functions, [lost] samples, [package active] and
	// [prefetch and write-back]. It does not move with the time that a machine does nothing, nor with how much of
	// the static power it is charged for, so it is what a gate should use.
	Program Total = iota
	// WithBaseline is all that the machine spent while the program ran, but for other processes: Program and
	// [baseline], [idle] and [unattributed]. A program that waits longer costs more of it.
	WithBaseline
)

func (t Total) String() string {
	switch t {
	case Program:
		return "the program without static power"
	case WithBaseline:
		return "the program with static power"
	}
	return fmt.Sprintf("Total(%d)", int(t))
}

// Gate is the runs as package gate takes them. The total of a run without any sample is not 0 but not known. The maps of
// functions are not copied.
func (s *Set) Gate(total Total) []gate.Run {
	out := make([]gate.Run, 0, len(s.runs))
	for i := range s.runs {
		r := &s.runs[i]
		run := gate.Run{Elapsed: r.elapsed, Total: r.total, Functions: r.functions}
		if total == WithBaseline {
			run.Total.Joules += r.static
		}
		for _, v := range []*float64{&run.Total.Seconds, &run.Total.Joules, &run.Total.Cycles} {
			if *v == 0 {
				*v = notKnown
			}
		}
		out = append(out, run)
	}
	return out
}

// amounts is one run read back.
type amounts struct {
	file       string
	start      int64   // ns since 1970, when the run began; 0 unknown
	elapsed    float64 // s
	total      gate.Amount
	static     float64 // J of WithBaseline that are not of Program
	functions  map[gate.Key]gate.Amount
	energy     string // as of Set
	source     string
	method     string   // how joules were shared out; "" unknown
	staticFrom string   // where the static power is from, of staticOf; "" unknown
	command    []string // nil if unknown
	libraries  bool
	notes      []string
}

// finite refuses amounts below 0 and beyond all numbers, which are none.
func (a *amounts) finite() error {
	for _, v := range []float64{a.elapsed, a.static, a.total.Seconds, a.total.Joules} {
		if v < 0 || math.IsInf(v, 0) {
			return fmt.Errorf("a run of %v s with %v s of CPU time, %v J and %v J of static power", a.elapsed, a.total.Seconds, a.total.Joules, a.static)
		}
	}
	for key, f := range a.functions {
		if f.Seconds < 0 || f.Joules < 0 {
			return fmt.Errorf("function %v has %v s and %v J", key, f.Seconds, f.Joules)
		}
	}
	return nil
}

// notKnown is an amount that was not measured, as package gate has it.
var notKnown = math.NaN()
