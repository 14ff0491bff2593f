package stat

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/counting"
)

// Result is what counting found out, in the stable form of `energyprof stat
// --json`: docs/stat.md has the meaning of every field, docs/stat.schema.json
// its type. Of an interval (-I) it is what happened since the one before.
//
// What was not counted is null, never 0.
type Result struct {
	Version  int       `json:"version"` // 1
	Command  *Command  `json:"command,omitempty"`
	PIDs     []int     `json:"pids,omitempty"`
	CPUs     string    `json:"cpus,omitempty"` // kernel's list form, of whole CPUs
	Repeats  int       `json:"repeats"`
	Interval *Interval `json:"interval,omitempty"`

	Seconds       Quantity  `json:"seconds"`
	UserSeconds   *Quantity `json:"user_seconds,omitempty"`
	SystemSeconds *Quantity `json:"system_seconds,omitempty"`

	Counts  []Count  `json:"counts"`
	Source  *Source  `json:"source,omitempty"`
	Energy  *Energy  `json:"energy,omitempty"`
	Model   *Energy  `json:"energy_model,omitempty"` // an estimate has no place in energy
	Metrics []Metric `json:"metrics"`
	Notes   []string `json:"notes"`
}

// Command is the command that was counted. After several repeats the exit
// is that of the first one that failed, if any did.
type Command struct {
	Args     []string `json:"args"`
	ExitCode *int     `json:"exit_code,omitempty"`
	Signal   string   `json:"signal,omitempty"`
	Failed   int      `json:"failed,omitempty"` // repeats that did not exit with 0
}

// Interval is where an interval lies: seconds since counting began.
type Interval struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Count is an event, of everything or of one place.
type Count struct {
	Event   string   `json:"event"`
	Where   string   `json:"where,omitempty"`
	PMUs    []string `json:"pmus,omitempty"`
	Unit    string   `json:"unit"`
	State   string   `json:"state"`
	Reason  string   `json:"reason,omitempty"`
	Holders []string `json:"holders,omitempty"`
	Quantity
	UserOnly       bool     `json:"user_only,omitempty"` // this user may not count in the kernel
	Share          *float64 `json:"share,omitempty"`
	PerSecond      *float64 `json:"per_second,omitempty"`
	PerCPUSecond   *float64 `json:"per_cpu_second,omitempty"`
	JoulesPerCount *float64 `json:"joules_per_count,omitempty"`

	clock bool  // nanoseconds of CPU time
	err   error // behind Reason
}

// Source says where the joules come from.
type Source struct {
	Name     string `json:"name"`
	Measured bool   `json:"measured"`
}

// Energy is what the whole machine used meanwhile, whoever used it.
type Energy struct {
	Domains []Domain `json:"domains"`
	// Of the domains that do not overlap.
	Joules               Quantity  `json:"joules"`
	Watts                Quantity  `json:"watts"`
	EnergyDelay          *Quantity `json:"energy_delay,omitempty"` // of a whole run
	JoulesPerInstruction *Quantity `json:"joules_per_instruction,omitempty"`
}

type Domain struct {
	Name     string   `json:"name"`
	Package  int      `json:"package"`
	CPUs     string   `json:"cpus,omitempty"`
	InEnergy bool     `json:"in_energy"`
	Joules   Quantity `json:"joules"`
	Watts    Quantity `json:"watts"`
	Reason   string   `json:"reason,omitempty"` // why there are no joules

	label string // for people: "package 0"
}

// Metric is a value that a formula makes of counts, joules and time.
type Metric struct {
	Name    string `json:"name"`
	Where   string `json:"where,omitempty"`
	Unit    string `json:"unit"`
	Formula string `json:"formula"`
	Source  string `json:"source,omitempty"`
	Doubt   string `json:"doubt,omitempty"`
	Quantity
}

// Quantity is one number, the mean of several repeats; null if it is not known.
type Quantity struct {
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
func newQuantity(values []float64) Quantity {
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
		return Quantity{}
	}
	s := counting.Summarize(known)
	q := Quantity{Value: &s.Mean}
	if len(known) > 1 {
		q.SD, q.Low, q.High = &s.SD, &s.Low, &s.High
	}
	if len(values) > 1 {
		q.Values = all
	}
	return q
}

// ok tells whether the number is known.
func (q Quantity) ok() bool { return q.Value != nil }

// plusMinus is half the width of the confidence interval as a share of the mean.
func (q Quantity) plusMinus() (float64, bool) {
	if q.Low == nil || *q.Value == 0 {
		return 0, false
	}
	return (*q.High - *q.Low) / 2 / math.Abs(*q.Value), true
}

// energy is what there is of it, measured or estimated; nil without a source.
func (r *Result) energy() *Energy {
	if r.Model != nil {
		return r.Model
	}
	return r.Energy
}

// stateName is how a state is written, in all formats.
func stateName(s counting.State) string {
	switch s {
	case counting.Counted:
		return "counted"
	case counting.NotSupported:
		return "not supported"
	case counting.Busy:
		return "busy"
	case counting.NotPermitted:
		return "not permitted"
	}
	return "not counted"
}

// exits says how the commands of the repeats ended.
func (c *Command) exits(runs []counting.Run) {
	var first *counting.Run
	for i := range runs {
		exit := runs[i].Exit
		if exit == nil {
			return
		}
		if exit.Signal != 0 || exit.Code != 0 {
			c.Failed++
		}
		if first == nil || first.Exit.Signal == 0 && first.Exit.Code == 0 {
			first = &runs[i]
		}
	}
	switch {
	case first == nil:
	case first.Exit.Signal != 0:
		c.Signal = unix.SignalName(first.Exit.Signal)
	default:
		c.ExitCode = &first.Exit.Code
	}
}

// WriteJSON writes the result as one object: indented if it is the only one,
// else in a line of its own.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	if r.Interval == nil {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
