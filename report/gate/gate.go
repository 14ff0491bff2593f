// Package gate compares the energy and time of two sets of runs and decides whether a limit is exceeded. It is pure
// mathematics: no I/O, no clock, no kernel.
package gate

import (
	"errors"
	"math"
	"regexp"
)

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
	Power                   // W: of a run joules by elapsed seconds, of a function joules by its CPU seconds
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
	Old, New float64 // medians, in the quantity's unit
	Ratio    float64 // the estimate; close to New/Old, but runs far off count for less
	// Low and High bound the ratio with Options.Confidence. NaN with fewer than MinRuns runs on a side.
	Low, High float64
	// P is the probability of such a difference or a larger one without a change (two-sided), Adjusted the same for the
	// whole family (Holm). NaN: not tested.
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
	Small               int              // functions below MinJoules and MinSeconds: not tested
	Added, Removed      []Single         // largest first
	Family              int              // tests among which the error is shared
}

// Limit is the largest relative increase that is allowed.
type Limit struct {
	Quantity Quantity
	Function *regexp.Regexp // nil: the total
	Max      float64        // 0.05: +5 %
}

// Decision is what a check says of a limit.
type Decision int

// The decisions.
const (
	Undecided Decision = iota // the data cannot tell
	Pass                      // below the limit, with confidence
	Fail                      // above the limit, with confidence
)

// Verdict is what became of one limit on one thing.
type Verdict struct {
	Limit  Limit
	Key    *Key // nil: the total
	Change Change
	Decision
	// P is the probability, adjusted for the family, of such data if the limit were kept, and PassP of such data if it were
	// not (not adjusted: for a check to pass all its limits have to).
	P, PassP float64
	// MoreRuns is how many more runs on each side would decide it with probability Options.Power if the change is what it
	// seems to be. 0: decided; -1: more than MaxRuns.
	MoreRuns int
	// Detectable is the smallest relative increase that as many runs show to be above the limit with probability
	// Options.Power. +Inf: none.
	Detectable float64
	Because    string // of a change of energy: "time", "power", "both" or "": see FunctionChange
}

// Result is what Check found.
type Result struct {
	*Comparison
	Verdicts  []Verdict // of each limit in order, its functions in the order of Comparison.Functions
	Unmatched []Limit   // limits on functions of which none was tested
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

// Compare says what changed from old to new.
func Compare(old, new []Run, opt Options) (*Comparison, error) { return nil, errors.ErrUnsupported }

// Check compares and holds the changes against Options.Limits.
func Check(old, new []Run, opt Options) (*Result, error) { return nil, errors.ErrUnsupported }

// Decision is the decision of the whole: Fail if one limit is exceeded, else Undecided if one is, else Pass.
func (r *Result) Decision() Decision { return Undecided }

// Plan is how many runs on each side find a change among a number of functions (1: one metric alone).
func Plan(noise, change, limit float64, functions int) (int, error) {
	return 0, errors.ErrUnsupported
}

// NotKnown is an amount that was not measured.
var NotKnown = math.NaN()
