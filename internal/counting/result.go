package counting

import (
	"syscall"
	"time"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/uncore"
)

// Reading is what was counted in a stretch of time.
type Reading struct {
	Repeat   int   // from 0
	From, To int64 // CLOCK_MONOTONIC, ns

	// Counters says what Counts are, element by element. It is the same for all readings of
	// one repeat.
	Counters []uncore.Counter
	Counts   []perfring.Count // since From: Value, Enabled and Running

	// Joules are those used since From, by domain of Options.Energy; nil without it.
	Joules []float64
	// Failed says of a domain why Joules does not hold what it used; nil if all do.
	Failed []error
}

// Seconds is how long the stretch took.
func (r Reading) Seconds() float64 { return float64(r.To-r.From) / 1e9 }

// Run is one repeat.
type Run struct {
	Reading // of the whole repeat

	// Exit is how the command ended; nil while it runs, or without one.
	Exit *launch.Exit
	// Usage is CPU time of the command and the children it waited for; known with Exit.
	launch.Usage
	// Elapsed is the time from the command's go-ahead to its end, or to the end of counting
	// if it still runs. Without a command it is that of counting.
	Elapsed time.Duration
}

// NoteKind names a limitation that counting met, so that the command line can add what to do
// about it.
type NoteKind string

// The limitations.
const (
	NoteUserOnly NoteKind = "user-only" // no counting in the kernel allowed
	NoteCounters NoteKind = "counters"  // counters could not be read
	NoteIdentity NoteKind = "identity"  // the command became another user
)

// Note is something a reader of the numbers must know.
type Note struct {
	Kind NoteKind
	Text string
}

// Result is what Count found out.
type Result struct {
	Runs  []Run
	Notes []Note
	// Signal is the one that ended counting before its time; 0 if none did.
	Signal syscall.Signal

	pending *launch.Command
	signals *launch.Signals
}

// Running tells whether the last repeat's command still runs.
func (r *Result) Running() bool { return r.pending != nil }
