package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
)

// convertFlags are the flags of convert, as they were given.
type convertFlags struct {
	attributionFlags
	changed func(flag string) bool

	energy    string
	sameClock bool
	estimate  bool
	event     string
	scale     float64
	addresses bool

	output  string
	summary string
	quiet   bool
}

func newConvert() *cobra.Command {
	var f convertFlags
	c := &cobra.Command{
		Use:   "convert [flags] perf.data",
		Short: "Turn a perf.data file into a profile, with joules where energy was recorded beside it",
		Long: "Convert reads what perf record wrote (- is standard input), or record --perf-data, and writes\n" +
			"the profile that a recording would have written. Energy comes from an energy trace\n" +
			"(record --energy-trace) on the clock of the samples (perf record -k CLOCK_MONOTONIC), or from\n" +
			"the file itself: perf record -a -e '{cpu-clock,power/energy-pkg/}:SGH'.\n\n" +
			"Nothing is looked up in /proc. Files of this machine give names to functions where they are those\n" +
			"that were mapped; the running kernel does where it is the one that was recorded.",
		Example: "  energyprof convert perf.data\n  energyprof convert perf.data --energy trace.csv -o app.pb.gz --summary app.json\n  perf record -o - -g -- ./app | energyprof convert -",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("convert takes one file, a perf.data, or - for standard input: found %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			f.changed = c.Flags().Changed
			return f.run(args[0])
		},
	}
	f.register(c.Flags())
	return c
}

func (f *convertFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.energy, "energy", "", "read energy from this trace (CSV) on the clock of the samples")
	fl.BoolVar(&f.sameClock, "same-clock", false, "the trace is on the clock of the samples, though the file does not say so")
	fl.BoolVar(&f.estimate, "energy-estimate", false, "the trace is what a model said: the joules are energy_model")
	fl.StringVar(&f.event, "energy-event", "", "take this event of the file, counted in a group with a sampled one, for energy")
	fl.Float64Var(&f.scale, "energy-scale", 0, "joules per count of --energy-event (default: the scale that the file gives)")
	f.attributionFlags.register(fl, "auto, 0 or WATTS (per package)")
	fl.BoolVar(&f.addresses, "addresses", false, "every address that was accessed is a sample by itself, with the label address")
	fl.StringVarP(&f.output, "output", "o", "energyprof.pb.gz", "the profile")
	fl.StringVar(&f.summary, "summary", "", "write the summary as JSON to this file")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no closing summary")
}

func (f *convertFlags) check() error {
	switch {
	case f.energy != "" && f.event != "":
		return usagef("--energy and --energy-event exclude each other")
	case f.sameClock && f.energy == "":
		return usagef("--same-clock belongs to --energy")
	case f.estimate && f.energy == "":
		return usagef("--energy-estimate belongs to --energy")
	case f.event == "" && f.scale != 0:
		return usagef("--energy-scale belongs to --energy-event")
	case !finite(f.scale):
		return usagef("--energy-scale %v: it is a number of joules per count, from 0 on", f.scale)
	case f.baseline == baselineMeasure:
		return usagef("--baseline measure: what was recorded cannot be measured any more; auto, 0 or WATTS")
	}
	return f.attributionFlags.check()
}

// maxConvertMemory is where the garbage collector begins to work harder.
const maxConvertMemory = 350 << 20

// run converts. The file is refused before anything is written.
func (f *convertFlags) run(path string) error {
	if err := f.check(); err != nil {
		return err
	}
	if err := f.spareInputs(path); err != nil {
		return err
	}
	c, err := f.open(path, nil)
	if err != nil {
		return err
	}
	defer c.file.Close()
	if err := c.begin(); err != nil {
		return err
	}
	files, err := createFiles([]wantedFile{{"-o", f.output}, {"--summary", f.summary}})
	if err != nil {
		return err
	}
	defer files.discard()
	rec, _, err := c.read()
	if err != nil {
		return err
	}
	if err := files.write(rec, nil); err != nil {
		return err
	}
	if !f.quiet {
		rec.Summary().Text(os.Stderr, terminalWidth(os.Stderr))
		nameProfile(f.output)
	}
	return nil
}

