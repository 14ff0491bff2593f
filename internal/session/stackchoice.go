package session

import (
	"fmt"
	"os"
	"strconv"

	"github.com/energyprof/energyprof/internal/symbol"
)

// StackMethod is a way to user stacks, as the command line names it.
type StackMethod string

// The methods.
const (
	StacksBPF   StackMethod = "bpf"   // walked in the kernel, with tables
	StacksDWARF StackMethod = "dwarf" // copied, and walked with tables while the rings are drained
	StacksFP    StackMethod = "fp"    // the kernel's callchains, of frame pointers
)

// StackChoice is what ChooseStacks chose.
type StackChoice struct {
	Method StackMethod
	// Why says it, if there is something to say: it ends with what keeps stacks from being walked in the kernel.
	Why string
}

// ChooseStacks chooses how user stacks of what opt records are taken when nobody said how. noBPF is why a BPF program
// cannot walk them, nil if it can; then that is taken. Else a copy is, if a binary that will run lacks frame pointers
// by its own unwind information: the command, its interpreter and the libraries that it needs, what is mapped
// into the processes, or with all CPUs into any process. What is loaded or executed later is not known.
//
// A copy has to be chosen before an event is opened, for all samples; hence one library without frame pointers decides.
// A chain of frame pointers that skips a function looks no worse than one that does not.
func ChooseStacks(opt *Options, noBPF error) StackChoice {
	if noBPF == nil {
		return StackChoice{Method: StacksBPF}
	}
	resolver := symbol.New(symbol.Options{Proc: opt.Proc})
	defer resolver.Close()
	f := newFrameless(resolver)
	var name string
	switch {
	case len(opt.Command) > 0:
		name = f.command(opt.Command, os.Getenv("LD_LIBRARY_PATH"))
	case len(opt.PIDs) > 0:
		name = f.processes(opt.Proc, opt.PIDs)
	default:
		name = f.processes(opt.Proc, allProcesses(opt.Proc))
	}
	switch {
	case name != "":
		return StackChoice{StacksDWARF, fmt.Sprintf("the stack is copied with each sample, since %s keeps no frame pointers and no BPF program can walk it: %v", name, noBPF)}
	case f.looked == 0:
		return StackChoice{StacksDWARF, fmt.Sprintf("the stack is copied with each sample, since no binary tells whether it keeps frame pointers and no BPF program can walk it: %v", noBPF)}
	}
	return StackChoice{StacksFP, fmt.Sprintf("frame pointers are followed, which the %d binaries that were looked at keep, since no BPF program can walk stacks: %v", f.looked, noBPF)}
}

// allProcesses lists those that there are.
func allProcesses(proc string) (pids []int) {
	entries, _ := os.ReadDir(proc) // without any there are none
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
