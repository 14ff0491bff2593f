package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/report"
)

// runFlags are the flags of whatever samples a target: whom, for how long, where energy comes from and which files
// are written.
type runFlags struct {
	energyFlags

	all        bool
	pids       string
	delay      time.Duration
	duration   time.Duration
	pages      int
	pagesFlag  *pflag.Flag
	callGraph  string
	stacks     stackFlag // of callGraph
	userOnly   bool
	kernelOnly bool

	output   string
	perfData string
	summary  string
	quiet    bool
}

func (f *runFlags) register(fl *pflag.FlagSet) {
	fl.SetInterspersed(false) // what follows the command is the command's
	fl.StringVarP(&f.callGraph, "call-graph", "g", "auto", "callers: auto (bpf where it may be loaded, else dwarf or fp), bpf (unwind tables, in the kernel),\ndwarf[,SIZE] (unwind tables, from copies of the stack), fp (frame pointers), lbr (the\nprocessor's record of calls) or none")
	fl.BoolVarP(&f.all, "all-cpus", "a", false, "record everything on all CPUs")
	fl.StringVarP(&f.pids, "pid", "p", "", "record running processes: PID[,PID]")
	fl.Var(duration{&f.duration, time.Second}, "duration", "end the recording after this time (a plain number: seconds)")
	fl.VarP(duration{&f.delay, time.Millisecond}, "delay", "D", "begin to sample after this time (a plain number: milliseconds)")
	fl.IntVarP(&f.pages, "mmap-pages", "m", session.DefaultPages, "pages of each CPU's ring, a power of two (if not given, more where stacks need them)")
	f.pagesFlag = fl.Lookup("mmap-pages")
	fl.BoolVar(&f.userOnly, "user", false, "sample user code only")
	fl.BoolVar(&f.kernelOnly, "kernel", false, "sample the kernel only")
	f.energyFlags.register(fl)
	fl.StringVarP(&f.output, "output", "o", "energyprof.pb.gz", "the profile")
	fl.StringVar(&f.perfData, "perf-data", "", "write the recording as a perf.data file, too, for perf and for convert")
	fl.StringVar(&f.summary, "summary", "", "write the summary as JSON to this file")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no closing summary")
}

// target translates the flags of whom to record; the events are the caller's to add.
func (f *runFlags) target(fs pmu.FS, args []string) (session.Options, error) {
	opt := session.Options{
		Command: args, All: f.all,
		Delay: f.delay, Duration: f.duration,
		ExcludeUser: f.kernelOnly, ExcludeKernel: f.userOnly,
		Pages: f.pages, FS: fs, Proc: "/proc",
	}
	targets := given(len(args) > 0, f.all, f.pids != "")
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
	if !f.pagesFlag.Changed {
		opt.Pages = 0 // what the samples need
	}
	var err error
	if f.stacks, err = parseStacks(f.callGraph); err != nil {
		return opt, err
	}
	if f.pids != "" {
		opt.PIDs, err = processIDs(f.pids)
	}
	return opt, err
}

// run is one recording, from what is open before the command starts to what is told at the end.
type run struct {
	flags    *runFlags
	opt      session.Options
	energy   *energy
	counters *counters
	what     collect.Options
	stacks   *bpf.Stacks // nil where no program walks them
	remarks  []string    // that go into the notes beside those of what was open
	accesses bool        // the clock is there for the time alone: what there are samples of is said of the other events
	// tell shows what was recorded once the files are written.
	tell func(rec *report.Recording, result *session.Result) error
}

// collected says what is collected of the events and the energy of a run; which counters, and what is special about
// the events, is the caller's to add.
func (r *run) collected() error {
	r.what = collect.Options{
		Energy:      r.energy.info,
		Attribution: r.energy.attribution,
		SystemWide:  r.opt.All,
		Proc:        r.opt.Proc,
		Resolver:    symbol.New(symbol.Options{Debuginfod: debuginfod(r.flags.quiet)}),
	}
	for _, e := range r.opt.Events {
		r.what.Events = append(r.what.Events, collect.Event{Name: e.Name, Clock: e.Clock})
	}
	r.what.Attribution.Core, r.what.Attribution.CoreType = cores(r.opt.FS)
	var err error
	r.what.CPUs, err = r.opt.FS.OnlineCPUs()
	return err
}

// record records. Whatever can be refused is refused before the command starts.
func (r *run) record() error {
	f := r.flags
	if err := r.openStacks(); err != nil {
		return err
	}
	defer r.closeStacks()
	r.opt.Energy, r.opt.Counters = r.energy.recorder, r.counters.recorder
	var keeper keeper
	defer keeper.close()
	if f.perfData != "" {
		r.what.Found = keeper.found
		r.what.Memory.ServedBy = keeper.servedBy(r.what.Memory.ServedBy)
	}
	collector, err := collect.New(r.what)
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
	r.opt.Abort = func(sig os.Signal) {
		outcome := "the profile is written"
		if !written.Load() {
			files.discard()
			outcome = "no profile is written"
		}
		fmt.Fprintf(os.Stderr, "energyprof: stopped by a second signal (%v): %s\n", sig, outcome)
		os.Exit(exitSignal + int(sig.(syscall.Signal)))
	}
	sink, err := r.energy.traced(collector, files.trace)
	if err != nil {
		return err
	}
	if sink, err = keeper.between(sink, files.perfData, &r.opt); err != nil {
		return err
	}
	result, err := session.Run(r.opt, sink)
	if err != nil {
		return err
	}
	defer result.Close()
	recording := collector.Finish()
	known := len(recording.Notes)
	r.describe(recording, result)
	recording.Notes = append(recording.Notes, walkNotes(collector.Books())...)
	notes := recording.Notes[known:]
	if collector.Books().KernelHidden {
		recording.Notes = append(recording.Notes, "functions of the kernel have no names, this user may not see its addresses: "+adviceKernelNames())
	}
	if err := files.write(recording, r.energy.trace); err != nil {
		result.Wait()
		return err
	}
	if err := keeper.finish(recording, notes, r.what, collector.Past(), result); err != nil {
		result.Wait()
		return err
	}
	written.Store(true)
	if err := r.tell(recording, result); err != nil {
		result.Wait() // what it was started for matters more than the numbers
		return err
	}
	return f.waitForCommand(recording, result)
}
