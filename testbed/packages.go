package main

// packageTests is one of the project's own test binaries that runs inside
// guests, with the tests of it that do so.
type packageTests struct {
	// Package is the import path below the module: "perfring".
	Package string
	// Run and Skip are patterns for -test.run and -test.skip; empty: all,
	// none.
	Run, Skip string
	// Guests names the guests it runs in.
	Guests []string
}

// packages lists what runs in guests besides the tests of testbed/guest: those of
// the project's own tests that speak to the kernel, on kernels that the machine
// which builds them does not run. Left out is what only computes, and what takes
// many seconds of a slow CPU to say the same of each kernel.
var packages = []packageTests{
	// The emulator's watchpoints trap twice here and there in a group on x86, and
	// its CPUs are too slow to be throttled.
	{Package: "perfring", Run: "Live", Skip: "LiveBreakpointGroup|LiveThrottle", Guests: []string{"icx-6.1", "spr-6.12"}},
	{Package: "perfring", Run: "Live", Guests: []string{"arm64-6.1"}},
	{Package: "rapl", Run: "Live", Guests: []string{"icx-6.1", "spr-6.12", "amd-6.12"}},
	// Where perf is aboard it has to agree.
	{Package: "internal/pmu", Run: "Live|OracleTracepoint", Guests: []string{"icx-6.1"}},
	{Package: "internal/pmu", Run: "TestLive", Guests: []string{"spr-6.12"}},
	{Package: "internal/bpf", Skip: "Reader|Confidential|StacksOfC|StacksAstray|OtherStacks|StacksOfOtherWidth|StacksInNamespace|Spaces|SortedMappings|Chunks|DecodeWalk|Objects", Guests: []string{"spr-6.12", "arm64-6.1"}},
	{Package: "internal/launch", Run: "ReturnsAfterTheShimsExecve", Guests: []string{"arm64-6.1"}},
	// Those to which the kernel's version or the processor could make a difference.
	{Package: "internal/session", Run: "TestCommand$|TestAttach$|SystemWide|LossIsCounted", Guests: []string{"spr-6.12"}},
	{Package: "internal/session", Run: "TestCommand$|TestAttach$|ShortTasks|SystemWide|LossIsCounted", Guests: []string{"arm64-6.1"}},
}
