package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/report/gate"
)

// planFlags are the flags of bench --plan.
type planFlags struct {
	wanted    bool
	noise     float64 // relative standard deviation of a run
	change    float64 // that is to be found
	limit     float64 // of check
	functions int
}

// planOnly are the flags that mean nothing without --plan.
var planOnly = []string{"noise", "change", "limit", "functions"}

const (
	// planRuns is how many runs noise is measured from: the interval of ten is within a factor of two.
	planRuns      = 10
	planFunctions = 50
)

func (f *planFlags) register(fl *pflag.FlagSet) {
	f.noise, f.change = 0.05, 0.1
	fl.BoolVar(&f.wanted, "plan", false, "say how many runs are needed, and write nothing")
	fl.Var(percent{&f.noise}, "noise", "--plan: standard deviation of a run (with a command: measured)")
	fl.Var(percent{&f.change}, "change", "--plan: the change that is to be found")
	fl.Var(percent{&f.limit}, "limit", "--plan: the limit of check that the change exceeds")
	fl.IntVar(&f.functions, "functions", planFunctions, "--plan: how many functions are compared (with a command: those that it has)")
}

// runPlan says how many runs are needed, from the noise that is given or that a few runs show.
func (f *benchFlags) runPlan(c *cobra.Command, commands [][]string) error {
	p := &f.plan
	measured := len(commands) == 1 && len(commands[0]) > 0
	switch {
	case len(commands) == 2:
		return usagef("--plan measures the noise of one command: --ab has two")
	case f.dir != "" || f.changed("bench"):
		return usagef("--plan writes nothing: without -o and --bench")
	case measured && f.changed("noise"):
		return usagef("--noise is for a plan without a command: that of a command is measured")
	case !measured && (f.changed("runs") || f.changed("warmup")):
		return usagef("-r and --warmup need a command: the plan is what says how many runs are needed")
	case p.functions < 1:
		return usagef("--functions %d: 1 at least", p.functions)
	case p.noise < 0:
		return usagef("--noise %v: it cannot be negative", percent{&p.noise})
	case p.change <= -1 || p.limit <= -1:
		return usagef("--change %v and --limit %v: nothing shrinks by 100 %%", percent{&p.change}, percent{&p.limit})
	case p.change == p.limit:
		return usagef("--change and --limit are both %v: no number of runs tells equal things apart", percent{&p.limit})
	}
	var rows []planned
	var err error
	if measured {
		if rows, err = f.measureNoise(commands[0]); err != nil {
			return err
		}
	} else {
		rows = []planned{{name: "one metric", noise: p.noise, tests: 1}, {name: "one of " + plural(p.functions, "function"), noise: p.noise, tests: p.functions}}
	}
	out := bufio.NewWriter(c.OutOrStdout())
	if measured { // whose standard output it is
		out.Reset(c.ErrOrStderr())
	}
	if err := p.text(out, rows); err != nil {
		return err
	}
	return out.Flush()
}

// planned is one line of a plan: how many runs it takes to find a change in something.
type planned struct {
	name      string
	noise     float64
	low, high float64 // of the noise, 90 %, where it was measured
	tests     int
}

// text prints the plan.
func (f *planFlags) text(w io.Writer, rows []planned) error {
	what := fmt.Sprintf("to find a change of %+.4g %%", 100*f.change)
	if f.limit != 0 {
		what = fmt.Sprintf("to show that a change of %+.4g %% is above a limit of %+.4g %%", 100*f.change, 100*f.limit)
		if f.change < f.limit {
			what = fmt.Sprintf("to show that a change of %+.4g %% is below a limit of %+.4g %%", 100*f.change, 100*f.limit)
		}
	}
	opt := gate.DefaultOptions()
	fmt.Fprintf(w, "Runs of each side %s in %.0f of 100 cases,\nwhere not more than one of %.0f comparisons without a change names anything:\n\n", what, 100*opt.Power, 1/opt.FamilyError)
	width := 0
	for _, row := range rows {
		width = max(width, len(row.name))
	}
	for _, row := range rows {
		noise := fmt.Sprintf("noise %.3g %%", 100*row.noise)
		if row.high > 0 {
			noise += fmt.Sprintf(" (%.3g to %.3g %%)", 100*row.low, 100*row.high)
		}
		need, err := needed(row.noise, f, row.tests)
		if err != nil {
			return err
		}
		if row.high > 0 {
			least, err := needed(row.low, f, row.tests)
			if err != nil {
				return err
			}
			most, err := needed(row.high, f, row.tests)
			if err != nil {
				return err
			}
			need += fmt.Sprintf(" (%s to %s)", least, most)
		}
		fmt.Fprintf(w, "  %-*s  %-26s  %s runs\n", width, row.name, noise, need)
	}
	return nil
}

