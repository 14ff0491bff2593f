// Package unwind walks the stacks of user code by the tables that compilers leave in binaries, on amd64 and arm64.
//
// A [Module] is one binary. It compiles its call frame information (.eh_frame and .debug_frame; DWARF 5, section
// 6.4, with the augmentations of the Linux Standard Base) and Go's function tables into rows: "from this address on
// this rule gives the caller". Rows are compiled a [Chunk] of 64 KiB of code at a time, when an address in it is
// asked for, so what a binary costs depends on what is sampled of it and not on its size. Rules are few and are
// shared by all modules of a session ([Rules]); rows name them by number. The same rows and rules are used by the
// walk in Go ([Walker]) and by that in the kernel (internal/bpf).
//
// Binaries are hostile input: they belong to the processes that are observed. What they can make this package do is
// limited by named constants; what is damaged gives rows without a rule, and never a panic.
package unwind
