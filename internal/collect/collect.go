// Package collect turns the ordered stream of records, energy readings, counts and busy times of a
// recording into stacks that have CPU time, event counts, joules and shares of what counters counted.
//
//	fork, exec, comm, mmap, exit --> processes and what is mapped where in them
//	sample --> whose, which frames --> stack id --> counts, and CPU time for attribution
//	lost records, busy CPUs -------------> [lost] and [other processes] for attribution
//	readings ----------------------------> attribution
//
// Frames are resolved to a mapping when a stack is first seen, because the mapping may be gone
// later, and the file behind it is opened then, because the process may be gone later. Names
// are looked up at the end, each address once. Memory is bounded: in the number of stacks, in
// the processes that are kept after their end, and in the mappings of a process.
package collect

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"path/filepath"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

const (
	// DefaultMaxStacks is how many different stacks are told apart.
	DefaultMaxStacks = 200_000
	maxMaxStacks     = 1 << 24 // frames are numbered in 32 bits
)

// Event is one sampled event, in the order of the numbers that Record gets.
type Event struct {
	Name   string
	Clock  bool   // counts nanoseconds of CPU time: cpu-clock, task-clock
	Period uint64 // of samples that carry none; 0 when all do
	// Weight makes the counts of this event what energy is shared out by, in place of CPU time; of one event at
	// most. Without any it is the clock, and without a clock the first event.
	Weight bool
	// Memory says that its samples are memory accesses with a data source. The accesses of all such events together are
	// the sample types loads, stores and latency; none of them has one of its own.
	Memory bool
	// Address says that its samples carry the address of data: page faults, breakpoints. Those of Memory do.
	Address bool
	// UserRegs is the mask of the registers of user code that its samples bring (PERF_SAMPLE_REGS_USER), with a copy of the
	// stack, to be unwound by.
	UserRegs uint64
}

// Options says what is recorded.
type Options struct {
	Events     []Event // the first with Clock gives the CPU time; the others are counted beside it
	SystemWide bool    // every process is sampled, so that nothing is left for [other processes]
	NoOthers   bool    // nobody tells what other processes ran: neither Busy nor Others will be called

	// Energy is the source of energy; its domains are in the order of the numbers that Energy gets.
	// Without domains there is no energy.
	Energy      rapl.Info
	CPUs        []int // for domains that do not say which CPUs they cover
	Attribution attribution.Options
	// Counters are events that were counted beside the samples; all their domains, one behind the other, are in the
	// order of the series that Count gets. Counts are shared out as CounterMethod says, with the static part of
	// them fitted, and else as Attribution has it.
	Counters      []rapl.CountedEvent
	CounterMethod attribution.Method

	// Proc is the root of procfs, for processes that ran before the recording and for the kernel's
	// limits. Empty for records of another machine or time: nothing is then looked up in it.
	Proc string
	// Kernel says, without Proc, whose the kernel's addresses are.
	Kernel Kernel
	// BuildIDs are those of files, in lower-case hex, for records that carry none.
	BuildIDs map[string]string
	// PerfMapsOf is the user whose perf maps name code that processes made themselves, without Proc;
	// nil: none does.
	PerfMapsOf *uint32
	// Resolver gives names to addresses; nil leaves user addresses without, and the kernel one frame.
	Resolver *symbol.Resolver

	// Stacks says where callers are from.
	Stacks Stacks

	// Memory says what is to be made of memory accesses.
	Memory Memory
	// Access, if set, is called for each sample of an event with addresses (Event.Memory, Event.Address) that is in the
	// profile. event is its index in Events, stack that of its stack in the Stacks of the finished recording. Samples of
	// Memory events that are neither a load nor a store are left out (Books.NoAccess).
	Access func(s *perfring.Sample, event int, stack int32)

	// Found, if set, is told what was read in Proc, as the records that would have told it, before it is used.
	Found func(perfring.Record)
	// Past is what the recording of this stream learnt, for a stream of another machine or time.
	Past *Past

	MaxStacks int // 0: DefaultMaxStacks
	MaxDepth  int // frames at which stacks are cut; 0: Proc/sys/kernel/perf_event_max_stack
}

// A Collector takes the stream of one recording. It is not safe for concurrent use.
type Collector struct {
	opt    Options
	clock  int   // index of the event that gives CPU time, -1 without one
	main   int   // index of the event whose samples are counted: the clock, or the first
	extra  []int // per event: its column among the further events, -1 for the clock and for memory accesses
	extras int

	table  table
	kernel kernel
	stacks stacks
	cpus   []cpuState
	noCPU  cpuState
	energy energy
	idle   idleTime
	books  Books

	unwinder unwinder

	functions functions
	weighing  weighing
	accesses  accesses
	memory    memory
	traffic   traffic

	allSamples, mainSamples      uint64 // idle ones included
	clockNanoseconds             float64
	lostSamples, lostNanoseconds float64

	frames [][]symbol.Frame     // by location, as far as they were looked up; empty if it has none
	named  []*pprofile.Location // all locations with names, after Finish

	exactly []uint64  // a callchain of a memory access
	scratch []int32   // frames of the stack being interned
	single  [1]uint64 // a callchain of the IP alone
}

