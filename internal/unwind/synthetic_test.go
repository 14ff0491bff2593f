package unwind

import (
	"encoding/binary"
	"math/bits"

	"pgregory.net/rapid"
)

// A program that does not exist: functions of 64 bytes, each with a rule at its entry, one in its body and none in
// the last quarter, and a thread that has called some of them.
const (
	functionSize = 64
	bodyAt       = 16 // offset of the body
	bodyEnd      = 48 // and its end: a return address may be here, behind a call that does not return
)

// kind is how a function lays out its frame.
type kind int

const (
	entryPoint  kind = iota
	bySP             // the canonical frame address is counted from the stack pointer
	byFP             // and from the frame pointer
	realigned        // is read from memory, as gcc does where it realigns the stack
	jit              // there is no table but a frame pointer
	switched         // the same, and the function has changed to another stack
	signalFrame      // where a signal's handler returns to
	plt
	byX // is counted from rbx, as in the dynamic linker (amd64)
	kinds
)

type function struct {
	start uint64 // where it is mapped
	kind  kind
	size  int32 // of its frame, for bySP and byX
}

// synthetic is a program: functions and where they are mapped.
type synthetic struct {
	arch      Arch
	rules     *Rules
	functions [kinds][]function
	space     *Space
}

const (
	sigSP, sigPC, sigFP, sigX = 160, 168, 120, 128 // offsets in the frame of a signal, of struct rt_sigframe of amd64
	sigBytes                  = 256
)

// body is the rule of a function's body.
func (f function) body(a Arch) Rule {
	sp, fp := a.stackPointer(), a.framePointer()
	record := int32(16) // the saved frame pointer and the return address are at the canonical frame address - 16
	switch f.kind {
	case entryPoint:
		return Rule{CFA: CFAEnd}
	case bySP:
		return Rule{CFA: CFARegister, CFAReg: sp, CFAOffset: f.size, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -record, X: AtCFA, XOffset: -24}
	case byX:
		return Rule{CFA: CFARegister, CFAReg: a.x(), CFAOffset: f.size, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -record, X: AtCFA, XOffset: -24}
	case byFP:
		return Rule{CFA: CFARegister, CFAReg: fp, CFAOffset: record, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -record}
	case realigned:
		return Rule{CFA: CFADeref, CFAReg: fp, CFAOffset: -8, RA: AtCFA, RAOffset: -8, FP: AtFP, X: AtFP, XOffset: -16}
	case switched:
		return Rule{CFA: CFAFramePointer, Flags: FlagSwitch}
	case signalFrame:
		return Rule{CFA: CFADeref, CFAReg: sp, CFAOffset: sigSP, RA: AtSP, RAOffset: sigPC, FP: AtSP, FPOffset: sigFP, X: AtSP, XOffset: sigX, Flags: FlagSignal}
	case plt:
		return Rule{CFA: CFAPLT, CFAOffset: 8, CFAAdd: 11, RA: AtCFA, RAOffset: -8}
	}
	return Rule{CFA: CFAFramePointer}
}

// entry is the rule of a function's first instructions, where nothing has been pushed.
func (f function) entry(a Arch) Rule {
	if f.kind == entryPoint {
		return Rule{CFA: CFAEnd}
	}
	if a == ARM64 {
		return Rule{CFA: CFARegister, CFAReg: a.stackPointer()}
	}
	return Rule{CFA: CFARegister, CFAReg: a.stackPointer(), CFAOffset: 8, RA: AtCFA, RAOffset: -8}
}

