package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/internal/symbol"
)

// recordFlags are the flags of record, as they were given.
type recordFlags struct {
	sampling
	energyFlags
	counter counterFlags

	all        bool
	pids       string
	delay      time.Duration
	duration   time.Duration
	pages      int
	callGraph  string
	userOnly   bool
	kernelOnly bool

	output   string
	perfData string
	summary  string
	quiet    bool
}

func newRecord() *cobra.Command {
	var f recordFlags
	c := &cobra.Command{
		Use:   "record [flags] [--] [command args...]",
		Short: "Record where a command, processes or all CPUs spend time and joules",
		Long: "Record samples a command with its children and threads (or -p, or -a), reads the energy\n" +
			"counters on the same clock and writes a pprof profile.\n\n" +
			"The exit code is the command's own (128+signal if it was killed), 125 for a failure of\n" +
			"energyprof, 126 if the command cannot be executed and 127 if it was not found. INT, TERM and\n" +
			"HUP are passed to the command, end the recording and still write the profile; a second one\n" +
			"stops at once.",
		Example:     "  energyprof record -- ./app --its-flag\n  energyprof record -p 4711 --duration 30s\n  sudo energyprof record -a --duration 10s",
		Annotations: map[string]string{runsCommand: "yes"},
		RunE: func(c *cobra.Command, args []string) error {
			f.frequencySet = c.Flags().Changed("freq")
			f.periodSet = c.Flags().Changed("count")
			return f.run(args)
		},
	}
	fl := c.Flags()
	fl.SetInterspersed(false) // what follows the command is the command's
	fl.Uint64VarP(&f.frequency, "freq", "F", defaultFrequency, "samples per second of CPU time")
	fl.Uint64VarP(&f.period, "count", "c", 0, "sample every so many events (nanoseconds, of a clock) instead")
	fl.StringArrayVarP(&f.specs, "event", "e", nil, "events to sample: cpu-clock, task-clock, cycles, page-faults, rNNNN, pmu/name/,\npmu/field=value,.../, group:name, mem:ADDR; time always comes from a clock")
	fl.StringVarP(&f.callGraph, "call-graph", "g", "fp", "stacks: fp (frame pointers) or none")
	fl.BoolVarP(&f.all, "all-cpus", "a", false, "record everything on all CPUs")
	fl.StringVarP(&f.pids, "pid", "p", "", "record running processes: PID[,PID]")
	fl.Var(duration{&f.duration, time.Second}, "duration", "end the recording after this time (a plain number: seconds)")
	fl.VarP(duration{&f.delay, time.Millisecond}, "delay", "D", "begin to sample after this time (a plain number: milliseconds)")
	fl.IntVarP(&f.pages, "mmap-pages", "m", session.DefaultPages, "pages of each CPU's ring, a power of two")
	fl.BoolVar(&f.userOnly, "user", false, "sample user code only")
	fl.BoolVar(&f.kernelOnly, "kernel", false, "sample the kernel only")
	f.energyFlags.register(fl)
	f.counter.register(fl)
	fl.StringVarP(&f.output, "output", "o", "energyprof.pb.gz", "the profile")
	fl.StringVar(&f.perfData, "perf-data", "", "write the recording as a perf.data file, too, for perf and for convert")
	fl.StringVar(&f.summary, "summary", "", "write the summary as JSON to this file")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no closing summary")
	return c
}

