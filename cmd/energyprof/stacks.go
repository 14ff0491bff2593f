package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/perfring"
)

// The ways to user code's callers that -g names beside those that session chooses from.
const (
	stacksAuto = "auto"
	stacksLBR  = "lbr"
	stacksNone = "none"
)

// stackFlag is -g.
type stackFlag struct {
	method string
	size   uint32 // of the copies of dwarf, in bytes
}

// parseStacks reads -g.
func parseStacks(text string) (stackFlag, error) {
	method, size, sized := strings.Cut(text, ",")
	f := stackFlag{method: method, size: session.DefaultCopy}
	switch method {
	case string(session.StacksDWARF):
		if !sized {
			return f, nil
		}
		n, err := strconv.ParseUint(size, 0, 32)
		if err != nil || n == 0 || n%8 != 0 || n > session.MaxCopy {
			return f, usagef("-g %s: copies of the stack have from 8 to %d bytes, a multiple of 8", text, session.MaxCopy)
		}
		f.size = uint32(n)
		return f, nil
	case stacksAuto, string(session.StacksFP), string(session.StacksBPF), stacksLBR, stacksNone:
		if !sized {
			return f, nil
		}
	}
	return f, usagef("-g %q: stacks are recorded by auto, fp, dwarf[,SIZE], bpf or lbr, or none", text)
}

// stackError is what keeps stacks from being recorded in the way that was asked for.
type stackError struct {
	method string
	err    error
}

func (e stackError) Error() string { return fmt.Sprintf("-g %s: %v", e.method, e.err) }
func (e stackError) Unwrap() error { return e.err }

// openStacks prepares the way to user code's callers. The events are known.
func (r *run) openStacks() error {
	f := r.flags.stacks
	method := f.method
	if method == stacksNone {
		return nil
	}
	r.opt.Callchains = true
	var program *bpf.Stacks
	if method == stacksAuto || method == string(session.StacksBPF) {
		var err error
		program, err = bpf.NewStacks(bpf.StackOptions{MaxFrames: mostFrames()})
		if err != nil && method != stacksAuto {
			return stackError{method, err}
		}
		if method == stacksAuto {
			choice := session.ChooseStacks(&r.opt, err)
			if method = string(choice.Method); choice.Why != "" {
				r.remarks = append(r.remarks, stackRemark(choice, err))
			}
		}
	}
	switch method {
	case string(session.StacksBPF):
		r.stacks = program
		r.opt.Stacks.BPF, r.what.Stacks.BPF = program, program
		r.bringRegisters() // of events that run no programs
	case string(session.StacksDWARF):
		r.opt.Stacks.Copy = f.size
		r.bringRegisters()
	case stacksLBR:
		r.opt.Stacks.LBR = true
	}
	r.what.Stacks.Method = method
	return nil
}

// bringRegisters says that samples bring the registers of user code.
func (r *run) bringRegisters() {
	for i := range r.what.Events {
		r.what.Events[i].UserRegs = perfring.RegsMask
	}
}

// stackRemark says why stacks are not recorded in the best way, and what would change that.
func stackRemark(choice session.StackChoice, err error) string {
	text := "stacks: " + choice.Why
	if hint := adviceBPF(err); hint != "" && err != nil {
		text += ": " + hint
	}
	return text
}

// mostFrames is how many frames a stack may have.
func mostFrames() int {
	n, err := sysctl("kernel/perf_event_max_stack")
	if err != nil || n <= 0 {
		return 0
	}
	return n
}

// closeStacks unloads the program.
func (r *run) closeStacks() {
	if r.stacks != nil {
		r.stacks.Close()
	}
}

// walkNotes says what went wrong with walks in the kernel. That samples have none is the session's to say.
func walkNotes(b collect.Books) []string {
	var notes []string
	if b.BadWalks > 0 {
		notes = append(notes, fmt.Sprintf("%d stacks that the BPF program wrote could not be read", b.BadWalks))
	}
	if b.WalkErr != nil {
		notes = append(notes, fmt.Sprintf("stacks end early where the BPF program lacks tables, which it did not take: %v", b.WalkErr))
	}
	return notes
}
