// Package gate compares the energy and time of two sets of runs of a command, before and after a change, and decides
// whether a limit is exceeded. It is pure mathematics: no I/O, no clock, no kernel.
//
// # What is compared
//
// The logarithms of the amounts of the runs: differences are relative, and so is noise. Of each quantity of the whole
// (energy, CPU time, elapsed time, power, cycles) and of the energy and time of each function the difference is tested by
// Welch's t, since the two sides need not be equally noisy; of pairs of runs that ran one after the other by the t of their
// ratios, which slow drift does not touch. From 16 runs on single runs that lie far off count for less (Huber). All
// tests of a comparison share one probability to err (Holm). Bootstrap intervals are not among the methods: of ten
// runs there is no one in ten thousand to be read off, which is what one of a hundred tests has to be sure of.
//
// Where the runs are so few that the sides lie apart altogether by chance more often than a test may err, only the shape
// of the noise is left to rely on, and a run is taken to vary by 3 % at least: machines have two speeds more often than
// they have less noise.
//
// # What is decided
//
// A limit fails if the change is above it with confidence, and passes if it is below it with confidence: these are two
// tests of two hypotheses, that the limit is kept and that it is exceeded. In between the check is undecided and says how
// many more runs decide it, if the change is what it seems to be. Fewer than MinRuns runs decide nothing.
//
// # What can be found
//
// Change.Detectable is found with the probability of Options.Power by as many other runs, although its size comes from noise
// that is estimated from these. It is for noise like that of these runs: a disturbance that they did not have, it does
// not know. Plan says the same before there are runs. Package simulate has programs whose change is known, and command
// simulate/accuracy the tables of how often all this holds.
package gate

import "errors"

// Key names a function the same way in two builds: by its name and the base name of the file that it is mapped from, so
// that neither addresses nor the place of a build matter.
type Key struct{ Name, Library string }

// Amount is what a function or a whole run took. NaN: not known.
type Amount struct {
	Seconds float64 // of CPU time
	Joules  float64
	Cycles  float64
}

// Run is one run of a command.
type Run struct {
	Elapsed float64 // s by the wall clock; NaN or 0: not known
	Total   Amount  // of everything that ran, with what no function has
	// Functions are the functions' own amounts, without what they call. A function that is missing was not seen.
	Functions map[Key]Amount
}

// Quantity is what is compared.
type Quantity int

// The quantities of a run or a function.
const (
	Energy  Quantity = iota // J
	Time                    // s of CPU time
	Elapsed                 // s by the wall clock, of a run only
	Power                   // W: of a run joules by elapsed seconds (by CPU seconds where those are not known), of a function by its CPU seconds
	Cycles                  // CPU cycles
)

// Options say what is compared and how sure the answers have to be. The zero value is not ready for use: see
// DefaultOptions.
type Options struct {
	// FamilyError is the probability that anything is named or fails by chance alone, over all tests together.
	FamilyError float64
	// Confidence is that of each interval for itself.
	Confidence float64
	// Power is the probability with which a change of the size Change.Detectable is found.
	Power float64
	// Energy says that the joules of the two sides can be compared. Without it only time, cycles and elapsed time are.
	Energy bool
	// Paired says that old[i] and new[i] ran one after the other, so that drift cancels in each pair.
	Paired bool
	// MinJoules and MinSeconds are what a function has to take on average, on one side at least, to be tested; one of the
	// two is enough. MinJoules counts only with Energy.
	MinJoules, MinSeconds float64
	// Limits are what Check holds the changes against.
	Limits []Limit
}

// DefaultOptions are a family-wise error of 1 %, intervals of 95 %, and functions from 0.5 J or 50 ms on.
func DefaultOptions() Options {
	return Options{FamilyError: 0.01, Confidence: 0.95, Power: 0.95, Energy: true, MinJoules: 0.5, MinSeconds: 0.05}
}

// Change is how a quantity differs between the two sides. Ratios are new by old: 1.1 is +10 %.
type Change struct {
	Quantity Quantity
	// Old and New are the centres of the runs, in the quantity's unit: geometric means, for which from 16 runs on those far
	// off count for less.
	Old, New float64
	Ratio    float64 // the estimate: New/Old, or of pairs the centre of their ratios
	// Low and High bound the ratio with Options.Confidence. NaN with fewer than MinRuns runs on a side.
	Low, High float64
	// P is the probability of such a difference or a larger one without a change (two-sided, Welch): below that of two sides
	// which lie apart altogether only if it is for noise of 3 %, too. Adjusted is that of one such test in the whole family
	// (Holm), doubled as a reserve for noise that is not normal. NaN: not tested.
	P, Adjusted float64
	Significant bool // Adjusted is at most Options.FamilyError
	// Noise is the relative standard deviation of a run (of a pair's ratio, where runs are paired) in this quantity.
	Noise float64
	// Detectable is the smallest relative increase (0.08: +8 %) that as many runs find with probability Options.Power, as
	// one of the family. +Inf: none.
	Detectable float64
}

// FunctionChange is how a function differs.
type FunctionChange struct {
	Key
	Energy, Time, Power Change // Energy and Power are NaN without Options.Energy
	Named               bool   // the function has changed, with the certainty of the family
	// Because says what moved the energy of a named function: "time", "power", "both", or "" where the data cannot tell.
	Because string
	// TimePart and PowerPart are what time and power contribute to the difference, in joules per run. They add up to it.
	TimePart, PowerPart float64
}

// Single is a function that one side lacks.
type Single struct {
	Key
	Amount // mean per run
	// Maybe is the function of the other side that this one may be under another name: of the same library, with a
	// similar amount, and as alone. nil: none.
	Maybe *Key
}

// Comparison is what Compare found.
type Comparison struct {
	Old, New int // runs
	Paired   bool
	Totals   []Change // of the quantities that are known, in the order of Quantity
	// Because, TimePart and PowerPart are those of the total energy: of elapsed time and watts.
	Because             string
	TimePart, PowerPart float64
	Functions           []FunctionChange // tested ones, the largest difference in joules (without Energy: seconds) first
	Small               int              // functions that are not tested: below MinJoules and MinSeconds, or missing in runs of both sides
	Added, Removed      []Single         // largest first
	Family              int              // tests among which the error is shared
}

const (
	// MinRuns is how many runs a side needs for any statement of confidence.
	MinRuns = 3
	// MaxRuns is the largest number of runs that Plan and Verdict.MoreRuns look at.
	MaxRuns = 1000
)

// Errors of Compare and Check; they are wrapped with the place.
var (
	ErrNoRuns  = errors.New("no runs")
	ErrOneRun  = errors.New("a baseline of one run has no noise to compare with")
	ErrAmount  = errors.New("not an amount")
	ErrOptions = errors.New("options")
)
