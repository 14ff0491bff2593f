package session

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/perfring"
)

// StackEvent is the index with which Sink.Record gets what the program of Stacks.BPF tells of a user stack: a
// perfring.Sample with RawData. That of a sample comes before the sample, with the same TID and, where nothing else
// was written between them, the same Time.
const StackEvent = -2

// Stacks says how user stacks are recorded beside the kernel's callchain, which is of frame pointers. Its zero value
// leaves them to that. Where they are recorded here, the callchains of the samples have the kernel's part alone, except
// with LBR.
type Stacks struct {
	// Copy is how many bytes of the user stack come with each sample, and perfring.RegsMask of the registers: a multiple
	// of 8 up to MaxCopy. With BPF it is that of events for which no program can run (tracepoints), 0 for DefaultCopy.
	Copy uint32
	// BPF runs at each overflow; nil without. The caller closes it after the recording.
	BPF *bpf.Stacks
	// LBR lets events of a CPU's own PMU bring the calls that the hardware remembers. Others, such as clocks, cannot.
	LBR bool
}

// Sizes of copies.
const (
	// DefaultCopy is what perf copies, too: stacks that are deeper are cut.
	DefaultCopy = 8192
	// MaxCopy is the largest copy that the kernel accepts (perf_copy_attr in kernel/events/core.c).
	MaxCopy = 1<<16 - 8
)

// ErrNoLBR says that no event can bring the calls that the hardware remembers.
var ErrNoLBR = errors.New("no event here has the last branch records of calls (LBR)")

// check tells what cannot be, of the stacks of events.
func (s Stacks) check(events []Event) error {
	given := 0
	for _, set := range []bool{s.BPF != nil, s.BPF == nil && s.Copy > 0, s.LBR} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("user stacks are recorded in one way only")
	case s.Copy%8 != 0 || s.Copy > MaxCopy:
		return fmt.Errorf("copies of %d bytes of the stack: the kernel wants a multiple of 8 up to %d", s.Copy, MaxCopy)
	case s.LBR && !slices.ContainsFunc(events, Event.hasCalls):
		return fmt.Errorf("%w: all of them are the kernel's own", ErrNoLBR)
	}
	return nil
}

// runsPrograms tells whether a program of perf events can run at the overflows of an event: those of
// tracepoints run others (perf_event_set_bpf_prog in kernel/events/core.c).
func (e Event) runsPrograms() bool { return e.Type != unix.PERF_TYPE_TRACEPOINT }

// hasCalls tells whether an event is one of those that may have last branch records: the CPU's own.
func (e Event) hasCalls() bool {
	switch e.Type {
	case unix.PERF_TYPE_SOFTWARE, unix.PERF_TYPE_TRACEPOINT, unix.PERF_TYPE_BREAKPOINT:
		return false
	}
	return true
}

// copies is how much of the user stack samples of an event bring.
func (o *Options) copies(e Event) uint32 {
	switch {
	case o.Stacks.BPF == nil:
		return o.Stacks.Copy
	case e.runsPrograms():
		return 0
	case o.Stacks.Copy == 0:
		return DefaultCopy
	}
	return o.Stacks.Copy
}

// stacks adds to the attributes of an event what its samples tell of stacks.
func (o *Options) stacks(a *perfring.Attr, e Event) {
	if o.Callchains {
		a.SampleFormat |= perfring.SampleCallchain
	}
	if n := o.copies(e); n > 0 {
		a.SampleFormat |= perfring.SampleRegsUser | perfring.SampleStackUser
		a.RegsUser, a.StackUser = perfring.RegsMask, n
	}
	if o.Stacks.large() {
		a.Flags |= perfring.FlagExcludeCallchainUser
	}
	if o.Stacks.LBR && e.hasCalls() {
		a.SampleFormat |= perfring.SampleBranchStack
		a.BranchFormat = unix.PERF_SAMPLE_BRANCH_USER | unix.PERF_SAMPLE_BRANCH_CALL_STACK
	}
}

// Whole gives the attributes that samples of an event have once whoever took them has completed their callchains, and
// what that was made of is left out: those of a file that keeps them so.
func Whole(a perfring.Attr) perfring.Attr {
	a.SampleFormat &^= perfring.SampleRegsUser | perfring.SampleStackUser | perfring.SampleBranchStack
	a.Flags &^= perfring.FlagExcludeCallchainUser
	a.RegsUser, a.StackUser, a.BranchFormat = 0, 0, 0
	return a
}

// WholeFormats gives, for each of Events, the fields of its samples as Whole leaves them.
func (o *Options) WholeFormats() []perfring.SampleFormat {
	var out []perfring.SampleFormat
	for _, e := range o.Events {
		a := perfring.Attr{SampleFormat: sampleFormat | e.SampleFormat}
		o.stacks(&a, e)
		out = append(out, Whole(a).SampleFormat)
	}
	return out
}

// large tells whether stacks make records large.
func (s Stacks) large() bool { return s.BPF != nil || s.Copy > 0 }
