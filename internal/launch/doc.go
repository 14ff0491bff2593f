// Package launch starts a command so that it waits: forked, but not yet what the
// user asked for, until events have been opened on it. It also catches the signals
// that would end a profiler before its work is done, and passes them on.
//
// The process that waits is this same executable, started anew: see package shim.
package launch