// drawSynthetic lays functions out in two modules, and those of a JIT compiler in a mapping of their own.
func drawSynthetic(t *rapid.T) *synthetic {
	p := &synthetic{arch: rapid.SampledFrom([]Arch{AMD64, ARM64}).Draw(t, "arch"), rules: NewRules()}
	jitted := Mapping{Start: 0x7f11_0000_0000, Limit: 0x7f11_0001_0000, Bias: 0x123}
	mappings := []Mapping{jitted}
	next := jitted.Start
	for range 3 {
		p.functions[jit] = append(p.functions[jit], function{start: next, kind: jit})
		next += functionSize
	}
	for _, bias := range []uint64{0x5555_5555_0000, 0x7f22_0000_0000} {
		m := NewModule(Image{Arch: p.arch}, p.rules, 0)
		// A few functions below a border of chunks, the others above it.
		first := uint64(3<<ChunkShift) - 5*functionSize
		at := first
		for n := range rapid.IntRange(12, 30).Draw(t, "functions") {
			f := function{start: at + bias, kind: kind(n % int(kinds)), size: 8 * int32(rapid.IntRange(4, 500).Draw(t, "size"))}
			if f.kind == jit || p.arch == ARM64 && (f.kind == byX || f.kind == plt) {
				f.kind = bySP
			}
			p.functions[f.kind] = append(p.functions[f.kind], f)
			put := func(addr uint64, r Rule) {
				n := addr >> ChunkShift
				if m.chunks[n] == nil {
					m.chunks[n] = Chunk{{}}
				}
				m.chunks[n] = append(m.chunks[n], Row{uint16(addr), p.rules.number(r)})
			}
			put(at, f.entry(p.arch))
			put(at+bodyAt, f.body(p.arch))
			put(at+bodyEnd, Rule{})
			at += functionSize
		}
		mappings = append(mappings, Mapping{Start: first + bias, Limit: at + bias, Bias: bias, Module: m})
	}
	p.space = NewSpace(mappings)
	return p
}

// thread is a thread that calls functions of a program.
type thread struct {
	p         *synthetic
	t         *rapid.T
	base      uint64
	memory    []byte
	regs      Registers
	signalled bool
	usesX     bool // a frame's rule names rbx
	// frames are the registers in each frame, the outermost first, and whether its address is no return address.
	frames []Registers
	exact  []bool
}

func (th *thread) sp() *uint64 { return &th.regs.R[th.p.arch.stackPointer()] }
func (th *thread) fp() *uint64 { return &th.regs.R[th.p.arch.framePointer()] }
func (th *thread) x() *uint64  { return &th.regs.R[th.p.arch.x()] }

func (th *thread) store(addr, v uint64) {
	binary.LittleEndian.PutUint64(th.memory[addr-th.base:], v)
}

func (th *thread) push(v uint64) {
	*th.sp() -= 8
	th.store(*th.sp(), v)
}

func (th *thread) pick(k kind) function {
	return rapid.SampledFrom(th.p.functions[k]).Draw(th.t, "function")
}

// garbage is what a register may hold that is used for something else.
func (th *thread) garbage() uint64 {
	return rapid.SampledFrom([]uint64{0, 1, th.base, th.base + 0x48, ^uint64(0), 0x7f11_0000_0020}).Draw(th.t, "garbage")
}

// drawThread makes a thread that is in the body of an entry point and then calls functions.
func drawThread(t *rapid.T, p *synthetic, depth int) *thread {
	th := &thread{p: p, t: t, base: 0x7ffc_0000_0000, memory: make([]byte, 1<<19)}
	th.regs.Known = ^uint32(0)
	*th.sp() = th.base + uint64(len(th.memory))/2 - 64
	*th.fp(), *th.x() = 0, th.garbage()
	th.regs.PC = th.pick(entryPoint).start + bodyAt
	for range depth {
		k := kind(rapid.IntRange(int(bySP), int(kinds)-1).Draw(t, "kind"))
		noTable := k == jit || k == switched
		// Behind code without tables rbx is unknown, on arm64 the stack pointer: no way through a signal's frame.
		if len(p.functions[k]) == 0 || k == plt || noTable && (th.usesX || p.arch == ARM64 && th.signalled) {
			k = byFP
		}
		if k == signalFrame {
			th.signal()
		} else {
			th.call(th.pick(k))
		}
	}
	// The innermost frame: at its first instruction, in a stub, or in its body.
	switch rapid.IntRange(0, 2).Draw(t, "innermost") {
	case 0:
		th.enter(th.pick(bySP))
		th.regs.PC += uint64(rapid.IntRange(0, bodyAt-1).Draw(t, "at"))
	case 1:
		if len(p.functions[plt]) > 0 {
			th.enter(th.pick(plt))
			at := rapid.Uint64Range(bodyAt, bodyEnd-1).Draw(t, "at")
			if (th.regs.PC+at)&15 >= 11 {
				th.push(1) // the number of the relocation
			}
			th.regs.PC += at
		}
	}
	th.note(true)
	return th
}

