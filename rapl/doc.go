// Package rapl reads how much energy this machine has used: the counters that
// Intel and AMD processors keep (RAPL, Running Average Power Limit), the meters
// of other boards, and, where there is no counter at all, a model.
//
// A [Source] gives one cumulative number of joules per [Domain], with the wraps
// of the hardware's registers undone, on CLOCK_MONOTONIC. Every source says in
// its [Info] what it is, whether it measures or estimates, and what a reader of
// its numbers must know. A [Recorder] turns a source into series of points for
// a whole recording, stamped by the kernel where the source allows it. [Counts]
// does the same for events that are counted in place of joules: bytes of memory,
// cycles of a link.
//
// The same domain comes out the same whatever the way to it: "package" is the
// processor package, "cores" (PP0) and "gpu" (PP1) lie inside of it, "dram" lies
// outside, "psys" is the platform around all of them, and "core" is one physical
// core of an AMD package. Only domains with [Domain.Sum] may be added up.
//
// The facts about the registers are from the Intel SDM volume 4 and volume 3B
// section 16.10, AMD's Processor Programming References, and the kernel's drivers
// arch/x86/events/rapl.c and drivers/powercap/intel_rapl_common.c.
package rapl
