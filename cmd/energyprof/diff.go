package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/energyprof/energyprof/internal/compare"
	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/report/gate"
)

func newDiff() *cobra.Command {
	var f diffFlags
	c := &cobra.Command{
		Use:   "diff [flags] OLD NEW",
		Short: "What changed between two sets of runs: joules, time and watts, in total and by function",
		Long: "Diff compares directories of runs (energyprof bench) or single profiles. A function is said to have changed\n" +
			"only if the runs show it: the chance that any is named which did not change is at most 1 %.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("diff takes two files or directories, OLD and NEW: found %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			f.changed = c.Flags().Changed
			return f.run(c, args[0], args[1])
		},
	}
	defaults := gate.DefaultOptions()
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	c.Flags().BoolVar(&f.markdown, "markdown", false, "print Markdown, as GitHub renders it")
	c.Flags().BoolVar(&f.html, "html", false, "print one page of HTML")
	c.Flags().StringVar(&f.pprof, "pprof", "", "write a profile of the difference, NEW minus OLD, to this `file`")
	c.Flags().StringVarP(&f.output, "output", "o", "", "print to this `file`")
	c.Flags().IntVarP(&f.rows, "rows", "n", 20, "functions of each list, 0 for all (JSON: all)")
	c.Flags().Float64Var(&f.minJoules, "min-joules", defaults.MinJoules, "test functions that take so many `joules` in a run")
	c.Flags().Float64Var(&f.minSeconds, "min-seconds", defaults.MinSeconds, "or so many `seconds` of CPU time")
	return c
}

// diffFlags are the flags of diff.
type diffFlags struct {
	json, markdown, html  bool
	pprof, output         string
	rows                  int
	minJoules, minSeconds float64

	changed func(flag string) bool
}

func (f *diffFlags) check(inputs ...string) error {
	formats := 0
	for _, asked := range []bool{f.json, f.markdown, f.html} {
		if asked {
			formats++
		}
	}
	switch {
	case formats > 1:
		return usagef("--json, --markdown and --html exclude each other")
	case f.rows < 0:
		return usagef("-n %d: rows cannot be negative", f.rows)
	case !finite(f.minJoules):
		return usagef("--min-joules %g: it is a number of joules, from 0 on", f.minJoules)
	case !finite(f.minSeconds):
		return usagef("--min-seconds %g: it is a number of seconds, from 0 on", f.minSeconds)
	case f.changed("pprof") && f.pprof == "":
		return usagef("--pprof: the file has no name")
	case f.changed("output") && f.output == "":
		return usagef("-o: the file has no name")
	case f.pprof != "" && f.output != "" && filepath.Clean(f.pprof) == filepath.Clean(f.output) && !isSpecial(f.output):
		return usagef("-o and --pprof both write %s: one would replace the other", f.output)
	}
	return spareInputs(inputs, []wantedFile{{"-o", f.output}, {"--pprof", f.pprof}})
}

func (f *diffFlags) run(c *cobra.Command, oldPath, newPath string) error {
	if err := f.check(oldPath, newPath); err != nil {
		return err
	}
	d, err := readDiff(oldPath, newPath)
	if err != nil {
		return err
	}
	options := gate.DefaultOptions()
	options.MinJoules, options.MinSeconds = f.minJoules, f.minSeconds
	result, err := compare.Sets(d.old, d.new, options)
	if err != nil {
		return diffError{err}
	}
	if f.pprof != "" {
		if err := d.writeProfile(f.pprof); err != nil {
			return err
		}
	}
	if f.output != "" {
		to, err := createOutput(f.output)
		if err != nil {
			return err
		}
		return to.fill(func(w io.Writer) error { return f.show(w, result, 0) })
	}
	out := bufio.NewWriter(c.OutOrStdout())
	err = f.show(out, result, terminalWidth(os.Stdout))
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func (f *diffFlags) show(w io.Writer, r *compare.Result, width int) error {
	switch {
	case f.json:
		if f.changed("rows") {
			r.Keep(f.rows)
		}
		return r.WriteJSON(w)
	case f.markdown:
		return compare.Markdown{Rows: f.rows, Printable: printable}.Write(w, r)
	case f.html:
		return compare.HTML{Rows: f.rows, Printable: printable}.Write(w, r)
	}
	return compare.Text{Rows: f.rows, Width: width, Printable: printable}.Write(w, r)
}

// diff is the two sides.
type diff struct{ old, new *runs.Set }

func readDiff(oldPath, newPath string) (d diff, err error) {
	if d.old, err = runs.Read(oldPath); err == nil {
		d.new, err = runs.Read(newPath)
	}
	if errors.As(err, new(*runs.Invalid)) {
		err = diffError{err}
	}
	return d, err
}

// diffError is why what is there cannot be compared.
type diffError struct{ err error }

func (e diffError) Error() string { return e.err.Error() }
func (e diffError) Unwrap() error { return e.err }