// note remembers the frame that the thread is in before it calls another.
func (th *thread) note(exact bool) {
	th.frames = append(th.frames, th.regs)
	th.exact = append(th.exact, exact)
}

// enter calls a function whose first instruction is next.
func (th *thread) enter(f function) {
	// The call is any instruction of the body, the return address what follows it.
	start := th.regs.PC &^ (functionSize - 1)
	th.regs.PC = start + rapid.Uint64Range(bodyAt+1, bodyEnd).Draw(th.t, "return address")
	th.note(false)
	ret := th.regs.PC
	if th.p.arch == ARM64 {
		*th.x() = ret
	} else {
		th.push(ret)
	}
	th.regs.PC = f.start
}

// call calls a function and goes to its body.
func (th *thread) call(f function) {
	th.enter(f)
	th.regs.PC += bodyAt
	if th.p.arch == ARM64 {
		// A signed return address: the signature is in the bits above those that addresses have.
		unused := bits.Len64(th.p.space.mask)
		th.push(*th.x() | rapid.Uint64Range(0, 1<<(64-unused)-1).Draw(th.t, "signature")<<unused)
	}
	oldX := *th.x()
	cfa := *th.sp() + 8
	th.push(*th.fp())
	keep := *th.sp()
	switch f.kind {
	case bySP, byX:
		th.push(oldX)
		*th.sp() = cfa - uint64(f.size)
		*th.fp() = keep
		if th.p.arch == AMD64 {
			*th.fp(), *th.x() = th.garbage(), th.garbage()
		}
		if f.kind == byX {
			*th.x() = *th.sp()
			*th.sp() -= 32
			th.usesX = true
		}
	case byFP, jit:
		locals := 8 * rapid.Uint64Range(2, 100).Draw(th.t, "locals")
		*th.fp() = keep
		*th.sp() -= locals
		if th.p.arch == ARM64 && f.kind == jit { // the record may be anywhere in the frame
			*th.fp() = *th.sp()
			copy(th.memory[*th.fp()-th.base:][:16], th.memory[keep-th.base:])
		}
	case realigned:
		// The frame pointer is saved a second time, below the gap.
		*th.sp() = *th.sp()&^63 - 16
		th.push(0xdead) // a copy of the return address, not looked at
		th.push(binary.LittleEndian.Uint64(th.memory[keep-th.base:]))
		if th.p.arch == ARM64 {
			th.store(*th.sp()+8, binary.LittleEndian.Uint64(th.memory[keep+8-th.base:]))
		}
		*th.fp() = *th.sp()
		th.push(cfa)
		th.push(oldX)
	case switched:
		*th.fp() = keep
		*th.sp() = th.otherStack()
	}
}

// signal interrupts the thread: it goes on in a handler, possibly on another stack.
func (th *thread) signal() {
	if rapid.Bool().Draw(th.t, "at an entry") {
		th.enter(th.pick(bySP)) // where a leaf of arm64 has its return address in a register
	}
	th.note(true)
	th.signalled = true
	old := th.regs
	if rapid.Bool().Draw(th.t, "signal stack") {
		*th.sp() = th.otherStack()
	}
	*th.sp() -= sigBytes
	frame := *th.sp()
	th.store(frame+sigSP, old.R[th.p.arch.stackPointer()])
	th.store(frame+sigPC, old.PC)
	th.store(frame+sigFP, old.R[th.p.arch.framePointer()])
	th.store(frame+sigX, old.R[th.p.arch.x()])
	th.regs.PC = th.pick(signalFrame).start + bodyAt
	th.call(th.pick(bySP))
}

// otherStack is the top of a stack that nothing has been stored in, in the lower half of memory or in the upper one, below
// what has been stored there.
func (th *thread) otherStack() uint64 {
	middle := th.base + uint64(len(th.memory))/2
	upper := rapid.Bool().Draw(th.t, "upper stack")
	lowest := middle
	if upper {
		lowest += uint64(len(th.memory))/2 - 64
	}
	for _, sp := range append(th.stackPointers(), *th.sp()) {
		if sp >= middle == upper {
			lowest = min(lowest, sp)
		}
	}
	return lowest&^15 - 1024
}

// stackPointers are those of all frames.
func (th *thread) stackPointers() (out []uint64) {
	for _, f := range th.frames {
		out = append(out, f.R[th.p.arch.stackPointer()])
	}
	return out
}
