package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/sys/unix"
	moments "gonum.org/v1/gonum/stat"

	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/internal/stat"
	"github.com/energyprof/energyprof/report/gate"
)

// nameRun is "run 3 of 20", with the side of --ab.
func (b *benchRun) nameRun(side *benchSide, number int) string {
	what, of := "run", b.flags.repeats
	if number < 0 {
		what, of, number = "warm-up", b.flags.warmup, number+b.flags.warmup
	}
	text := fmt.Sprintf("%s %d of %d", what, number+1, of)
	if side.name != "" {
		text += ", " + side.name
	}
	return text
}

func howItEnded(run *runs.Run) string {
	switch {
	case run.Signal != "":
		return "was killed by " + run.Signal
	case run.ExitCode != nil && *run.ExitCode != 0:
		return fmt.Sprintf("failed with exit code %d", *run.ExitCode)
	}
	return "ended"
}

// isTerminal tells whether somebody may be watching; a terminal need not know its width.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// progress tells each run to someone who waits at a terminal.
func (b *benchRun) progress(side *benchSide, number int, run *runs.Run) {
	if !b.tell {
		return
	}
	text := fmt.Sprintf("energyprof: %s: %s", b.nameRun(side, number), seconds(run.Elapsed))
	if run.Failed() {
		text += ", " + howItEnded(run)
	}
	fmt.Fprintln(os.Stderr, text)
}

// closing reads back what was written, tells it, and writes the Go benchmarks.
func (b *benchRun) closing() error {
	text := bufio.NewWriter(os.Stderr)
	if b.flags.quiet {
		text.Reset(io.Discard)
	}
	if b.stopped != nil {
		fmt.Fprintf(text, "energyprof: stopped by a signal (%v): the run under way is thrown away\n", b.stopped)
	}
	var sets []*runs.Set
	for _, side := range b.sides {
		set, err := runs.Read(side.dir)
		var nothing *runs.Invalid
		if errors.As(err, &nothing) && len(side.writer.Manifest.Runs) == 0 {
			fmt.Fprintf(text, "%s: no run is kept\n", printable(side.dir))
			continue
		}
		if err != nil && b.failedRuns(side) == len(side.writer.Manifest.Runs) {
			continue // which was said
		}
		if err != nil {
			return fmt.Errorf("reading back what was written: %w", err)
		}
		sets = append(sets, set)
		side.text(text, set)
	}
	if err := text.Flush(); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	if b.out == nil {
		return nil
	}
	return b.out.fill(func(w io.Writer) error { return writeBenchmarks(w, sets) })
}

func (b *benchRun) failedRuns(side *benchSide) int {
	n := 0
	for i := range side.writer.Manifest.Runs {
		if side.writer.Manifest.Runs[i].Failed() {
			n++
		}
	}
	return n
}

// text is what was found: median and spread of the runs.
func (s *benchSide) text(w io.Writer, set *runs.Set) {
	fmt.Fprintf(w, "\n%s: %s of %s\n", printable(s.dir), plural(set.Len(), "run"), printable(strings.Join(s.command, " ")))
	for _, row := range quantities(set) {
		if row.values != nil {
			fmt.Fprintf(w, "  %-12s %s\n", row.name, row.text())
		}
	}
	for _, note := range slices.Concat(set.Notes, s.notes) {
		fmt.Fprintf(w, "note: %s\n", printable(note))
	}
}

func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// quantity is a number of each run; nil values where it is not known.
type quantity struct {
	name   string
	form   func(float64) string
	remark string
	values []float64
}

// text is the median, the relative standard deviation, and what the number is.
func (q quantity) text() string {
	text := q.form(median(q.values))
	if noise := relativeDeviation(q.values); !math.IsNaN(noise) {
		text += fmt.Sprintf("  ± %.1f %%", 100*noise)
	}
	if q.remark != "" {
		text += "  (" + q.remark + ")"
	}
	return text
}

// quantities are those of whole runs.
func quantities(set *runs.Set) []quantity {
	of := func(total runs.Total, value func(gate.Run) float64) []float64 {
		var values []float64
		for _, run := range set.Gate(total) {
			v := value(run)
			if math.IsNaN(v) {
				return nil
			}
			values = append(values, v)
		}
		return values
	}
	joules := func(r gate.Run) float64 { return r.Total.Joules }
	source := set.Source
	if set.Estimated() {
		source += ", ESTIMATED"
	}
	return []quantity{
		{"elapsed", seconds, "", of(runs.Program, func(r gate.Run) float64 { return r.Elapsed })},
		{"CPU time", seconds, "", of(runs.Program, func(r gate.Run) float64 { return r.Total.Seconds })},
		{"energy", joulesText, source + "; without static power", of(runs.Program, joules)},
		{"  with it", joulesText, "", of(runs.WithBaseline, joules)},
	}
}

func seconds(s float64) string { return fmt.Sprintf("%.3f s", s) }

func joulesText(j float64) string { return fmt.Sprintf("%.3f J", j) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// relativeDeviation is the standard deviation of a run by the mean; NaN of one run, and where all are 0.
func relativeDeviation(values []float64) float64 {
	mean, deviation := moments.MeanStdDev(values, nil)
	if mean == 0 {
		return math.NaN()
	}
	return deviation / mean
}

// writeBenchmarks writes Go's benchmark format (https://golang.org/design/14313-benchmark-format), a line for each run.
// The two sides of --ab have one name and differ in "side", for benchstat -col /side.
func writeBenchmarks(w io.Writer, sets []*runs.Set) error {
	out := benchfmt.NewWriter(w)
	for _, set := range sets {
		m := set.Manifest
		name := stat.BenchName(m.Command)
		if m.Pair != nil {
			name = "AB/side=" + m.Pair.Side
		}
		prefix := ""
		if set.Estimated() {
			prefix = "model-" // benchstat must not compare an estimate with a measurement
		}
		static := set.Gate(runs.WithBaseline)
		for i, run := range set.Gate(runs.Program) {
			res := &benchfmt.Result{Config: benchmarkConfig(m), Name: benchfmt.Name(name), Iters: 1}
			for _, v := range []benchfmt.Value{
				{Value: math.Round(run.Elapsed * 1e9), Unit: "ns/op"}, {Value: math.Round(run.Total.Seconds * 1e9), Unit: "cpu-ns/op"},
				{Value: run.Total.Cycles, Unit: "cycles/op"}, {Value: run.Total.Joules, Unit: prefix + "program-J/op"},
				{Value: static[i].Total.Joules, Unit: prefix + "with-static-J/op"},
			} {
				if !math.IsNaN(v.Value) {
					res.Values = append(res.Values, v)
				}
			}
			if err := out.Write(res); err != nil {
				return err
			}
		}
	}
	return nil
}

// benchmarkConfig says where the numbers are from, in go test's own keys. benchstat keeps results of different
// configurations apart, so there is nothing here that changes from run to run.
func benchmarkConfig(m *runs.Manifest) []benchfmt.Config {
	var config []benchfmt.Config
	add := func(key, value string) {
		if value != "" {
			config = append(config, benchfmt.Config{Key: key, Value: []byte(printable(value)), File: true})
		}
	}
	add("goos", runtime.GOOS)
	add("goarch", m.Machine.Architecture)
	add("cpu", m.Machine.CPU)
	source := m.Source.Name
	if !m.Source.Measured && source != "none" {
		source += " (ESTIMATED)"
	}
	add("energy", source)
	return config
}