// options translates the flags of what to record.
func (f *recordFlags) options(fs pmu.FS, args []string) (session.Options, error) {
	opt := session.Options{
		Command: args, All: f.all,
		Delay: f.delay, Duration: f.duration,
		ExcludeUser: f.kernelOnly, ExcludeKernel: f.userOnly,
		Pages: f.pages, FS: fs, Proc: "/proc",
	}
	targets := 0
	for _, given := range []bool{len(args) > 0, f.all, f.pids != ""} {
		if given {
			targets++
		}
	}
	switch {
	case targets == 0:
		return opt, usagef("nothing to record: give a command after --, -p PID or -a")
	case targets > 1:
		return opt, usagef("a command, -p and -a exclude each other")
	case f.userOnly && f.kernelOnly:
		return opt, usagef("--user and --kernel exclude each other")
	case f.pages <= 0 || f.pages&(f.pages-1) != 0:
		return opt, usagef("-m %d: %d pages are no power of two", f.pages, f.pages)
	case f.pages > session.MaxPages:
		return opt, usagef("-m %d: a ring has %d pages at most", f.pages, session.MaxPages)
	}
	switch f.callGraph {
	case "fp":
		opt.Callchains = true
	case "none":
	default:
		return opt, usagef("-g %q: stacks are recorded by fp or none", f.callGraph)
	}
	var err error
	if f.pids != "" {
		if opt.PIDs, err = processIDs(f.pids); err != nil {
			return opt, err
		}
	}
	opt.Events, err = f.events(fs)
	return opt, err
}

// run records. Whatever can be refused is refused before the command starts.
func (f *recordFlags) run(args []string) error {
	fs := pmu.NewFS("/sys", "/proc")
	opt, err := f.options(fs, args)
	if err != nil {
		return err
	}
	energy, err := f.open()
	if err != nil {
		return err
	}
	defer energy.close()
	counters, err := f.counter.open(&f.energyFlags, opt.Events)
	if err != nil {
		return err
	}
	defer counters.close()
	opt.Energy, opt.Counters = energy.recorder, counters.recorder
	what, err := f.collectOptions(opt, energy, counters)
	if err != nil {
		return err
	}
	var keeper keeper
	defer keeper.close()
	if f.perfData != "" {
		what.Found = keeper.found
	}
	collector, err := collect.New(what)
	if err != nil {
		return err
	}
	// Last, because until the session catches signals one would leave them behind.
	files, err := f.createFiles()
	if err != nil {
		return err
	}
	defer files.discard()
	var written atomic.Bool
	opt.Abort = func(sig os.Signal) {
		outcome := "the profile is written"
		if !written.Load() {
			files.discard()
			outcome = "no profile is written"
		}
		fmt.Fprintf(os.Stderr, "energyprof: stopped by a second signal (%v): %s\n", sig, outcome)
		os.Exit(exitSignal + int(sig.(syscall.Signal)))
	}
	sink, err := energy.traced(collector, files.trace)
	if err != nil {
		return err
	}
	if sink, err = keeper.between(sink, files.perfData, &opt); err != nil {
		return err
	}
	result, err := session.Run(opt, sink)
	if err != nil {
		return err
	}
	defer result.Close()
	recording := collector.Finish()
	known := len(recording.Notes)
	f.describe(recording, opt, result, energy, counters)
	notes := recording.Notes[known:]
	if collector.Books().KernelHidden {
		recording.Notes = append(recording.Notes, "functions of the kernel have no names, this user may not see its addresses: "+adviceKernelNames())
	}
	if err := files.write(recording, energy.trace); err != nil {
		result.Wait()
		return err
	}
	if err := keeper.finish(recording, notes, what, collector.Past(), result); err != nil {
		result.Wait()
		return err
	}
	written.Store(true)
	if !f.quiet {
		f.closing(recording, result)
	} else {
		warnOfNothing(result)
	}
	return f.waitForCommand(recording, result)
}

func (f *recordFlags) collectOptions(opt session.Options, energy *energy, counters *counters) (collect.Options, error) {
	c := collect.Options{
		Energy:      energy.info,
		Attribution: energy.attribution,
		Counters:    counters.events,
		SystemWide:  opt.All,
		Proc:        opt.Proc,
		Resolver:    symbol.New(symbol.Options{}),
	}
	if len(c.Counters) > 0 {
		c.CounterMethod = f.counterMethod()
	}
	for _, e := range opt.Events {
		c.Events = append(c.Events, collect.Event{Name: e.Name, Clock: e.Clock})
	}
	if err := f.weigh(c.Events); err != nil {
		return c, err
	}
	c.Attribution.Core, c.Attribution.CoreType = cores(opt.FS)
	var err error
	c.CPUs, err = opt.FS.OnlineCPUs()
	return c, err
}
