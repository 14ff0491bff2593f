package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/perfring"
)

// NoteKind names a limitation that a recording met, so that the command line
// can add what to do about it.
type NoteKind string

// The limitations.
const (
	NoteUserOnly   NoteKind = "user-only"   // no samples in the kernel allowed
	NoteSmallRing  NoteKind = "small-ring"  // locked memory allowance used up
	NoteFiltered   NoteKind = "filtered"    // whole CPUs sampled for lack of descriptors
	NoteHotplug    NoteKind = "hotplug"     // a CPU came or went
	NoteEnergy     NoteKind = "energy"      // the energy readings have a flaw
	NoteCounters   NoteKind = "counters"    // the readings of the counters have a flaw
	NoteOthers     NoteKind = "others"      // what other processes used is unknown
	NoteTicks      NoteKind = "ticks"       // what other processes used is known roughly
	NoteNoBPF      NoteKind = "no-bpf"      // the same, for lack of the right to load BPF programs
	NoteMissed     NoteKind = "missed"      // the clock could not sample all of the time
	NoteCoarse     NoteKind = "coarse"      // tasks ran for too short a time for the rate
	NoteNothing    NoteKind = "nothing"     // there is no sample
	NoteIdentity   NoteKind = "identity"    // the command became another user
	NoteExcluded   NoteKind = "excluded"    // time of the target outside what was to be sampled
	NoteNoStacks   NoteKind = "no-stacks"   // samples without a user stack
	NoteLostStacks NoteKind = "lost-stacks" // the same, for want of room
	NoteCopied     NoteKind = "copied"      // samples of an event whose stacks are not walked in the kernel
	NoteEnded      NoteKind = "ended"       // the command still runs after the recording
)

// Note is something a reader of the profile must know.
type Note struct {
	Kind NoteKind
	Text string
}

// Result is what a recording knows beside what it gave to its Sink.
type Result struct {
	Wall       time.Time // of Start
	Start, End int64     // of the recording, CLOCK_MONOTONIC nanoseconds
	Books      perfring.Books
	Events     []perfring.EventBooks // of Options.Events, in their order
	Late       uint64                // records delivered out of order
	Notes      []Note
	Opened     []Opened // the events of the records, in the order of Options.Events; a sideband event of its own is last

	// Ran is the time in which the clock event was scheduled, over all CPUs:
	// the CPU time that the kernel says the samples stand for.
	Ran time.Duration

	Exit    *launch.Exit  // of the command; nil while it runs, or without one
	used    time.Duration // CPU time of the command and its waited-for children; with Exit
	pending *launch.Command
	signals *launch.Signals
}

// Opened is what was opened of one event.
type Opened struct {
	Name string
	Attr perfring.Attr
	IDs  []uint64 // that its records carry
}

// Wait waits for a command that outlives its recording.
func (r *Result) Wait() error {
	if r.pending == nil {
		return nil
	}
	exit, used, err := r.pending.Wait()
	if err != nil {
		return err
	}
	r.pending = nil
	r.Exit, r.used = &exit, used.User+used.System
	return nil
}

// Running tells whether the command still runs.
func (r *Result) Running() bool { return r.pending != nil }

// Close gives the signals back to their default actions.
func (r *Result) Close() {
	if r.signals != nil {
		r.signals.Close()
		r.signals = nil
	}
}

func (r *recording) note(kind NoteKind, format string, args ...any) {
	n := Note{kind, fmt.Sprintf(format, args...)}
	if !slices.Contains(r.result.Notes, n) {
		r.result.Notes = append(r.result.Notes, n)
	}
}
