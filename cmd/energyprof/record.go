package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/report"
)

// recordFlags are the flags of record, as they were given.
type recordFlags struct {
	runFlags
	sampling
	counter counterFlags
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
			return f.run(args, f.closing)
		},
	}
	f.register(c.Flags())
	return c
}

func (f *recordFlags) register(fl *pflag.FlagSet) {
	fl.Uint64VarP(&f.frequency, "freq", "F", defaultFrequency, "samples per second of CPU time")
	fl.Uint64VarP(&f.period, "count", "c", 0, "sample every so many events (nanoseconds, of a clock) instead")
	fl.StringArrayVarP(&f.specs, "event", "e", nil, "events to sample: cpu-clock, task-clock, cycles, page-faults, rNNNN, pmu/name/,\npmu/field=value,.../, group:name, mem:ADDR; time always comes from a clock")
	f.runFlags.register(fl)
	f.counter.register(fl)
}

// run records and then calls tell. Whatever can be refused is refused before the command starts.
func (f *recordFlags) run(args []string, tell func(*report.Recording, *session.Result) error) error {
	fs := pmu.NewFS("/sys", "/proc")
	r := run{flags: &f.runFlags, tell: tell}
	var err error
	if r.opt, err = f.target(fs, args); err != nil {
		return err
	}
	if r.opt.Events, err = f.events(fs); err != nil {
		return err
	}
	if r.energy, err = f.open(); err != nil {
		return err
	}
	defer r.energy.close()
	if r.counters, err = f.counter.open(&f.energyFlags, r.opt.Events); err != nil {
		return err
	}
	defer r.counters.close()
	if err := r.collected(); err != nil {
		return err
	}
	if r.what.Counters = r.counters.events; len(r.what.Counters) > 0 {
		r.what.CounterMethod = f.counterMethod()
	}
	if err := f.weigh(r.what.Events); err != nil {
		return err
	}
	return r.record()
}
