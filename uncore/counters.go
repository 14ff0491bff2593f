package uncore

import (
	"errors"

	"github.com/energyprof/energyprof/perfring"
)

// Target says what is counted.
type Target struct {
	// Threads are thread ids: what they do is counted, on whatever CPU. What
	// happens outside the cores is counted whoever caused it. nil counts
	// everything that happens on CPUs.
	Threads []int
	// CPUs are those to count on without Threads; nil is all that are online. Of a PMU
	// outside the cores the units nearest to them are counted.
	CPUs []int
	// OnExec lets the counters of threads begin when the thread executes a program,
	// without Enable.
	OnExec bool
	// Inherit counts the threads and processes, too, that the threads start.
	Inherit bool
}

// Counter is one counter of the kernel, or one that could not be had.
type Counter struct {
	Term   int    // index of Events.Terms
	PMU    string // "" if the event names none
	CPU    int    // -1: whatever CPU the thread runs on
	Thread int    // -1: whatever runs on the CPU
	// Group is the same for counters that the kernel counts at the same times or not
	// at all.
	Group int
	// UserOnly tells that this user may not count in the kernel, and that only what
	// user code does is counted.
	UserOnly bool
	// Err says why there is no counter: it wraps ErrNotSupported, ErrBusy or
	// ErrKernelOnly. nil if there is one.
	Err error
}

// Why an event is not counted while others are.
var (
	// ErrNotSupported says that the kernel or the hardware knows no such event.
	ErrNotSupported = errors.New("not supported")
	// ErrBusy says that somebody else holds the PMU.
	ErrBusy = errors.New("the PMU is busy")
	// ErrKernelOnly says that the event happens in the kernel, where this user may not count.
	ErrKernelOnly = errors.New("this user may not count in the kernel, and nowhere else does it happen")
)

// Counters are open counters. They are for one goroutine at a time.
type Counters struct {
	list   []Counter
	groups []openGroup
}

// openGroup is the events of one kernel group, the leader first.
type openGroup struct {
	first  int // index in list of the leader; the members follow
	events []*perfring.Event
	onExec bool
}

// List says what there is to read, in the order of Read.
func (c *Counters) List() []Counter { return c.list }

// Open opens the events for a target. Counters that cannot be had for a reason of their own
// are in List with their Err.
func (e *Events) Open(t Target) (*Counters, error) {
	return nil, errors.New("counters are being built")
}
