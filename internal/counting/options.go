package counting

import (
	"errors"
	"os"
	"time"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/uncore"
)

// Options says what to count. With a command alone it is the command and what it starts;
// PIDs and All choose processes or whole CPUs instead, which are counted while the command
// runs, or without one until the processes end, the duration is over or a signal comes.
type Options struct {
	Events *uncore.Events // nil: only time and joules

	Command []string
	PIDs    []int
	All     bool
	CPUs    []int // of All: those to count on; nil is every one that is online

	NoInherit bool // of a command and of PIDs: not what they start
	// Repeats is how often all of it is done, each time from zero; 0 is once. Without
	// a command each repeat needs a Duration.
	Repeats int

	// Interval is the time between two readings for each; 0 reads at the end alone.
	Interval time.Duration
	Delay    time.Duration // from the start of the command, or of Count, until counting begins
	Duration time.Duration // of counting, after the delay; 0 is no limit

	Energy rapl.Source // nil without one; the caller closes it

	Proc string // root of procfs; "" is "/proc"

	// Abort is called, from another goroutine, when a second signal asks to
	// stop at once. The command has been sent the signal. It should not return.
	Abort func(os.Signal)
}

// Errors that a caller decides on.
var (
	ErrNoProcess = errors.New("no such process")
	ErrNoTarget  = errors.New("no process left to count")
	ErrTooManyFD = errors.New("not enough file descriptors")
)
