package perfdata

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Info is what a file tells of the machine and of its own making. Fields that
// the file has not are zero.
type Info struct {
	Hostname  string
	OSRelease string // of the kernel, as uname -r
	Version   string // of the perf that wrote the file
	Arch      string // as uname -m
	Cmdline   []string
	CPUDesc   string // "model name" of /proc/cpuinfo on x86
	CPUID     string // "GenuineIntel,6,85,4" on x86
	MemoryKiB uint64

	CPUsOnline, CPUsAvailable int
	// CPUs is the topology, by CPU number.
	CPUs []CPU
	// Siblings are lists of CPUs ("0-3,8-11") that share a package (or what perf
	// calls core siblings), a die, and a core.
	PackageSiblings, DieSiblings, ThreadSiblings []string
	Nodes                                        []Node

	BuildIDs    []BuildID
	PMUs        map[uint32]string            // names of the PMUs by Attr.Type
	PMUCaps     map[string]map[string]string // of each PMU: name and value
	HybridCPUs  map[string]string            // of each core PMU of a hybrid machine: the list of its CPUs
	Groups      []Group
	BranchStack bool // samples have branches
	Trace       bool // there is hardware trace
	Stat        bool // perf stat record wrote it
	Compressed  bool

	// First and Last are the times of the first and last sample as the writer
	// says, in ns; 0 if it does not.
	First, Last int64
	Clock       Clock
}

// CPU is where a logical CPU sits. -1 is unknown.
type CPU struct{ Package, Die, Core int }

// Node is a NUMA node.
type Node struct {
	ID                int
	TotalKiB, FreeKiB uint64
	CPUs              string
	// Memory is where the node has memory, in ascending order; nil if the file does not tell.
	Memory []MemoryRange
}

// MemoryRange is physical addresses from Start up to Limit, which is the first behind it.
type MemoryRange struct{ Start, Limit uint64 }

// BuildID names the exact binary that was mapped from a file.
type BuildID struct {
	Filename string
	ID       []byte // as in its ELF note, at most 20 bytes
	PID      int32  // -1 of the host; others of a guest's kernel
	Kernel   bool   // the kernel or a module
	Guest    bool
}

// Group is a group of events that count together.
type Group struct {
	Name            string // "{anon_group}" of groups without
	Leader, Members int    // index in File.Events, and how many follow it with itself
}

// Clock says what sample times are.
type Clock struct {
	// Known is whether the events were asked to use clock ID; otherwise times are
	// of perf's own clock, which is none that another program can read.
	Known bool
	ID    int32 // CLOCK_* of clock_gettime(2)
	// Resolution is that of the clock, 0 if the file does not tell.
	Resolution time.Duration
	// WallNS is CLOCK_REALTIME at ClockNS of the clock itself, both in ns, 0
	// if the file does not tell.
	WallNS, ClockNS int64
}

// String names the clock as clock_gettime(2) does.
func (c Clock) String() string {
	if !c.Known {
		return "perf's own clock"
	}
	switch c.ID {
	case unix.CLOCK_REALTIME:
		return "CLOCK_REALTIME"
	case unix.CLOCK_MONOTONIC:
		return "CLOCK_MONOTONIC"
	case unix.CLOCK_MONOTONIC_RAW:
		return "CLOCK_MONOTONIC_RAW"
	case unix.CLOCK_BOOTTIME:
		return "CLOCK_BOOTTIME"
	case unix.CLOCK_TAI:
		return "CLOCK_TAI"
	}
	return fmt.Sprintf("clock %d", c.ID)
}

// CheckClock returns an error that wraps ErrClock unless sample times are on
// CLOCK_MONOTONIC. They are if perf record was given -k CLOCK_MONOTONIC: perf's
// own clock (sched_clock) runs at its own rate from its own origin.
func (f *File) CheckClock() error {
	if f.Info.Clock.Known && f.Info.Clock.ID == unix.CLOCK_MONOTONIC {
		return nil
	}
	return fmt.Errorf("%s: %w but on %s", f.name, ErrClock, f.Info.Clock)
}