// needed is a number of runs in words.
func needed(noise float64, p *planFlags, tests int) (string, error) {
	n, err := gate.Plan(noise, p.change, p.limit, tests)
	if n < 0 {
		return fmt.Sprintf("more than %d", gate.MaxRuns), err
	}
	return fmt.Sprint(n), err
}

// measureNoise runs the command a few times and tells the noise of what a gate compares.
func (f *benchFlags) measureNoise(command []string) (rows []planned, err error) {
	dir, err := os.MkdirTemp("", "energyprof-plan-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if f.dir = filepath.Join(dir, "runs"); !f.changed("runs") {
		f.repeats = planRuns
	}
	if f.repeats < gate.MinRuns {
		return nil, usagef("-r %d: noise is measured from %d runs at least", f.repeats, gate.MinRuns)
	}
	b, err := newBenchRun(f, [][]string{command})
	defer b.close()
	if err != nil {
		return nil, err
	}
	if err := b.all(); err != nil {
		return nil, err
	}
	set, err := runs.Read(f.dir)
	if err != nil {
		return nil, fmt.Errorf("reading back what was written: %w", err)
	}
	for _, q := range quantities(set) {
		if q.values == nil {
			continue
		}
		if row, ok := plannedOf(q.name, q.values, 1); ok {
			rows = append(rows, row)
		}
	}
	functions := functionNoise(set, set.Energy != "")
	if tests := f.plan.functions; len(functions) > 0 {
		if !f.changed("functions") {
			tests = len(functions)
		}
		row := planned{name: "one of " + plural(tests, "function"), noise: median(functions), tests: tests}
		if len(functions) > 1 {
			row.low, row.high = slices.Min(functions), slices.Max(functions)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, errors.New("the runs took no time that could be measured: nothing tells their noise")
	}
	return rows, nil
}

// plannedOf is the noise of a quantity with its interval of 90 %: that of the variance of normal values by the
// chi-squared distribution.
func plannedOf(name string, values []float64, tests int) (planned, bool) {
	noise := relativeDeviation(values)
	if math.IsNaN(noise) || math.IsInf(noise, 0) {
		return planned{}, false
	}
	freedom := float64(len(values) - 1)
	chi := distuv.ChiSquared{K: freedom}
	return planned{name: name, noise: noise, tests: tests,
		low: noise * math.Sqrt(freedom/chi.Quantile(0.95)), high: noise * math.Sqrt(freedom/chi.Quantile(0.05))}, true
}

// functionNoise is the noise of each function that is large enough for a gate, in joules or in seconds.
func functionNoise(set *runs.Set, energy bool) []float64 {
	opt := gate.DefaultOptions()
	all := set.Gate(runs.Program)
	values, tested := map[gate.Key][]float64{}, map[gate.Key]float64{} // 1 and more: large enough
	for i, run := range all {
		for key, a := range run.Functions {
			if values[key] == nil {
				values[key] = make([]float64, len(all))
			}
			values[key][i] = a.Seconds
			large := a.Seconds / opt.MinSeconds
			if energy {
				values[key][i] = a.Joules
				large = max(large, a.Joules/opt.MinJoules)
			}
			tested[key] += large / float64(len(all))
		}
	}
	var noise []float64
	for key, of := range values {
		if n := relativeDeviation(of); tested[key] >= 1 && !math.IsNaN(n) {
			noise = append(noise, n)
		}
	}
	slices.Sort(noise)
	return noise
}