// open opens a file and says what is collected of it; what else is to be done with its samples is the caller's to
// add. choose says which domains of energy are wanted, and as what; nil: all.
func (f *convertFlags) open(path string, choose func(rapl.Domain) (rapl.Domain, bool)) (*conversion, error) {
	// Main lets the heap grow fourfold, which is nothing beside a live recording; the stacks of a large file are
	// not. A quarter of a million of them fit in.
	debug.SetMemoryLimit(maxConvertMemory)
	file, err := perfdata.Open(path)
	if err != nil {
		return nil, err
	}
	c := &conversion{flags: f, path: path, file: file, choose: choose}
	if path == "-" {
		c.path = "standard input"
	}
	if err = c.findEnergy(); err == nil {
		c.what, err = c.options()
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return c, nil
}

// begin makes the collector.
func (c *conversion) begin() (err error) {
	if c.Collector, err = collect.New(c.what); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}

// read reads the records.
func (c *conversion) read() (*report.Recording, *perfdata.Result, error) {
	result, err := c.file.Read(c)
	if err != nil {
		return nil, nil, err
	}
	if err := c.judge(result); err != nil {
		return nil, nil, err
	}
	rec := c.Finish()
	c.describe(rec, result)
	return rec, result, nil
}

// spareInputs refuses to write over what is read.
func (f *convertFlags) spareInputs(path string) error {
	return spareInputs([]string{path, f.energy}, []wantedFile{{"-o", f.output}, {"--summary", f.summary}})
}

// spareInputs refuses outputs that are what is read.
func spareInputs(inputs []string, outputs []wantedFile) error {
	for i := 0; i < len(inputs); i++ {
		read, err := os.Stat(inputs[i])
		if err != nil {
			continue // whatever is wrong with it is said when it is opened
		}
		if read.IsDir() { // of runs
			entries, _ := os.ReadDir(inputs[i])
			for _, e := range entries {
				if !e.IsDir() {
					inputs = append(inputs, filepath.Join(inputs[i], e.Name()))
				}
			}
			continue
		}
		for _, out := range outputs {
			if written, err := os.Stat(out.path); err == nil && os.SameFile(read, written) && !isSpecial(out.path) {
				return usagef("%s %s is what is read: it would be lost", out.flag, out.path)
			}
		}
	}
	return nil
}

// sampled is how many samples a file has.
func sampled(result *perfdata.Result) (n uint64) {
	for _, of := range result.Samples {
		n += of
	}
	return n
}

// judge refuses what holds nothing, and energy of another time.
func (c *conversion) judge(result *perfdata.Result) error {
	samples := sampled(result)
	if samples == 0 && result.Truncated >= 0 {
		return fmt.Errorf("%s: at %#x: %w; there is no sample before that", c.path, result.Truncated, result.Reason)
	}
	return c.checkTimes(result, samples)
}

// describe adds what the collector does not know.
func (c *conversion) describe(rec *report.Recording, result *perfdata.Result) {
	if own := c.file.Own; own != nil {
		c.describeOwn(rec, own)
	} else {
		c.describeForeign(rec, result)
	}
	if c.file.Own == nil || c.shared {
		rec.Notes = append(rec.Notes, c.flags.notes(rec)...)
	}
	if c.file.Own == nil && sampled(result) == 0 {
		rec.Notes = append(rec.Notes, "there are no samples in the file: what was recorded did not run, or for too short a time")
	}
	rec.Notes = append(rec.Notes, c.remarks...)
	if c.Books().KernelHidden && c.file.Own == nil {
		rec.Notes = append(rec.Notes, "functions of the kernel have no names, this user may not see its addresses: "+adviceKernelNames())
	}
	rec.Notes = append(rec.Notes, result.Notes...)
	total := result.Books.Total()
	for _, s := range []struct {
		n    uint64
		text string
	}{
		{result.Foreign, "%d samples are of events that the file does not describe"},
		{result.Late, "%d records came too late to be put in order"},
		{total.Unknown, "%d records of types that this version does not know were skipped"},
		{result.Aux, "%d bytes of hardware trace were skipped"},
		{result.EnergyBack, "%d energy readings went back and were left out"},
	} {
		if s.n > 0 {
			rec.Notes = append(rec.Notes, fmt.Sprintf(s.text, s.n))
		}
	}
	if result.Truncated >= 0 {
		rec.Notes = append(rec.Notes, fmt.Sprintf("%s cannot be read from %#x on: %v", c.path, result.Truncated, result.Reason))
	}
	rec.Data.Comments = append(rec.Data.Comments, "converted by energyprof "+version())
}

// describeOwn adds what the recording itself added.
func (c *conversion) describeOwn(rec *report.Recording, own *perfdata.Own) {
	rec.Tool = own.Tool
	rec.Data.Start, rec.Data.Duration, rec.Data.Period = own.Start, own.Duration, own.Period
	rec.Throttled, rec.BadRecords = own.Throttled, own.BadRecords
	if s := own.Stacks; s != nil {
		rec.Stacks = &report.Stacks{Method: s.Method, Samples: s.Samples, Complete: s.Complete, Truncated: s.Truncated, Failed: s.Failed}
	}
	for _, n := range own.Notes {
		if c.shared && n == staticIncluded {
			continue // said anew if it is so with these flags, too
		}
		rec.Notes = append(rec.Notes, n)
	}
	rec.Data.Comments = slices.Clone(own.Comments)
	if own.Command != nil {
		rec.Command = &report.Command{Args: own.Command.Args, ExitCode: own.Command.ExitCode, Signal: own.Command.Signal}
	}
}
