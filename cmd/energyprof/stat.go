package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/stat"
)

// statFlags are the flags of stat, as they were given.
type statFlags struct {
	specs      []string
	eventFiles []string
	metrics    []string
	platform   string

	all       bool
	pids      string
	cpus      string
	noInherit bool
	socket    bool
	core      bool
	cpu       bool

	repeats  int
	interval time.Duration
	delay    time.Duration
	duration time.Duration

	energyFlags

	json, csv, bench bool
	output           string
}

// minStatInterval keeps -I from becoming what is measured: reading the counters
// of a machine takes some tens of microseconds a CPU.
const minStatInterval = 10 * time.Millisecond

func newStat() *cobra.Command {
	var f statFlags
	c := &cobra.Command{
		Use:   "stat [flags] [--] [command args...]",
		Short: "Count events and joules of a command, processes or all CPUs",
		Long: "Stat counts events while a command runs, of the command with its children and threads, of\n" +
			"processes (-p) or of everything on all CPUs (-a), and reads the energy counters of the same time.\n" +
			"What could not be counted is said, and never 0.\n\n" +
			"The text goes to standard error beside a command, and to standard output without one. --json,\n" +
			"--csv and --bench go to standard output; -o names a file that the command does not write to.\n\n" +
			"The exit code is the command's own (128+signal if it was killed), 125 for a failure of\n" +
			"energyprof, 126 if the command cannot be executed and 127 if it was not found.",
		Example: "  energyprof stat -- ./app --its-flag\n  energyprof stat -r 10 --bench -o new.txt -- ./app\n" +
			"  sudo energyprof stat -a --per-socket -e 'uncore_imc/cas_count_read/' -I 1000\n  energyprof stat -e '{cycles,instructions}:u,page-faults' -p 4711 --duration 10s",
		Annotations: map[string]string{runsCommand: "yes"},
		RunE:        func(c *cobra.Command, args []string) error { return f.run(c.Flags(), args) },
	}
	fl := c.Flags()
	fl.SetInterspersed(false) // what follows the command is the command's
	fl.StringArrayVarP(&f.specs, "event", "e", nil, "events to count, in perf's syntax: cycles:u, rNNNN, pmu/name/, pmu/field=value,.../,\n{a,b} for events that are counted at the same times, names of event tables")
	fl.StringArrayVar(&f.eventFiles, "event-file", nil, "take names of events from this file of Intel's perfmon JSON, too")
	fl.StringArrayVar(&f.metrics, "metric", nil, "count what this metric is made of, and show it (energyprof list has them)")
	fl.StringVar(&f.platform, "platform", "", "take names of events from the built-in table of this processor: SPR, EMR, GNR (default: this one)")
	fl.BoolVarP(&f.all, "all-cpus", "a", false, "count everything on all CPUs")
	fl.StringVarP(&f.cpus, "cpu", "C", "", "count everything on these CPUs: 0-3,8")
	fl.StringVarP(&f.pids, "pid", "p", "", "count running processes: PID[,PID]")
	fl.BoolVarP(&f.noInherit, "no-inherit", "i", false, "do not count what the command or the processes start")
	fl.BoolVar(&f.socket, "per-socket", false, "one line for each socket (with -a or -C)")
	fl.BoolVar(&f.core, "per-core", false, "one line for each core (with -a or -C)")
	fl.BoolVarP(&f.cpu, "per-cpu", "A", false, "one line for each CPU (with -a or -C)")
	fl.IntVarP(&f.repeats, "repeat", "r", 1, "run the command so often, each time from zero; show mean and spread")
	fl.VarP(duration{&f.interval, time.Millisecond}, "interval", "I", "print what was counted every so often (a plain number: milliseconds)")
	fl.VarP(duration{&f.delay, time.Millisecond}, "delay", "D", "begin to count after this time (a plain number: milliseconds)")
	fl.Var(duration{&f.duration, time.Second}, "duration", "count for this time (a plain number: seconds)")
	f.registerEnergy(fl)
	fl.BoolVarP(&f.json, "json", "j", false, "print JSON")
	fl.BoolVar(&f.csv, "csv", false, "print comma-separated values")
	fl.BoolVar(&f.bench, "bench", false, "print Go's benchmark format, for benchstat: a line for each repeat")
	fl.StringVarP(&f.output, "output", "o", "", "write to this file (-: standard output)")
	return c
}

// registerEnergy takes those of record's flags that choose a source; the others are
// about sharing joules out.
func (f *statFlags) registerEnergy(fl *pflag.FlagSet) {
	var all pflag.FlagSet
	f.energyFlags.register(&all)
	for _, name := range []string{"energy", "energy-event", "energy-scale"} {
		fl.AddFlag(all.Lookup(name))
	}
}

// by is what the counts are summed up by.
func (f *statFlags) by() counting.By {
	switch {
	case f.socket:
		return counting.Socket
	case f.core:
		return counting.Core
	case f.cpu:
		return counting.CPU
	}
	return counting.Total
}

