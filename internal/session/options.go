// Package session is a recording as it happens: it starts a command or attaches
// to what runs, opens the events, drains the rings of all CPUs in one
// goroutine, puts their records in time order and hands them, with the energy
// readings of the same clock, to a Sink.
//
//	command, pids or all CPUs
//	      |  events: one per CPU (and thread), one ring a CPU
//	rings --tick--> order --time order--> decode --> Sink.Record
//	  ^- walks of user stacks (BPF), before their samples
//	rapl.Recorder ---------------------------------> Sink.Energy, Sink.Count
//	sched_switch (BPF) ----------------------------> Sink.Others
//	or else /proc/stat ----------------------------> Sink.Busy
package session

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// Sink takes one ordered stream of what happened. All calls come from one
// goroutine.
type Sink interface {
	// Existing announces a process that ran before the recording began.
	Existing(pid int) error
	// Record takes a record in time order: from the ring of cpu, of the event with
	// that index in Options.Events, or -1, or StackEvent. It is valid during the call only.
	Record(rec perfring.Record, cpu, event int)
	// Busy is the kernel's own account: the CPU was busy for ns nanoseconds of
	// (from, to], whoever used it. Only when the recording is not system-wide.
	Busy(cpu int, from, to, ns int64)
	// Others is what tasks other than the target ran on the CPU: ns nanoseconds of
	// (from, to], exact. A recording has either this or Busy. All before to is
	// known when it comes; windows in which no other task ran are left out.
	Others(cpu int, from, to, ns int64)
	// Missed is CPU time of the target, ns of (from, to], for which the clock has
	// no samples: it was throttled, or its timer could not keep pace.
	Missed(cpu int, from, to, ns int64)
	// Energy is one point of a domain's series: joules since the start.
	Energy(domain int, t int64, joules float64)
	// Count is one point of a series of Options.Counters: counts since the start.
	Count(series int, t int64, counts float64)
	// Advance says that all that happened before t has been delivered.
	Advance(t int64)
}

// Options says what to record. Exactly one of Command, PIDs and All is set.
type Options struct {
	Command []string
	PIDs    []int
	All     bool

	Delay    time.Duration // from the start to the first sample
	Duration time.Duration // of the recording after the delay; 0 means no limit

	Events []Event // Events[0] is a clock

	Callchains    bool   // the kernel's: of its own code and, by frame pointers, of user code
	Stacks        Stacks // of user code, by other means
	ExcludeUser   bool
	ExcludeKernel bool
	Pages         int // data pages per ring, a power of two; 0 for what the samples need

	Energy   *rapl.Recorder // nil without a source of energy
	Counters *rapl.Recorder // of counts, nil without any
	NoBPF    bool           // what others run from /proc/stat even where the scheduler could tell

	FS         pmu.FS
	Proc       string // root of procfs, "/proc"
	MaxPending int    // bytes of records held back for time order; 0 for what the rings need

	// Tap, if set, is given the bytes of each record just before Sink.Record is
	// given the record. They are valid during the call only.
	Tap func(record []byte)

	// Abort is called, from another goroutine, when a second signal asks to
	// stop at once. The command has been sent the signal. It should not return.
	Abort func(os.Signal)
}

// Event is one sampled event. It is opened on its CPUs alone, of which an event of one
// kind of core has a list.
type Event struct {
	pmu.Event
	Frequency uint64 // samples per second, when Period is 0
	Period    uint64 // in counts of the event; nanoseconds for a clock
	// SampleFormat is what its samples carry beside what all do: any of fieldsOfChoice.
	SampleFormat perfring.SampleFormat
	// Leader is an event that only counts and has to lead the group of this one, on the
	// same CPUs; nil without. Intel's mem-loads wants mem-loads-aux there (see
	// intel_pmu_hw_config in arch/x86/events/intel/core.c).
	Leader *pmu.Event
}

// fieldsOfChoice are the fields that an event may add to its samples. Others stand at
// the end of all records of a ring as well, or want more attributes than an Event has.
const fieldsOfChoice = perfring.SampleAddr | perfring.SampleRaw | perfring.SampleWeight | perfring.SampleDataSrc |
	perfring.SampleTransaction | perfring.SamplePhysAddr | perfring.SampleCGroup | perfring.SampleDataPageSize |
	perfring.SampleCodePageSize | perfring.SampleWeightStruct

// Nominal is the count between two samples of a clock: its period, or what the
// frequency makes of a second.
func (e Event) Nominal() time.Duration {
	if e.Period > 0 {
		return time.Duration(e.Period)
	}
	return time.Second / time.Duration(e.Frequency)
}

// Times and sizes of the drain loop.
const (
	// Waking up per record costs 50 to 300 times as much as a tick; 250 ms is
	// what docs/decisions/drain.md measured.
	tick = 250 * time.Millisecond
	// The kernel wakes the loop early when a ring is this full.
	watermarkPercent = 80
	// DefaultPages makes a ring of 516 KiB with its first page: exactly
	// what kernel.perf_event_mlock_kb allows an unprivileged user per CPU.
	DefaultPages = 128
	// MaxPages makes a ring of 256 MiB per CPU, many seconds of the fastest clock:
	// more would only take memory from what is measured.
	MaxPages = 1 << 16
	// DefaultMaxPending bounds the records held back for time order; with large rings, as
	// copies of stacks want them, three times their size does, up to MostPending.
	DefaultMaxPending = 64 << 20
	MostPending       = 1 << 30
	// /proc/stat counts in ticks of 10 ms, so a shorter window has no meaning.
	busyWindow = time.Second
	// A command that was told to end gets this long before the profile is
	// written without its exit code.
	signalGrace = time.Second
)

// Errors that a caller decides on.
var (
	ErrNoTarget  = errors.New("no process left to record")
	ErrNoProcess = errors.New("no such process")
	ErrTooManyFD = errors.New("not enough file descriptors")
	// ErrForeignProc says that one number names two processes: one for the events, and another one in /proc.
	ErrForeignProc = errors.New("the numbers of its processes are of another PID namespace")

	ErrNoMemory = errors.New("the user's allowance of locked memory is used up")
)

func (o *Options) check() error {
	targets := 0
	for _, set := range []bool{len(o.Command) > 0, len(o.PIDs) > 0, o.All} {
		if set {
			targets++
		}
	}
	if targets != 1 {
		return fmt.Errorf("exactly one of a command, processes and all CPUs can be recorded, not %d", targets)
	}
	if len(o.Events) == 0 || !o.Events[0].Clock {
		return errors.New("the first event must be a clock")
	}
	if o.Pages < 0 || o.Pages&(o.Pages-1) != 0 {
		return fmt.Errorf("%d pages: a ring has a power of two of them", o.Pages)
	}
	if o.Pages > MaxPages {
		return fmt.Errorf("%d pages: a ring has %d at most", o.Pages, MaxPages)
	}
	if err := o.Stacks.check(o.Events); err != nil {
		return err
	}
	for _, e := range o.Events {
		if (e.Period == 0) == (e.Frequency == 0) {
			return fmt.Errorf("%s: needs either a frequency or a period", e.Name)
		}
		if bad := e.SampleFormat &^ fieldsOfChoice; bad != 0 {
			return fmt.Errorf("%s: its samples cannot have the fields %#x added", e.Name, uint64(bad))
		}
	}
	return nil
}
