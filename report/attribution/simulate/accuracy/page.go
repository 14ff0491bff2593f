package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/report/attribution/simulate"
)

const head = `# Accuracy

No machine tells how many joules a function really took, so the methods of ` + "`report/attribution`" + ` are held
against machines that are simulated, where it is known (` + "`report/attribution/simulate`" + `; the truth is integrated
from event to event). The counters and the samples have the errors that real ones have: energy that shows 1 ms
late in units of 61 uJ, read every 10 ms, samples at 997 Hz, unless a scenario says otherwise. Every method gets the
same recordings.

    %s

wrote this page: %d recordings of each scenario. Machine: %s, %d CPUs, %s; but for the cost, the
numbers do not depend on it.

What a simulation cannot tell is whether real processors are like the simulated ones. The scenarios in which the
assumptions of the regression do not hold are marked: it claims nothing there, and the table says what happens.

## Joules of functions

Relative error of the joules of a function in a recording, over all packages, in %%: mean / worst. The worst is that of
all functions in all recordings; functions with less than 2 %% of the CPU time do not count. *Oracle* is what an
estimator would err that is told exact run times, the lag and the covariance of the errors (generalised least
squares); it is the limit of what can be known from these recordings. *Auto* is what ` + "`--attribution auto`" + ` gives.

The limit of the worst error holds for functions that an oracle tells that well, with three standard deviations:
*worst of those* is their worst error, and in brackets the part of the functions that they are. (With 5 %% of noise,
nobody can tell 2 W among 140 W to 6 %% in 15 s.)

Where functions cannot be told apart (*apart* is the part of the functions that can), the regression gives a group
one power, and its errors are of the others.
`

const othersHead = `
## Beside other tools

Mean error in %% of the same functions by the formulas of other tools, each with a function in the place of a
process, exact CPU times, and the energy of all packages. These tools put static power on what runs on purpose,
or leave part of the energy out, so the second number is the mean error that is left when all joules are multiplied
by the one factor that suits best: what comes from the assumption that a second of CPU time costs the same whoever
spends it. SmartWatts does not assume that; it depends on how well hardware counters follow watts, and is given
instructions that follow them with a spread of 30 %%.

`

const intervalsHead = `
## Confidence

Coverage is the part of the 95 %% intervals that have the truth, which should be 92 to 98 %% where they are claimed; in
brackets their number; *of all* is that of functions with less than 2 %% of the CPU time as well. Recordings in
which a note takes the intervals back (*back*: their part) do not count. Width is the median of high - low over the
joules, in %%, and how many times that of the oracle's interval. Validation: the error at which one half of a
recording predicts the energy of the other half's intervals, of the regression and of sharing by CPU time, medians
in %%. Auto: the part of the recordings in which it ended with the regression.

| scenario | claimed | coverage | of all | back | width | x oracle | validation | sharing | ratio | auto |
|---|---|---|---|---|---|---|---|---|---|---|
`

const staticHead = `
## Static power and power of an active package

Mean / worst relative error in %% of the fitted watts, where the result tells them apart (*told*: in which part of
the packages); *clear*: mean error where an oracle tells it to 5 %% with three standard deviations, and in which part of the packages
that is.

| scenario | static told | static | clear | active told | active | clear |
|---|---|---|---|---|---|---|
`