// options translates the flags of what to count, and refuses what makes no sense.
func (f *statFlags) options(fl *pflag.FlagSet, online []int, args []string) (counting.Options, error) {
	opt := counting.Options{
		Command: args, All: f.all || f.cpus != "", NoInherit: f.noInherit, Repeats: f.repeats,
		Interval: f.interval, Delay: f.delay, Duration: f.duration, Proc: "/proc",
	}
	formats, places := given(f.json, f.csv, f.bench), given(f.socket, f.core, f.cpu)
	switch {
	case len(args) == 0 && !opt.All && f.pids == "":
		return opt, usagef("nothing to count: give a command after --, -p PID or -a")
	case opt.All && f.pids != "":
		return opt, usagef("-p and -a (or -C) exclude each other: a process is counted wherever it runs")
	case formats > 1:
		return opt, usagef("--json, --csv and --bench exclude each other")
	case places > 1:
		return opt, usagef("--per-socket, --per-core and --per-cpu exclude each other")
	case places > 0 && !opt.All:
		return opt, usagef("--per-socket, --per-core and --per-cpu are about all that runs there: they need -a or -C")
	case f.repeats < 1:
		return opt, usagef("-r %d: the number of repeats is 1 at least", f.repeats)
	case fl.Changed("interval") && f.interval < minStatInterval:
		return opt, usagef("-I %v: an interval takes %v at least", f.interval, minStatInterval)
	case f.interval > 0 && f.repeats > 1:
		return opt, usagef("-I and -r exclude each other: the intervals of one run are not those of another")
	case f.interval > 0 && f.bench:
		return opt, usagef("-I and --bench exclude each other: an interval is no run of a benchmark")
	case f.repeats > 1 && len(args) == 0 && f.duration == 0:
		return opt, usagef("-r %d: without a command --duration says how long one repeat takes", f.repeats)
	case fl.Changed("duration") && f.duration == 0:
		return opt, usagef("--duration 0: nothing is counted in no time")
	case fl.Changed("output") && f.output == "":
		return opt, usagef("-o: the file has no name")
	}
	var err error
	if f.pids != "" {
		if opt.PIDs, err = processIDs(f.pids); err != nil {
			return opt, err
		}
	}
	if f.cpus != "" {
		opt.CPUs, err = chooseCPUs(f.cpus, online)
	}
	return opt, err
}

// given counts the flags that were.
func given(flags ...bool) int {
	n := 0
	for _, set := range flags {
		if set {
			n++
		}
	}
	return n
}

// run counts. Whatever can be refused is refused before the command starts.
func (f *statFlags) run(fl *pflag.FlagSet, args []string) error {
	fs := pmu.NewFS("/sys", "/proc")
	online, err := fs.OnlineCPUs()
	if err != nil {
		return err
	}
	opt, err := f.options(fl, online, args)
	if err != nil {
		return err
	}
	energy, err := f.open()
	if err != nil {
		return err
	}
	defer energy.close()
	opt.Energy = energy.source
	b := &stat.Builder{Options: opt, Online: online, By: f.by(), Source: energy.info, SourceRemarks: energy.remarks,
		Reason: reason, Advice: advice, AdviceOnNote: adviceCount}
	machine, err := f.machine()
	if err != nil {
		return err
	}
	if opt.Events, err = f.events(b, machine); err != nil {
		return err
	}
	if b.By != counting.Total {
		if b.CPUs, err = fs.Topology(); err != nil {
			return err
		}
	}
	// Last, because until counting catches signals one would leave a file behind.
	out, err := f.openStat(len(args) > 0)
	if err != nil {
		return err
	}
	defer out.discard()
	opt.Abort = func(sig os.Signal) {
		out.discard()
		fmt.Fprintf(os.Stderr, "energyprof: stopped by a second signal (%v): no counts are written\n", sig)
		os.Exit(exitSignal + int(sig.(syscall.Signal)))
	}
	b.Options = opt
	var each func(counting.Reading) error
	if opt.Interval > 0 {
		each = func(reading counting.Reading) error { return out.write(b.Interval(reading)) }
	}
	result, err := counting.Count(opt, each)
	if err != nil {
		return err
	}
	defer result.Close()
	r := b.Result(result)
	if opt.Interval == 0 {
		err = out.write(r)
	} else {
		tellNotes(r.Notes) // of all intervals, whose records are written
	}
	if err == nil {
		err = out.close()
	}
	if err != nil {
		result.Wait() // what it was started for matters more than the numbers
		return err
	}
	return f.exit(result)
}

// exit gives the command's exit code as ours: of several repeats that of the first
// one that failed.
func (f *statFlags) exit(result *counting.Result) error {
	if result.Running() {
		fmt.Fprintf(os.Stderr, "energyprof: counting has ended; waiting for the command\n")
		if err := result.Wait(); err != nil {
			return err
		}
	}
	for _, run := range result.Runs {
		switch {
		case run.Exit == nil:
		case run.Exit.Signal != 0:
			return commandExit(exitSignal + int(run.Exit.Signal))
		case run.Exit.Code != 0:
			return commandExit(run.Exit.Code)
		}
	}
	return nil
}
