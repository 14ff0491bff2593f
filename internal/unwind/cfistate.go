package unwind

import "math"

// cfaState is how a canonical frame address is found: by reg and off if expr is false, which the instructions change one
// by one, else as what tells.
type cfaState struct {
	expr     bool
	reg      uint64
	off      int64
	what     value
	defined  bool
	overflow bool
}

// What is told of a register of the caller.
const (
	placeUnset     uint8 = iota
	placeUndefined       // it has none, or it is lost
	placeSame            // it has not been changed
	placeOffset          // in memory at the canonical frame address + off
	placeValOffset       // the canonical frame address + off
	placeRegister        // in register reg
	placeMemory          // in memory at register reg + off
	placeValue           // register reg + off
	placeUnknown         // an expression that is not understood
)

// place is where one register of the caller is.
type place struct {
	how uint8
	reg uint64
	off int64
}

// state is a row of the table that call frame information stands for (DWARF 5, 6.4.1), without the columns of registers
// that are not followed.
type state struct {
	cfa           cfaState
	ra, fp, x, sp place
}

// set tells where a register is. The column of the return address may be that of X, too (arm64).
func (s *state) set(arch Arch, ra, reg uint64, p place) {
	if reg == ra {
		s.ra = p
	}
	switch reg {
	case uint64(arch.framePointer()):
		s.fp = p
	case uint64(arch.x()):
		s.x = p
	case uint64(arch.stackPointer()):
		s.sp = p
	}
}

// restore tells where registers are as another state does.
func (s *state) restore(arch Arch, ra, reg uint64, from *state) {
	if reg == ra {
		s.ra = from.ra
	}
	switch reg {
	case uint64(arch.framePointer()):
		s.fp = from.fp
	case uint64(arch.x()):
		s.x = from.x
	case uint64(arch.stackPointer()):
		s.sp = from.sp
	}
}

// arm64Signal is the frame of a signal on arm64, whatever a table says, which would be the frame record below it: struct
// rt_sigframe of arch/arm64/kernel/signal.c is at the stack pointer. It is siginfo (128 bytes), then struct ucontext, whose
// struct sigcontext (uapi/asm/sigcontext.h) is at 176: fault_address, regs[31], sp, pc.
var arm64Signal = Rule{
	Flags: FlagSignal,
	CFA:   CFADeref, CFAReg: arm64SP, CFAOffset: arm64SigRegs + 31*8,
	RA: AtSP, RAOffset: arm64SigRegs + 32*8,
	FP: AtSP, FPOffset: arm64SigRegs + arm64FP*8,
	X: AtSP, XOffset: arm64SigRegs + arm64LR*8,
}

const arm64SigRegs = 128 + 176 + 8

var unsupported = Rule{CFA: CFAUnsupported}

// rule is what a state means to a walk.
func (s *state) rule(arch Arch, c *cie) Rule {
	if c.signal && arch == ARM64 {
		return arm64Signal
	}
	if s.ra.how == placeUndefined {
		return Rule{CFA: CFAEnd}
	}
	v := s.cfa.what
	if !s.cfa.expr {
		v = value{kind: valueRegister, reg: s.cfa.reg, off: s.cfa.off}
	}
	if !s.cfa.defined {
		return Rule{}
	}
	v, shift, ok := s.stackPointer(v)
	if !ok || s.cfa.overflow || v.reg > 31 || !fits(v.off) || !fits(v.add) {
		return unsupported
	}
	r := Rule{CFAReg: uint8(v.reg), CFAOffset: int32(v.off), CFAAdd: int32(v.add)}
	switch v.kind {
	case valueRegister:
		r.CFA = CFARegister
	case valueDeref:
		r.CFA = CFADeref
	case valuePLT:
		r.CFA = CFAPLT
		if arch != AMD64 || r.CFAReg != amd64RSP {
			return unsupported
		}
	default:
		return unsupported
	}
	if c.signal {
		r.Flags = FlagSignal
	}
	ra := s.ra
	if ra.how == placeUnset {
		ra.how = placeSame
	}
	r.RA, r.RAOffset = ra.find(arch, shift)
	if r.RA == Lost || r.RA == Same && c.ra != uint64(arch.x()) {
		return unsupported // a return address is in memory, or in the register that calls leave it in
	}
	r.FP, r.FPOffset = s.fp.find(arch, shift)
	r.X, r.XOffset = s.x.find(arch, shift)
	return r
}

// noShift: the canonical frame address of the table is not told by that of the rule.
const noShift = math.MinInt64

// stackPointer is the caller's stack pointer, which nearly always is the canonical frame address: what a rule calls so.
// Shift is how far it is above the table's.
func (s *state) stackPointer(cfa value) (v value, shift int64, ok bool) {
	switch s.sp.how {
	case placeUnset:
		return cfa, 0, true
	case placeValOffset:
		cfa.add += s.sp.off
		if cfa.kind == valueRegister {
			cfa.off, cfa.add = cfa.off+cfa.add, 0
		}
		return cfa, s.sp.off, cfa.kind != valuePLT && fits(s.sp.off)
	case placeMemory:
		v = value{kind: valueDeref, reg: s.sp.reg, off: s.sp.off}
	case placeValue, placeRegister: // libc's longjmp
		v = value{kind: valueRegister, reg: s.sp.reg, off: s.sp.off}
	default:
		return value{}, 0, false
	}
	if v == cfa {
		return v, 0, true
	}
	return v, noShift, true
}

// find is the place in the terms of a rule, Lost if it has none for it.
func (p place) find(arch Arch, shift int64) (how uint8, off int32) {
	switch p.how {
	case placeUnset, placeSame:
		return Same, 0
	case placeOffset:
		if at := p.off - shift; shift != noShift && fits(at) {
			return AtCFA, int32(at)
		}
	case placeMemory:
		switch {
		case !fits(p.off):
		case p.reg == uint64(arch.stackPointer()):
			return AtSP, int32(p.off)
		case p.reg == uint64(arch.framePointer()):
			return AtFP, int32(p.off)
		}
	case placeRegister:
		if p.reg <= 31 {
			return InRegister, int32(p.reg)
		}
	case placeValue:
		if p.reg <= 31 && p.off == 0 {
			return InRegister, int32(p.reg)
		}
	}
	return Lost, 0
}

func fits(v int64) bool { return v == int64(int32(v)) }