func write(w io.Writer, all []*simulate.Evaluation, seeds int, command, cpu string) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	p(head, command, seeds, cpu, runtime.NumCPU(), runtime.Version())
	p("\n| scenario | claimed | limits | regression | worst of those | bias | auto | proportional | oracle | apart | |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, e := range all {
		p("| %s | %s | %s |", e.Scenario.Name, yes(e.Scenario.Claimed), limits(e.Scenario.Limits))
		worst := ""
		if e.Scenario.Limits.Worst > 0 {
			worst = percent(e.Clear) + " (" + percent(e.ClearOf) + ")"
		}
		p(" %s | %s | %+.1f |", both(method(e, "regression")), worst, 100*method(e, "regression").Bias)
		for _, name := range []string{"auto", "proportional", "oracle"} {
			p(" %s |", both(method(e, name)))
		}
		p(" %s | %s |\n", percent(e.Apart), strings.Join(e.Violations(), "; "))
	}
	p("\nThe scenarios:\n\n")
	for _, e := range all {
		p("- *%s*: %s\n", e.Scenario.Name, e.Scenario.About)
	}

	p(othersHead)
	names := []string{"regression", "proportional", "share", "scaphandre", "kepler", "powerjoular", "smartwatts"}
	p("| scenario | %s |\n|---%s|\n", strings.Join(names, " | "), strings.Repeat("|---", len(names)))
	for _, e := range all {
		if math.IsNaN(method(e, "scaphandre").Mean) {
			continue
		}
		p("| %s |", e.Scenario.Name)
		for _, name := range names {
			m := method(e, name)
			p(" %s, %s |", percent(m.Mean), percent(m.Scaled))
		}
		p("\n")
	}
	p("\nThe formulas: ")
	for i, f := range simulate.Formulas() {
		if i > 0 {
			p("; ")
		}
		p("%s (%s)", f.Name, f.Source)
	}
	p(". What was simplified stands in their docstrings.\n")

	p(intervalsHead)
	for _, e := range all {
		p("| %s | %s | %s (%d) | %s | %s | %s | %s | %s | %s | %s | %s |\n", e.Scenario.Name, yes(e.Scenario.Claimed),
			percent(e.Coverage), e.Intervals, percent(e.CoverageAll), percent(e.Withdrawn), percent(e.Width), number(e.WidthOracle),
			percent(e.Validation), percent(e.ShareValidation), number(e.ValidationRatio), percent(e.Chosen))
	}
	p(staticHead)
	for _, e := range all {
		p("| %s |", e.Scenario.Name)
		for _, x := range []simulate.Watts{e.Baseline, e.Active} {
			p(" %s | %s / %s | %s (%s) |", percent(x.Apart), percent(x.Mean), percent(x.Worst), percent(x.Clear), percent(x.Of))
		}
		p("\n")
	}
	p("\n## What the results say of themselves\n\nNotes, with N for each number in them, and how many there are:\n\n")
	for _, e := range all {
		notes := general(e.Notes)
		for _, n := range byCount(notes) {
			p("- *%s*: %s (%d)\n", e.Scenario.Name, n, notes[n])
		}
	}
	p("\n## Cost\n\nTime of the regression for a second of recording, playing the trace included, in ms; medians, while all CPUs were busy\nwith the same:\n\n| scenario | ms |\n|---|---|\n")
	for _, e := range all {
		p("| %s | %s |\n", e.Scenario.Name, number(e.Cost*1e3))
	}
}

var figures = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// general puts notes together that differ in their numbers.
func general(notes map[string]int) map[string]int {
	out := map[string]int{}
	for n, count := range notes {
		out[figures.ReplaceAllString(n, "N")] += count
	}
	return out
}

func byCount(notes map[string]int) []string {
	return slices.SortedFunc(maps.Keys(notes), func(a, b string) int {
		return cmp.Or(notes[b]-notes[a], strings.Compare(a, b))
	})
}

func method(e *simulate.Evaluation, name string) simulate.MethodErrors {
	for _, m := range e.Methods {
		if m.Name == name {
			return m
		}
	}
	return simulate.MethodErrors{Mean: math.NaN(), Worst: math.NaN()}
}

func both(m simulate.MethodErrors) string { return percent(m.Mean) + " / " + percent(m.Worst) }

func limits(l simulate.Limits) string {
	if l.Mean == 0 {
		return ""
	}
	return percent(l.Mean) + " / " + percent(l.Worst)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func percent(v float64) string { return number(100 * v) }

// number has two digits that count, and no more than two decimals.
func number(v float64) string {
	switch {
	case math.IsNaN(v), math.IsInf(v, 0):
		return "-"
	case v == 0:
		return "0"
	case v < 0.0995:
		return fmt.Sprintf("%.2f", v)
	case v < 9.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
