package runs

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/energyprof/energyprof/report/gate"
	"github.com/energyprof/energyprof/report/pprofile"
)

var exact = cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)}

// What a run took is its functions' own, by name and library, and its total without other processes.
func TestGate(t *testing.T) {
	dir := directory(t, manifest(), recording(), recording())
	s := read(t, dir)
	nan := math.NaN()
	want := gate.Run{
		Elapsed: 1, Total: gate.Amount{Seconds: 0.71, Joules: 6.75, Cycles: nan}, // functions, [lost] and [package active]
		Functions: map[gate.Key]gate.Amount{
			{Name: "inlined", Library: "app"}:         {Seconds: 0.3, Joules: 2, Cycles: nan},
			{Name: "outer", Library: "app"}:           {Seconds: 0.2, Joules: 1, Cycles: nan},
			{Name: "work", Library: "app"}:            {Seconds: 0.14, Joules: 2, Cycles: nan},
			{Name: "[unknown]", Library: "libc.so.6"}: {Seconds: 0.03, Joules: 0.25, Cycles: nan},
			{Name: "copy_page", Library: "[kernel]"}:  {Seconds: 0.02, Joules: 0.25, Cycles: nan},
			{Name: "compiled", Library: "[jit]"}:      {Seconds: 0.01, Joules: 0.5, Cycles: nan},
		},
	}
	got := s.Gate(Program)
	if diff := cmp.Diff([]gate.Run{want, want}, got, exact); diff != "" {
		t.Errorf("runs of the program (-want +got):\n%s", diff)
	}
	want.Total.Joules = 8 // all but [other processes]
	if diff := cmp.Diff([]gate.Run{want, want}, s.Gate(WithBaseline), exact); diff != "" {
		t.Errorf("runs with static power (-want +got):\n%s", diff)
	}
	if s.Energy != pprofile.EnergyType || s.Estimated() || s.Source != "perf-power" || !s.Libraries || s.Len() != 2 || len(s.Notes) != 0 {
		t.Errorf("%+v: want measured joules of perf-power, two runs and no notes", s)
	}
}

// A summary tells the same as the profile, without libraries.
func TestSummary(t *testing.T) {
	dir := directory(t, manifest(), recording())
	profile, summary := read(t, dir), read(t, filepath.Join(dir, "run-001.json"))
	m := Match(profile, summary, WithBaseline)
	if diff := cmp.Diff(m.Old, m.New, exact); diff != "" {
		t.Errorf("from the profile (-) and the summary (+):\n%s", diff)
	}
	if len(m.Notes) != 1 || summary.Libraries {
		t.Errorf("notes %q, want one on the libraries that a summary does not tell", m.Notes)
	}
	if got := Match(summary, summary, Program); len(got.Notes) != 0 || got.Old[0].Total.Joules != 6.75 {
		t.Errorf("two summaries: %+v, want 6.75 J and no notes", got)
	}
}

// Cycles are known where they were sampled.
func TestCycles(t *testing.T) {
	r := recording()
	r.Data.Events = []pprofile.EventType{{Name: "cycles:u"}, {Name: "page-faults"}}
	for i := range r.Data.Stacks {
		r.Data.Stacks[i].Events = []int64{1000, 1}
	}
	got := read(t, directory(t, manifest(), r)).Gate(Program)[0]
	if got.Total.Cycles != 7000 || got.Functions[gate.Key{Name: "work", Library: "app"}].Cycles != 2000 {
		t.Errorf("%+v: want 7000 cycles, 2000 of work", got)
	}
}

// Joules that nobody measured are not known, rather than 0.
func TestWithoutEnergy(t *testing.T) {
	r := recording()
	r.Data.Columns, r.Source = nil, ""
	for i := range r.Data.Stacks {
		r.Data.Stacks[i].Joules = nil
	}
	dir := directory(t, manifest(), r)
	for _, path := range []string{dir, filepath.Join(dir, "run-001.json"), filepath.Join(dir, "run-001.pb.gz")} {
		s := read(t, path)
		run := s.Gate(WithBaseline)[0]
		if s.Energy != "" || !math.IsNaN(run.Total.Joules) || math.Abs(run.Total.Seconds-0.71) > 1e-9 {
			t.Errorf("%s: energy %q, %+v: want 0.71 s and no joules", path, s.Energy, run.Total)
		}
	}
}

// A run without samples took something, and nobody knows what.
func TestWithoutSamples(t *testing.T) {
	r := recording()
	r.Data.Stacks, r.Data.LostSamples, r.Data.LostNanoseconds = nil, 0, 0
	r.Data.Columns[0].Synthetic = pprofile.Synthetic{Baseline: 8, Other: 2}
	s := read(t, directory(t, manifest(), recording(), r))
	nan := math.NaN()
	if diff := cmp.Diff(gate.Amount{Seconds: nan, Joules: nan, Cycles: nan}, s.Gate(Program)[1].Total, exact); diff != "" {
		t.Errorf("the program (-want +got):\n%s", diff)
	}
	if Match(s, s, Program).Energy || !Match(s, s, WithBaseline).Energy {
		t.Error("joules: want those with static power known of all runs, and the program's not")
	}
	if got := s.Gate(WithBaseline)[1].Total.Joules; got != 8 {
		t.Errorf("with static power: %v J, want 8", got)
	}
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "1 of 2 runs have no sample") {
		t.Errorf("notes %q, want one on the run without samples", s.Notes)
	}
}
