package uncore

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
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
	// user code does is counted. It is not set of the clocks, which the kernel counts whole.
	UserOnly bool
	// Err says why there is no counter: it wraps ErrNotSupported, ErrBusy or
	// ErrKernelOnly. nil if there is one.
	Err error
}

// Counters are open counters. They are for one goroutine at a time.
type Counters struct {
	list   []Counter
	groups []openGroup
	buf    []perfring.Count
}

// openGroup is the counters that were opened as one group of the kernel.
type openGroup struct {
	events []*perfring.Event // the leader first
	at     []int             // by event: index in list
	onExec bool
}

// Open opens the events for a target, turned off. Each event outside of braces is
// alone; a group is one group of the kernel, which counts all of its events at the same
// times, or none. A counter that cannot be had for a reason of its own, because it is not
// supported or somebody holds its PMU, is in List with its Err, and the rest of its
// group goes on without it.
//
// Everything else is an error, and nothing is open then: an *OpenError names the event and
// says what the kernel answered, a *MisfitError which member does not fit into its group.
// Threads that have ended meanwhile and CPUs that went away are passed over.
func (e *Events) Open(t Target) (*Counters, error) {
	where, err := e.machine.sites(t)
	if err != nil {
		return nil, err
	}
	o := opener{machine: e.machine, target: t, counters: &Counters{}}
	for _, g := range e.groups {
		if err := o.open(g, where.of(g.Events[0])); err != nil {
			o.counters.Close()
			return nil, err
		}
	}
	return o.counters, nil
}

// List says what there is to read, in the order of Read.
func (c *Counters) List() []Counter { return c.list }

// Enable starts all counters but those that an execve starts.
func (c *Counters) Enable() error {
	for _, g := range c.groups {
		if g.onExec {
			continue
		}
		if err := g.events[0].Enable(); err != nil {
			return fmt.Errorf("starting the counters: %w", err)
		}
	}
	return nil
}

// Disable stops all counters.
func (c *Counters) Disable() error {
	var first error
	for _, g := range c.groups {
		if err := g.events[0].Disable(); err != nil && first == nil {
			first = fmt.Errorf("stopping the counters: %w", err)
		}
	}
	return first
}

// Read puts what was counted since Open into dst, element by element of List. The
// members of a group are read at once. A counter that could not be had has zeros: it was
// never running. If one cannot be read dst keeps what it had of its group, the others are
// read all the same, and the error is that of the first.
func (c *Counters) Read(dst []perfring.Count) error {
	var first error
	for _, g := range c.groups {
		if err := g.read(dst, &c.buf); err != nil && first == nil {
			first = fmt.Errorf("reading counters %s: %w", where(g.events[0].PID, g.events[0].CPU), err)
		}
	}
	return first
}

func (g openGroup) read(dst []perfring.Count, buf *[]perfring.Count) error {
	if g.events[0].Attr.ReadFormat&perfring.ReadGroup == 0 {
		count, err := g.events[0].ReadCount()
		if err == nil {
			dst[g.at[0]] = count
		}
		return g.lost(err, dst)
	}
	counts, err := g.events[0].ReadGroupCount((*buf)[:0])
	if err != nil {
		return g.lost(err, dst)
	}
	*buf = counts
	if len(counts) != len(g.at) {
		return fmt.Errorf("a group of %d has %d counts", len(g.at), len(counts))
	}
	for i, at := range g.at {
		dst[at] = counts[i]
	}
	return nil
}

// lost takes in a pinned event that found no counter, of which the kernel tells nothing any more:
// its times say that it should have run and never did. With none, a sum would pass over it.
func (g openGroup) lost(err error, dst []perfring.Count) error {
	if !errors.Is(err, perfring.ErrEventError) {
		return err
	}
	for _, at := range g.at {
		dst[at] = perfring.Count{Enabled: dst[at].Enabled + 1}
	}
	return nil
}

// Close closes all counters.
func (c *Counters) Close() error {
	var errs []error
	for _, g := range c.groups {
		errs = append(errs, g.close())
	}
	c.groups = nil
	return errors.Join(errs...)
}

func (g openGroup) close() error {
	var errs []error
	// Members first: a leader that goes away makes each of them a leader.
	for _, e := range slices.Backward(g.events) {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// attr builds the attributes of an event that counts.
func attr(ev pmu.Event) perfring.Attr {
	return perfring.Attr{
		Type: ev.Type, Config: ev.Config, Config1: ev.Config1, Config2: ev.Config2, Config3: ev.Config3, Config4: ev.Config4,
		BPType: ev.BPType, PreciseIP: ev.Precise, Flags: perfring.Flags(ev.Flags()),
		ReadFormat: perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning,
	}
}

// kernelOnly tells whether an event happens while the kernel runs and at no other
// time, so that without the kernel its count is always zero: the scheduler's.
func kernelOnly(ev pmu.Event) bool {
	const cgroupSwitches = 11 // PERF_COUNT_SW_CGROUP_SWITCHES
	switch ev.Config {
	case unix.PERF_COUNT_SW_CONTEXT_SWITCHES, unix.PERF_COUNT_SW_CPU_MIGRATIONS, cgroupSwitches:
		return ev.Type == unix.PERF_TYPE_SOFTWARE
	}
	return false
}