// New makes a Collector. An error means that the events or domains cannot be recorded together.
func New(opt Options) (*Collector, error) {
	if len(opt.Events) == 0 {
		return nil, errors.New("collect: no events")
	}
	opt.MaxStacks = cmp.Or(opt.MaxStacks, DefaultMaxStacks)
	if opt.MaxStacks < 0 || opt.MaxStacks > maxMaxStacks {
		return nil, fmt.Errorf("collect: at most %d stacks: not in 1-%d", opt.MaxStacks, maxMaxStacks)
	}
	opt.MaxDepth = cmp.Or(opt.MaxDepth, maxDepth(opt.Proc))
	c := &Collector{opt: opt, clock: -1, functions: newFunctions(), unwinder: newUnwinder(), weighing: weighing{event: -1}}
	if c.hasMemory() {
		c.extras = accessColumns
	}
	for i, e := range opt.Events {
		column := c.extras
		switch {
		case e.Memory:
			column = -1
		case e.Clock && c.clock < 0:
			c.clock, column = i, -1
		default:
			c.extras++
		}
		c.extra = append(c.extra, column)
		if e.Weight && (c.weighing.event >= 0 || opt.Memory.Weigh) {
			return nil, errors.New("collect: the counts of two events as weights")
		}
		if e.Weight {
			c.weighing.event = i
		}
	}
	c.main = max(c.clock, 0)
	if c.weighing.event < 0 && !opt.Memory.Weigh {
		c.weighing.event = c.main
	}
	if err := c.buildable(); err != nil {
		return nil, err
	}
	c.table = newTable(opt.Proc)
	c.table.found = opt.Found
	c.kernel = openKernel(&opt)
	c.stacks = newStacks(opt.MaxStacks, c.extras, maphash.MakeSeed())
	c.accesses = newAccesses()
	opt.Attribution.Function = c.function
	if err := c.openMemory(); err != nil {
		return nil, err
	}
	if err := c.openEnergy(&opt); err != nil {
		return nil, err
	}
	return c, nil
}

// Existing reads a process that ran before the recording from /proc.
func (c *Collector) Existing(pid int) error {
	if err := c.table.existing(uint32(pid)); err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	return nil
}

// Record takes a record, in time order. cpu is the CPU of its ring; event the index of its event in
// Options.Events, -1 if it has none. The record is not kept.
func (c *Collector) Record(rec perfring.Record, cpu, event int) {
	state := c.cpu(cpu)
	switch r := rec.(type) {
	case *perfring.Sample:
		if event == WalkEvent {
			c.walked(state, r)
		} else {
			c.sample(state, r, cpu, event)
		}
		state.seen(int64(r.Time))
	case *perfring.Mmap:
		if r.Misc&perfring.MiscMmapData == 0 {
			c.mmap(r.PID, r.Addr, r.Len, r.PgOff, image{file: string(r.Filename)})
		}
		state.seen(int64(r.SampleID.Time))
	case *perfring.Mmap2:
		if r.Misc&perfring.MiscMmapData == 0 {
			c.mmap(r.PID, r.Addr, r.Len, r.PgOff, image{file: string(r.Filename), buildID: hex.EncodeToString(r.BuildID),
				major: r.Maj, minor: r.Min, inode: r.Ino})
		}
		state.seen(int64(r.SampleID.Time))
	case *perfring.Comm:
		if old := c.table.processes[r.PID]; r.Exec && old != nil {
			old.jit.journal.close()
			c.unload(old)
		}
		c.table.comm(r.PID, r.TID, string(r.Name), r.Exec)
		state.seen(int64(r.SampleID.Time))
	case *perfring.Fork:
		c.table.fork(r.PID, r.TID, r.PPID, r.PTID)
		state.seen(int64(r.Time))
	case *perfring.Exit:
		c.exit(r)
		state.seen(int64(r.Time))
	case *perfring.Lost:
		c.lost(state, cpu, r.Lost, -1, int64(r.SampleID.Time))
	case *perfring.LostSamples:
		if event >= len(c.opt.Events) { // of no event that is recorded here
			state.seen(int64(r.SampleID.Time))
			return
		}
		c.lost(state, cpu, r.Lost, event, int64(r.SampleID.Time))
	case *perfring.Throttle:
		state.seen(int64(r.Time))
	case *perfring.Unthrottle:
		state.seen(int64(r.Time))
	}
}

// mmap enters a mapping, which ends where the address space does.
func (c *Collector) mmap(pid uint32, start, size, offset uint64, i image) {
	if pid == goneID {
		c.moved(i.file, offset, i.buildID) // not of a process: the kernel's own
		return
	}
	if i.buildID == "" {
		i.buildID = c.opt.BuildIDs[i.file]
	}
	c.table.mmap(pid, &mapping{start: start, limit: start + min(size, math.MaxUint64-start), offset: offset, image: intern(i)})
	c.unwinder.loader.remapped(c.table.processes[pid])
}

// alone tells whether whatever runs is either sampled or unknown.
func (c *Collector) alone() bool { return c.opt.SystemWide || c.opt.NoOthers }

// Advance says that all that happened before t has been delivered.
func (c *Collector) Advance(t int64) {
	c.refresh()
	c.table.forget(t)
	c.energy.advance(c.traffic.advance(t), c.alone())
}

// maxDepth reads the limit at which the kernel cuts a callchain (PERF_MAX_STACK_DEPTH, kernel/events/callchain.c).
func maxDepth(proc string) int {
	const kernelDefault = 127
	if proc == "" {
		return kernelDefault
	}
	n, err := readNumber(filepath.Join(proc, "sys/kernel/perf_event_max_stack"))
	if err != nil || n <= 0 {
		return kernelDefault
	}
	return n
}
