package unwind

import (
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/gopclntab"
)

// goRows calls put for each run of addresses from start to below limit for which the function table of a Go program
// has a rule. They are in order of address, and one that begins below the end of the one before it ends that; the first
// and the last may go beyond start and limit. It is false if the binary has no such table.
func (m *Module) goRows(start, limit uint64, put func(start, limit uint64, r Rule)) bool {
	t := m.image.Go
	if t == nil {
		return false
	}
	g := goFunction{arch: m.image.Arch}
	for f, err := range t.Functions(start, limit+1) { // that at limit may have a rule for the byte before it
		if err == nil {
			err = g.read(t, f)
		}
		if err != nil {
			m.fault(fmt.Errorf("go function table: %w", err))
			continue
		}
		g.rules(put)
	}
	return true
}

// goFunction is a function of a Go program.
//
// The stack pointer is below the return address by what the table says (runtime, traceback.go:
// unwinder.resolveInternal). Where frames are is not in the table: on amd64 the word below the return address has the
// caller's frame pointer, and the register points there (cmd/internal/obj/x86; runtime/cgo/abi_amd64.h says the same of
// functions that C calls); on arm64 the return address is at the stack pointer and the caller's frame pointer in the word
// below it (cmd/internal/obj/arm64). No other register survives a call.
type goFunction struct {
	arch         Arch
	name         string // of those that are written in assembly
	entry, limit uint64
	top          bool // it is the outermost one of its stack
	switches     bool // it sets the stack pointer in ways that the table does not tell
	depths       []gopclntab.Span
}

// read takes what the table says of a function.
func (g *goFunction) read(t *gopclntab.Table, f gopclntab.Function) (err error) {
	g.entry, g.limit, g.name, g.depths = f.Entry, f.End, "", g.depths[:0]
	g.top = f.Flags&gopclntab.TopFrame != 0
	g.switches = f.Flags&gopclntab.SPWrite != 0
	if f.Flags != 0 {
		if g.name, err = t.Name(f); err != nil {
			return err
		}
	}
	switch g.name {
	case "runtime.sigtramp":
		// A signal's handler begins here. The runtime ends its own walk, to begin another where the signal came; this
		// one goes there through the frame that the kernel has made.
		g.top = false
	case "runtime.clone":
		g.switches = false // it is the new thread that gets another stack, and does not return
	}
	for s, err := range t.Depths(f) {
		if err != nil {
			return err
		}
		g.depths = append(g.depths, s)
	}
	return nil
}

// prologue is within the first bytes of a function that makes a frame; none changes to another stack in them.
const prologue = 16

// rules puts the rules of the function.
func (g *goFunction) rules(put func(start, limit uint64, r Rule)) {
	switch {
	case g.name == "runtime.sigreturn__sigaction" && g.arch == AMD64:
		// The kernel makes a signal's handler return to its first instruction, which no call precedes.
		put(g.entry-1, g.limit, goSignal)
		return
	case g.top, g.switches && !g.framed() && slices.Contains(changeGoroutine, g.name):
		put(g.entry, g.limit, Rule{CFA: CFAEnd})
		return
	case g.switches && !g.framed():
		put(g.entry, g.limit, Rule{})
		return
	}
	for i, s := range g.depths {
		if g.switches && s.Value > 0 {
			// systemstack, asmcgocall and such call with the frame pointer still in the frame that they have made,
			// on the stack that they came from. mcall has set it to zero: who it calls does not return.
			begin, end := max(s.Start, min(g.entry+prologue, s.Limit)), s.Limit
			if g.arch == ARM64 && i+1 < len(g.depths) && g.depths[i+1].Value == 0 {
				end = max(begin, end-4) // the stack pointer is back, and the frame pointer the caller's already
			}
			if s.Start < begin {
				put(s.Start, begin, g.rule(s.Value))
			}
			if begin < end {
				put(begin, end, Rule{CFA: CFAFramePointer, Flags: FlagSwitch})
			}
			if end < s.Limit {
				put(end, s.Limit, g.rule(s.Value))
			}
			continue
		}
		put(s.Start, s.Limit, g.rule(s.Value))
	}
}

// changeGoroutine are functions that, where they have no frame, change to another stack and do not return to who called them, or only as another
// goroutine's doing. The runtime's own walk ends there, too.
var changeGoroutine = []string{"gogo", "runtime.mcall", "runtime.morestack", "runtime.morestack_noctxt"}

// framed says whether the function begins with making a frame: with a push on amd64, or the subtraction of Go before
// 1.21; with a store that lowers the stack pointer on arm64.
func (g *goFunction) framed() bool {
	return len(g.depths) > 1 && g.depths[1].Start-g.entry < prologue && g.depths[1].Value >= 8
}

// goSignal is the frame of a signal on amd64: the stack pointer is at struct ucontext, whose registers begin at offset 40
// with r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip (arch/x86/include/uapi/asm/sigcontext.h).
var goSignal = Rule{
	CFA: CFADeref, CFAReg: amd64RSP, CFAOffset: 40 + 15*8,
	RA: AtSP, RAOffset: 40 + 16*8, FP: AtSP, FPOffset: 40 + 10*8, X: AtSP, XOffset: 40 + 11*8,
	Flags: FlagSignal,
}

// rule is that of instructions at which the stack pointer is depth below where it was at the entry.
func (g *goFunction) rule(depth int32) Rule {
	switch {
	case depth == -8 && g.name == "syscall.rawVforkSyscall" && g.arch == AMD64:
		// The child would overwrite the return address: it has been popped.
		return Rule{CFA: CFARegister, CFAReg: amd64RSP, RA: InRegister, RAOffset: 12, X: Lost}
	case depth < 0 || depth > 1<<30:
		return Rule{}
	}
	interrupted := g.name == "runtime.asyncPreempt" // a signal's handler has made it look called
	if g.arch == AMD64 {
		r := Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: depth + 8, RA: AtCFA, RAOffset: -8, X: Lost}
		if depth > 0 {
			r.FP, r.FPOffset = AtCFA, -16
		}
		if interrupted {
			r.Flags = FlagSignal
		}
		return r
	}
	r := Rule{CFA: CFARegister, CFAReg: arm64SP, CFAOffset: depth}
	if depth > 0 {
		r.RA, r.RAOffset, r.FP, r.FPOffset = AtCFA, -depth, AtCFA, -depth-8
	}
	switch {
	case g.name == "internal/chacha8rand.block":
		// A leaf, whose return address stays in its register: it uses the word on the stack for something else.
		r.RA, r.RAOffset = Same, 0
	case g.name == "crosscall2" && depth > 0: // C calls it, and so it keeps its frame as C does
		r.RAOffset, r.FPOffset = -8, -16
	case interrupted:
		// The handler has stored the link register in 16 bytes that it has pushed (runtime, signal_arm64.go: pushCall).
		r.CFAOffset += 16
		if depth > 0 {
			r.RAOffset, r.FPOffset = r.RAOffset-16, r.FPOffset-16
		}
		r.X, r.XOffset, r.Flags = AtCFA, -16, FlagSignal
	}
	return r
}
