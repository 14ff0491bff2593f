package main

import (
	"errors"
	"math/rand/v2"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/runs"
)

// benchFlags are the flags of bench, as they were given.
type benchFlags struct {
	recordFlags

	repeats int
	warmup  int
	dir     string
	ignore  bool
	file    string // of Go benchmarks

	first string // command of --ab
	seed  uint64

	plan planFlags

	changed func(flag string) bool
}

// benchRecordFlags are those of record's flags that say how a command is recorded. The others are about other
// targets, parts of a run, and the files of one recording.
var benchRecordFlags = []string{"freq", "count", "event", "call-graph", "mmap-pages", "user", "kernel", "quiet", "counter", "event-file",
	"energy", "energy-event", "energy-scale", "energy-interval", "attribution", "baseline", "weight"}

// defaultRepeats is how many runs find +10 % in one of 50 functions where a run varies by 5 % (bench --plan).
const defaultRepeats = 20

func newBench() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench [flags] -o DIR [--] command [args...] | bench [flags] -o DIR --ab 'COMMAND A' 'COMMAND B' | bench --plan [flags] [[--] command]",
		Short: "Record a command again and again, for diff and check to compare",
		Long: "Bench records a command -r times, one run after the other, and writes a directory: a profile and\n" +
			"a summary of each run, and a manifest of the machine, the source of energy and the runs. diff and\n" +
			"check compare two such directories.\n\n" +
			"With --ab two commands, which a shell runs, take turns: in each of -r pairs both run, in random\n" +
			"order, so that what drifts on the machine is the same for both. DIR/a and DIR/b are their runs.\n\n" +
			"With --plan nothing is written: it says how many runs it takes to find a change, from --noise or\n" +
			"from the noise of a few runs of a command (then on standard error, as the other is the command's).\n\n" +
			"The first run that fails ends the bench, and its exit code is that of bench (128+signal if it was\n" +
			"killed); 125 is a failure of energyprof, 126 if the command cannot be executed and 127 if it was\n" +
			"not found. INT, TERM and HUP are passed to the command and end the bench: that run is thrown away,\n" +
			"those before it are kept.",
		Example: "  energyprof bench -r 20 --warmup 2 -o new -- ./app --its-flag\n  energyprof bench --ab './app.old x' './app.new x' -r 20 -o out\n" +
			"  energyprof bench --plan --noise 5% --change 10% --functions 50\n  energyprof bench --plan -- ./app",
		Annotations: map[string]string{runsCommand: "yes"},
		RunE: func(c *cobra.Command, args []string) error {
			f.changed = c.Flags().Changed
			return f.run(c, args)
		},
	}
	fl := c.Flags()
	fl.SetInterspersed(false) // what follows the command is the command's
	fl.IntVarP(&f.repeats, "runs", "r", defaultRepeats, "runs that are kept (with --ab: pairs)")
	fl.IntVar(&f.warmup, "warmup", 0, "runs before these, of which nothing is kept")
	fl.StringVarP(&f.dir, "output", "o", "", "the directory of the runs: a new or an empty one")
	fl.BoolVar(&f.ignore, "ignore-failures", false, "go on when the command fails, keep those runs too, and exit with 0")
	fl.StringVar(&f.file, "bench", "", "write Go's benchmark format, for benchstat, to this file, too")
	fl.StringVar(&f.first, "ab", "", "the first of two commands that take turns; the other one is the argument")
	fl.Uint64Var(&f.seed, "seed", 0, "of the order within the pairs of --ab (default: a random one, which is printed)")
	f.plan.register(fl)
	var all pflag.FlagSet
	f.register(&all)
	for _, name := range benchRecordFlags {
		fl.AddFlag(all.Lookup(name))
	}
	return c
}

// run checks the flags and runs the bench, or plans one.
func (f *benchFlags) run(c *cobra.Command, args []string) error {
	commands := [][]string{args}
	if f.changed("ab") {
		second, err := f.second(c, args)
		if err != nil {
			return err
		}
		commands = [][]string{{"sh", "-c", f.first}, {"sh", "-c", second}}
	}
	f.frequencySet, f.periodSet = f.changed("freq"), f.changed("count")
	if f.plan.wanted {
		return f.runPlan(c, commands)
	}
	if err := f.check(commands); err != nil {
		return err
	}
	b, err := newBenchRun(f, commands)
	defer b.close()
	if err != nil {
		return err
	}
	err = b.all()
	var ended commandExit
	if err != nil && !errors.As(err, &ended) {
		return err
	}
	if closing := b.closing(); closing != nil {
		return closing
	}
	return err
}

// second is the second command of --ab, and the flags behind it are taken.
func (f *benchFlags) second(c *cobra.Command, args []string) (string, error) {
	if len(args) == 0 {
		return "", usagef("--ab takes two commands: --ab 'COMMAND A' 'COMMAND B'")
	}
	command := args[0]
	if err := c.Flags().Parse(args[1:]); err != nil {
		return "", usageError{err}
	}
	if rest := c.Flags().Args(); len(rest) > 0 {
		return "", usagef("--ab takes two commands, each in one argument for a shell: %q is a third", rest[0])
	}
	return command, nil
}

// check refuses what makes no sense.
func (f *benchFlags) check(commands [][]string) error {
	switch {
	case len(commands) == 1 && len(commands[0]) == 0:
		return usagef("nothing to run: give a command after --, or two with --ab")
	case f.dir == "":
		return usagef("-o DIR is missing: the directory of the runs")
	case f.repeats < 1:
		return usagef("-r %d: the number of runs is 1 at least", f.repeats)
	case f.warmup < 0:
		return usagef("--warmup %d: the number of runs cannot be negative", f.warmup)
	case f.changed("seed") && len(commands) == 1:
		return usagef("--seed is of the order of --ab")
	case f.changed("bench") && f.file == "":
		return usagef("--bench: the file has no name")
	}
	for _, name := range planOnly {
		if f.changed(name) {
			return usagef("--%s belongs to --plan", name)
		}
	}
	if len(commands) == 2 && !f.changed("seed") {
		f.seed = rand.Uint64N(1 << 53) // which all readers of JSON take exactly
	}
	return nil
}

// pairOf says what a manifest tells of the two commands of --ab; nil of one.
func (f *benchFlags) pairOf(commands [][]string, side int) *runs.Pair {
	if len(commands) == 1 {
		return nil
	}
	return &runs.Pair{Side: []string{runs.SideA, runs.SideB}[side], Other: commands[1-side], Seed: f.seed}
}
