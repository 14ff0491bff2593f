// Package runs keeps the runs of a benchmark in a directory: a pprof profile and a summary of each run, and a manifest
// that says of what, where and how they were recorded. A directory is readable after every run, so that a bench that is
// cut off leaves what it has. What is read back, from a directory, from files or from one profile, is what package
// report/gate compares; runs that cannot be compared are refused with the name of the file that is the reason.
package runs

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Version is that of the manifests that this package writes, and the last one that it reads.
const Version = 1

// ManifestName is the manifest's file in a directory of runs.
const ManifestName = "manifest.json"

// The directories of the two commands that were run in turn.
const (
	SideA = "a"
	SideB = "b"
)

// Manifest says of what, where and how runs were recorded. Fields that are unknown are absent. Later versions of
// energyprof add fields; a change of meaning changes Version.
type Manifest struct {
	Version int    `json:"version"`
	Tool    string `json:"energyprof"` // the version of energyprof
	Go      string `json:"go"`         // the version of Go that built it

	Machine     Machine     `json:"machine"`
	Source      Source      `json:"source"`
	Attribution Attribution `json:"attribution"`
	Events      string      `json:"events"` // what was sampled, and how often: "cpu-clock at 997 Hz"

	Command []string `json:"command"`
	// Pair is there when two commands were run in turn.
	Pair *Pair `json:"pair,omitempty"`

	// IgnoreFailures says that runs in which the command failed are runs like others.
	IgnoreFailures bool `json:"ignore_failures,omitempty"`

	Warmup  int   `json:"warmup"`  // runs before these, of which nothing is kept
	Planned int   `json:"planned"` // runs that were asked for; there are fewer while the bench is under way, and if it was cut off
	Runs    []Run `json:"runs"`
}

// Machine is what has to be equal for joules and seconds to be comparable.
type Machine struct {
	CPU            string `json:"cpu,omitempty"`  // the model, in the words of /proc/cpuinfo
	CPUs           int    `json:"cpus,omitempty"` // online
	Kernel         string `json:"kernel,omitempty"`
	Architecture   string `json:"architecture,omitempty"`   // of Go: amd64, arm64
	Governor       string `json:"governor,omitempty"`       // of cpufreq; several with commas
	Virtualization string `json:"virtualization,omitempty"` // "kvm", "hypervisor" where its kind is not known; "" without, or unknown
}

// Source is where joules come from; the name is "none" without any.
type Source struct {
	Name     string   `json:"name"`
	Measured bool     `json:"measured"`
	Domains  []string `json:"domains,omitempty"` // that are part of the joules
}

// Attribution is how joules were asked to be shared out among functions. How it was done in each run is in its summary.
type Attribution struct {
	Method   string `json:"method"`   // auto, regression, proportional, share
	Baseline string `json:"baseline"` // auto, watts, or measure
	Weight   string `json:"weight,omitempty"`
	// MeasuredWatts are what was measured for all runs, by domain, with the baseline measure.
	MeasuredWatts []float64 `json:"measured_watts,omitempty"`
}

// Pair says which of two commands that were run in turn these runs are of. In each pair of runs the two are in random
// order, drawn from a PCG generator with the seed (math/rand/v2) and 0 as its second word, one number for each pair, those of
// the warm-up included.
type Pair struct {
	Side  string   `json:"side"` // SideA or SideB
	Other []string `json:"other_command"`
	Seed  uint64   `json:"seed"`
}

// Run is one run. It ended by exit code or by signal ("SIGTERM"); neither, if it was not seen to end.
type Run struct {
	Profile  string    `json:"profile"` // names of files in the directory
	Summary  string    `json:"summary"`
	Start    time.Time `json:"start"`
	Elapsed  float64   `json:"elapsed_seconds"` // wall time of the recording, from the start of the command to its end
	ExitCode *int      `json:"exit_code,omitempty"`
	Signal   string    `json:"signal,omitempty"`
	First    *bool     `json:"first,omitempty"` // of its pair; absent without pairs
}

// Failed tells whether the command failed in this run.
func (r *Run) Failed() bool { return r.Signal != "" || r.ExitCode != nil && *r.ExitCode != 0 }

// CommandLine is the command for people, in one line.
func (m *Manifest) CommandLine() string { return strings.Join(m.Command, " ") }

// equal tells whether two domains lists name the same domains.
func equal(a, b []string) bool {
	return slices.Equal(slices.SortedFunc(slices.Values(a), cmp.Compare[string]), slices.SortedFunc(slices.Values(b), cmp.Compare[string]))
}
