// Package pebs samples loads and stores where the processor itself notes what each of them did: its
// address, where its data came from, how long it took. Intel calls this precise event-based sampling
// (PEBS), AMD instruction-based sampling (IBS), Arm statistical profiling (SPE).
//
// A [Machine] chooses the events of this machine, tries them on its kernel and says why what was
// refused was refused. A [DataSource] is what the kernel tells of one access: which cache or memory
// served it, what the other caches had of the line, how the address was translated. It prints as perf
// prints it; [DataSource.Level] is the one place that served the access.
package pebs
