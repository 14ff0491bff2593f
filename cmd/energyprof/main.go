// Energyprof is a sampling profiler that answers which function spends the
// joules. This command is the flags, the advice and the exit codes; what it
// does lives in the packages beside it.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	// With a receiver for SIGPIPE a closed stdout is an error like any other,
	// not the silent end of the program.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	// The garbage collector must not show up beside what is measured: the heap
	// is tens of megabytes, so letting it grow fourfold costs nothing.
	debug.SetGCPercent(400)

	command := newRoot()
	ran, err := command.ExecuteC()
	if err != nil {
		if text := message(err); text != "" {
			fmt.Fprintf(os.Stderr, "energyprof: %s\n", text)
		}
	}
	os.Exit(exitCode(ran, err))
}
