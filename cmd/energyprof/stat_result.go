package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/energyprof/energyprof/internal/counting"
)

// statResult is what stat found out, in the stable form of `energyprof stat
// --json`: docs/stat.md has the meaning of every field, docs/stat.schema.json
// its type. Of an interval (-I) it is what happened since the one before.
//
// What was not counted is null, never 0.
type statResult struct {
	Version  int           `json:"version"` // 1
	Command  *statCommand  `json:"command,omitempty"`
	PIDs     []int         `json:"pids,omitempty"`
	CPUs     string        `json:"cpus,omitempty"` // kernel's list form, of whole CPUs
	Repeats  int           `json:"repeats"`
	Interval *statInterval `json:"interval,omitempty"`

	Seconds       quantity  `json:"seconds"`
	UserSeconds   *quantity `json:"user_seconds,omitempty"`
	SystemSeconds *quantity `json:"system_seconds,omitempty"`

	Counts  []statCount  `json:"counts"`
	Source  *statSource  `json:"source,omitempty"`
	Energy  *statEnergy  `json:"energy,omitempty"`
	Model   *statEnergy  `json:"energy_model,omitempty"` // an estimate has no place in energy
	Metrics []statMetric `json:"metrics"`
	Notes   []string     `json:"notes"`
}

// statCommand is the command that was counted. After several repeats the exit
// is that of the first one that failed, if any did.
type statCommand struct {
	Args     []string `json:"args"`
	ExitCode *int     `json:"exit_code,omitempty"`
	Signal   string   `json:"signal,omitempty"`
	Failed   int      `json:"failed,omitempty"` // repeats that did not exit with 0
}

// statInterval is where an interval lies: seconds since counting began.
type statInterval struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// statCount is an event, of everything or of one place.
type statCount struct {
	Event   string   `json:"event"`
	Where   string   `json:"where,omitempty"`
	PMUs    []string `json:"pmus,omitempty"`
	Unit    string   `json:"unit"`
	State   string   `json:"state"`
	Reason  string   `json:"reason,omitempty"`
	Holders []string `json:"holders,omitempty"`
	quantity
	UserOnly       bool     `json:"user_only,omitempty"` // this user may not count in the kernel
	Share          *float64 `json:"share,omitempty"`
	PerSecond      *float64 `json:"per_second,omitempty"`
	PerCPUSecond   *float64 `json:"per_cpu_second,omitempty"`
	JoulesPerCount *float64 `json:"joules_per_count,omitempty"`

	clock bool  // nanoseconds of CPU time
	err   error // behind Reason
}

// statSource says where the joules come from.
type statSource struct {
	Name     string `json:"name"`
	Measured bool   `json:"measured"`
}

// statEnergy is what the whole machine used meanwhile, whoever used it.
type statEnergy struct {
	Domains []statDomain `json:"domains"`
	// Of the domains that do not overlap.
	Joules               quantity  `json:"joules"`
	Watts                quantity  `json:"watts"`
	EnergyDelay          *quantity `json:"energy_delay,omitempty"` // of a whole run
	JoulesPerInstruction *quantity `json:"joules_per_instruction,omitempty"`
}

type statDomain struct {
	Name     string   `json:"name"`
	Package  int      `json:"package"`
	CPUs     string   `json:"cpus,omitempty"`
	InEnergy bool     `json:"in_energy"`
	Joules   quantity `json:"joules"`
	Watts    quantity `json:"watts"`
	Reason   string   `json:"reason,omitempty"` // why there are no joules

	label string // for people: "package 0"
}

// statMetric is a value that a formula makes of counts, joules and time.
type statMetric struct {
	Name    string `json:"name"`
	Where   string `json:"where,omitempty"`
	Unit    string `json:"unit"`
	Formula string `json:"formula"`
	Source  string `json:"source,omitempty"`
	Doubt   string `json:"doubt,omitempty"`
	quantity
}

// quantity is one number, the mean of several repeats; null if it is not known.
type quantity struct {
	Value *float64 `json:"value"`
	// Of two repeats and more that know it.
	SD     *float64   `json:"sd,omitempty"`
	Low    *float64   `json:"low,omitempty"` // 95 % confidence interval of the mean
	High   *float64   `json:"high,omitempty"`
	Values []*float64 `json:"values,omitempty"` // of each repeat
}

// unknown stands for a value that a repeat does not have.
var unknown = math.NaN()

// newQuantity sums up the values of the repeats, of which those that are
// unknown have no part in the mean.
func newQuantity(values []float64) quantity {
	var known []float64
	var all []*float64
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			all = append(all, nil)
			continue
		}
		known = append(known, v)
		all = append(all, &v)
	}
	if len(known) == 0 {
		return quantity{}
	}
	s := counting.Summarize(known)
	q := quantity{Value: &s.Mean}
	if len(known) > 1 {
		q.SD, q.Low, q.High = &s.SD, &s.Low, &s.High
	}
	if len(values) > 1 {
		q.Values = all
	}
	return q
}

// ok tells whether the number is known.
func (q quantity) ok() bool { return q.Value != nil }

// plusMinus is half the width of the confidence interval as a share of the mean.
func (q quantity) plusMinus() (float64, bool) {
	if q.Low == nil || *q.Value == 0 {
		return 0, false
	}
	return (*q.High - *q.Low) / 2 / math.Abs(*q.Value), true
}

// energy is what there is of it, measured or estimated; nil without a source.
func (r *statResult) energy() *statEnergy {
	if r.Model != nil {
		return r.Model
	}
	return r.Energy
}

// writeJSON writes the result as one object: indented if it is the only one,
// else in a line of its own.
func (r *statResult) writeJSON(w io.Writer) error {
	if r.Interval == nil {
		return writeJSON(w, r)
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
