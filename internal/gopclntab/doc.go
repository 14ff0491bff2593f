// Package gopclntab reads the table that Go's runtime unwinds and names its own
// stacks with: .gopclntab, which even a stripped program has. It gives the
// functions, how deep the stack is at each of their instructions, and names,
// files and lines with what was inlined.
//
// The formats are those of Go 1.16 to 1.26 (src/runtime/symtab.go, pcHeader,
// moduledata, _func and inlinedCall; src/internal/abi/symtab.go; the linker's
// src/cmd/link/internal/ld/pcln.go). debug/gosym knows the table, too, but
// wants all of it in memory, takes the start of .text for that of Go's code,
// and has neither depths nor what was inlined.
//
// The table belongs to a program that is being observed, so all of it is
// hostile: nothing is read beyond it, every walk has a limit, and only the
// parts that are asked for are read.
package gopclntab
