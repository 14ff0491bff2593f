package main

import (
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyprof/energyprof/internal/verdict"
	"github.com/energyprof/energyprof/report/gate"
)

// checkFlags are the flags of check, as they were given.
type checkFlags struct {
	baseline []string

	max          [4]string // by limitedTotals
	function     []string
	functionTime []string
	minJoules    float64
	minSeconds   float64

	junit, badge         string
	json                 bool
	model, otherMachines bool
	actions              bool   // this is a step of GitHub Actions
	summary              string // its file
	stdout, stderr       io.Writer
	now                  func() time.Time
}

// limitedTotals are the quantities of a run that can be limited, and the flags that do.
var limitedTotals = [4]struct {
	flag, help string
	quantity   gate.Quantity
}{
	{"max-energy", "largest increase of the program's joules", gate.Energy},
	{"max-time", "largest increase of its CPU seconds", gate.Time},
	{"max-elapsed", "largest increase of its seconds by the wall clock", gate.Elapsed},
	{"max-power", "largest increase of its watts: joules by seconds of the wall clock", gate.Power},
}

const checkHelp = `Hold new runs of a command against those of a baseline. Both are directories of
"energyprof bench", or the files of several runs.

A limit of +5 % is a statement about what a run usually takes, not about the runs that
happened to be made. It FAILS only where the data show that the increase is above 5 %:
the chance that anything fails although all limits are kept is at most 1 %, over all limits
and functions together (Holm). It PASSES only where they show that the increase is below
5 %: the chance that a limit passes that is exceeded is at most 0.5 %. Between the two it
is UNDECIDED, and the report says how many more runs of each side would decide it, and
which increase as many runs as there are would have shown. So a limit has to leave room
for what the runs can tell: with a limit of 0 nothing passes that has not become less.
"energyprof bench --plan" says before they are made how many runs it takes: at 5 % noise
about 12 of each side show a change of +10 % of a total to be above a limit of 0, and 38 to
be above +5 %; of one function of 50 it takes about 20 and 66.

Limits are percentages: +5%, 5%, -2% (the new runs have to take 2 % less) or 0. Those of
--function are of each function whose name matches the regular expression
(https://pkg.go.dev/regexp/syntax, anywhere in the name) and that takes --min-joules or
--min-seconds in a run; a limit that no such function matches is undecided.

Joules are compared only if both sides have them from the same source on the same kind
of machine, measured, and shared out among functions in the same way; the flags
--allow-model and --allow-different-machine lift two of these. Without limits on energy or
power nothing of that is needed: time is gated anywhere.

In GitHub Actions (GITHUB_ACTIONS=true) what did not pass becomes annotations, and the
report is appended to the step's summary ($GITHUB_STEP_SUMMARY).

Exit code: 0 all limits are kept, 1 one is exceeded, 2 wrong usage, 3 the two sides
cannot be compared or a file cannot be read or written, 4 undecided.`

func newCheck() *cobra.Command {
	f := checkFlags{now: time.Now}
	c := &cobra.Command{
		Use:   "check --baseline DIR [--max-energy +5%] [--max-time +3%] [flags] DIR",
		Short: "Fail where a limit on joules or seconds is exceeded with confidence, against a baseline",
		Long:  checkHelp,
		Example: "  energyprof bench -r 40 -o base -- ./app-old\n" +
			"  energyprof bench -r 40 -o new -- ./app-new\n" +
			"  energyprof check --baseline base --max-energy +5% --max-time +3% --function '^decode=+10%' new",
		RunE: func(c *cobra.Command, args []string) error {
			f.stdout, f.stderr = c.OutOrStdout(), c.ErrOrStderr()
			if os.Getenv("GITHUB_ACTIONS") == "true" {
				f.actions, f.summary = true, os.Getenv("GITHUB_STEP_SUMMARY")
			}
			return f.check(args)
		},
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.baseline, "baseline", nil, "directory of the runs to compare with (or a file of one run; repeat it for more)")
	for i, l := range limitedTotals {
		fl.StringVar(&f.max[i], l.flag, "", l.help+", as +5%")
	}
	fl.StringArrayVar(&f.function, "function", nil, "largest increase of the joules of each function that matches, as REGEXP=+10%; repeat it for more")
	fl.StringArrayVar(&f.functionTime, "function-time", nil, "the same of CPU seconds")
	def := gate.DefaultOptions()
	fl.Float64Var(&f.minJoules, "min-joules", def.MinJoules, "functions are checked that take as many joules in a run")
	fl.Float64Var(&f.minSeconds, "min-seconds", def.MinSeconds, "or as many seconds of CPU time")
	fl.StringVar(&f.junit, "junit", "", "write JUnit XML to this file")
	fl.StringVar(&f.badge, "badge", "", "write the JSON of a shields.io endpoint badge to this file")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.model, "allow-model", false, "limits on joules may be of a model's estimate")
	fl.BoolVar(&f.otherMachines, "allow-different-machine", false, "limits on joules may be across machines, or where a side does not tell its machine")
	return c
}

// checkError is why a check could not be made: exit code 1 is for limits that are exceeded, and for nothing else.
type checkError struct{ err error }

func (e checkError) Error() string { return e.err.Error() }
func (e checkError) Unwrap() error { return e.err }

// decided carries the exit code of a decision.
type decided int

func (decided) Error() string { return "" }

var exitOf = map[string]error{verdict.Pass: nil, verdict.Fail: decided(exitFailed), verdict.Undecided: decided(exitUndecided)}

func (f *checkFlags) check(args []string) error {
	limits, err := f.limits(args)
	if err != nil {
		return err
	}
	if err := spareInputs(slices.Concat(f.baseline, args), []wantedFile{{"--junit", f.junit}, {"--badge", f.badge}}); err != nil {
		return err
	}
	files, err := f.createFiles()
	if err != nil {
		return checkFailed(err)
	}
	defer files.discard()
	report, refused := f.compare(args, limits)
	if err := errors.Join(refused, f.publish(report, files)); err != nil {
		return checkFailed(err)
	}
	return exitOf[report.Decision]
}

// checkFailed makes an error of check what it is, unless it is one of usage.
func checkFailed(err error) error {
	if errors.As(err, new(usageError)) {
		return err
	}
	return checkError{err}
}

// finite tells whether a flag's number can be an amount.
func finite(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
