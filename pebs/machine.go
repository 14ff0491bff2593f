package pebs

import "github.com/energyprof/energyprof/perfring"

// Machine is one machine's sysfs and procfs. The zero value is this one.
type Machine struct {
	Sys, Proc string // roots; "" for "/sys" and "/proc"
}

// Options says what is to be sampled, and how the events will be opened: what is tried is
// like that, so that what the kernel accepts here it accepts then.
type Options struct {
	Loads, Stores bool // neither: both

	// Latency leaves out loads of fewer cycles (ldlat); 0 is DefaultLatency where the PMU
	// has to be told one, and all loads where it has not.
	Latency uint

	AllCPUs              bool // every process of the CPUs; else one process and what it starts
	UserOnly, KernelOnly bool // samples in the kernel, or in user space, are left out

	// Period is the counts between two samples, Frequency the samples a second. With
	// neither, a frequency that any kernel takes is tried.
	Period, Frequency uint64

	// Physical asks for physical addresses, PageSizes for the sizes of the pages of data and
	// code. They are left out where this kernel or user does not get them.
	Physical, PageSizes bool
}

// DefaultLatency is the least latency of a load that is sampled, in core cycles: that of perf
// mem. It leaves out what the first two levels of cache serve.
const DefaultLatency = 30

// Kind is what the samples of an event are of.
type Kind uint8

// Of the first three the data source tells more about each sample: one of Accesses may be
// a load, a store or, an instruction like any other, no access at all.
const (
	Loads    Kind = iota // by a core's loads, from a latency on
	Stores               // by a core's stores
	Accesses             // by instructions: AMD's IBS op, and what is written by hand
	Fetches              // by fetches of instructions: AMD's IBS fetch. They have no address of data.
	// Faults are by page faults. page-faults samples them before the kernel has handled them, when the page has
	// no physical address yet; minor-faults and major-faults afterwards (mm_account_fault in mm/memory.c).
	Faults
	Breakpoints // by accesses to one address
)

func (k Kind) String() string {
	names := [...]string{"loads", "stores", "accesses", "fetches", "page faults", "a breakpoint"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Sampled tells whether the samples have data sources and latencies, for they are of the
// PMU. Page faults and breakpoints have addresses alone.
func (k Kind) Sampled() bool { return k <= Accesses }

// Sampler is one event that samples accesses to memory, as the kernel accepted it.
type Sampler struct {
	// Spec is the event in perf's syntax, precise modifiers included:
	// "cpu/mem-loads,ldlat=30/ppp".
	Spec string
	// AuxSpec is the counting event that has to lead its group, "cpu/mem-loads-aux/"; "" without.
	AuxSpec string
	PMU     string // "cpu", "cpu_atom", "ibs_op"; "" where the event names none
	Kind    Kind
	CPUs    []int // the CPUs that it can be opened on, those of one kind of core; nil: all
	// Format is the fields of a sample that this kernel and user were granted, of SampleAddr,
	// SampleDataSrc, SampleWeightStruct or SampleWeight, SamplePhysAddr, SampleDataPageSize and
	// SampleCodePageSize.
	Format  perfring.SampleFormat
	Precise uint8 // precise_ip, 0 to 3
	// UserOnly: this user may not sample the kernel, and the event was accepted without it. It
	// is to be opened with FlagExcludeKernel and FlagExcludeHV.
	UserOnly bool
	Refused  []Refusal // what the event does without
}

// Choice is what Choose found.
type Choice struct {
	Samplers []Sampler
	// Reasons are why a PMU does not sample what was asked for, though others may.
	Reasons []Reason
}
