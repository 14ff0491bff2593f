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

// packages lists what runs in guests besides the tests of testbed/guest: the
// packages that speak to the kernel, for kernels the machine that builds them
// does not run.
var packages = []packageTests{
	{Package: "perfring", Run: "Live|Oracle", Guests: []string{"icx-6.1", "spr-6.12", "arm64-6.1"}},
	{Package: "rapl", Run: "Live", Guests: []string{"icx-6.1", "spr-6.12", "amd-6.12"}},
	{Package: "internal/pmu", Guests: []string{"icx-6.1", "spr-6.12", "arm64-6.1"}},
	{Package: "internal/bpf", Guests: []string{"icx-6.1", "spr-6.12", "arm64-6.1"}},
	{Package: "internal/session", Guests: []string{"icx-6.1", "spr-6.12"}},
}
