package unwind

import "encoding/binary"

// frame is one frame of a stack that is being walked, and the memory that the walk can read.
type frame struct {
	pc, sp, fp, x uint64
	known         struct{ sp, fp, x bool }
	// exact: pc is that of an instruction that has yet to run: the innermost frame, or one that was interrupted by a
	// signal. Else it is a return address.
	exact bool
	// inner: this is the frame where the walk began, all of whose registers are known.
	inner bool
	regs  *Registers // of the inner frame
	// moved: this frame may be on another stack than the one where the walk began, of which there is no copy.
	moved bool

	arch  Arch
	mask  uint64 // of addresses of code
	stack []byte
	base  uint64
}

// userLimit is above all addresses of user code: 52 bits on arm64, 57 with five levels of page tables on amd64.
const userLimit = 1 << 57

// word reads a word of the stack.
func (f *frame) word(addr uint64) (uint64, Outcome) {
	off := addr - f.base
	n := uint64(len(f.stack))
	switch {
	case n >= 8 && off <= n-8:
		return binary.LittleEndian.Uint64(f.stack[off:]), Complete
	case n == 0:
		return 0, NoStack
	case addr >= userLimit || addr < f.base && !f.moved:
		return 0, Unreadable
	}
	return 0, Truncated
}

// register is a register of this frame.
func (f *frame) register(number uint8) (uint64, bool) {
	switch number {
	case f.arch.stackPointer():
		return f.sp, f.known.sp
	case f.arch.framePointer():
		return f.fp, f.known.fp
	case f.arch.x():
		return f.x, f.known.x
	}
	if f.inner {
		return f.regs.get(number)
	}
	return 0, false
}

// step makes f the frame of its caller. It is false if there is none to be found, with how the walk ends.
func (f *frame) step(r *Rule) (Outcome, bool) {
	f.moved = f.moved || r.Flags&FlagSwitch != 0
	if r.CFA == CFAFramePointer || f.arch == ARM64 && !f.known.sp && f.needsSP(r) {
		return f.stepPointer(r.Flags)
	}
	cfa, out := f.canonical(r)
	if out != Complete {
		return out, false
	}
	if r.Flags&(FlagSignal|FlagSwitch) == 0 && cfa <= f.sp && !(cfa == f.sp && f.exact && (r.RA == Same || r.RA == InRegister)) {
		// The stack must rise: nothing of a frame is on it only while the return address is in a register, as in leaves
		// on arm64 and in libc's vfork on amd64. Code that changes to another stack keeps the frame pointer on the old one.
		if r.CFA != CFARegister || r.CFAReg != f.arch.framePointer() || f.sp-cfa < otherStack {
			return BadFrame, false
		}
		f.moved = true
	}
	pc, out := f.saved(r.RA, r.RAOffset, cfa, f.x, f.known.x && f.arch == ARM64)
	if out != Complete {
		return out, false
	}
	// What else was saved may be in memory that is not there: that is no fault if nothing asks for it.
	fp, fpOut := f.restored(r.FP, r.FPOffset, cfa, f.fp, f.known.fp)
	x, xOut := f.restored(r.X, r.XOffset, cfa, f.x, f.known.x)
	f.fp, f.known.fp = fp, fpOut == Complete
	f.x, f.known.x = x, xOut == Complete
	f.sp, f.known.sp = cfa, true
	f.exact = r.Flags&FlagSignal != 0
	f.moved = f.moved || f.exact
	if f.arch == ARM64 && !f.exact {
		f.known.x = false // the call has overwritten the link register
	}
	return f.enter(pc)
}

// otherStack is how far below the stack pointer nothing can be but another stack, where its bottom is: those that programs make for themselves
// are larger. Rust's compiler and gcc's split stacks have such.
const otherStack = 4096

// needsSP says whether a rule asks for the stack pointer.
func (f *frame) needsSP(r *Rule) bool {
	switch r.CFA {
	case CFARegister, CFADeref:
		return r.CFAReg == f.arch.stackPointer()
	}
	return r.CFA == CFAPLT
}

// restored is saved for a register that may be back already, while the table still names its place.
func (f *frame) restored(how uint8, offset int32, cfa, value uint64, known bool) (uint64, Outcome) {
	if how == AtFP && known && f.known.fp && (f.fp < f.sp || f.fp >= cfa) {
		// The frame pointer is not in this frame: gcc 12 says nothing of the "leave" of functions that align their stack.
		return value, Complete
	}
	v, out := f.saved(how, offset, cfa, value, known)
	if out == Unreadable && how == AtCFA && f.exact && known && f.sp-(cfa+uint64(int64(offset))) <= redZone {
		// An epilogue has popped it. The place is now below the stack pointer, and so in no copy of the stack.
		return value, Complete
	}
	return v, out
}

// redZone is how far below the stack pointer memory is in use (System V ABI for AMD64, section 3.2.2).
const redZone = 128

// stepPointer is step for code that keeps frame pointers and has no table: in memory at the frame pointer there is
// that of the caller, in the word above it the return address.
//
// On amd64 the frame ends above them. On arm64 it may go on (AAPCS64, section 6.4.6, leaves their place in the frame
// open), so the caller's stack pointer is only known not to be below: callers whose rules ask for it are found by their
// frame pointers, too, which code for arm64 keeps by default.
func (f *frame) stepPointer(flags uint8) (Outcome, bool) {
	switch {
	case !f.known.fp:
		return NoInformation, false
	case f.fp == 0 && (!f.exact || flags&FlagSwitch != 0):
		// By the ABIs the first frame has none below it. In an innermost frame the register may as well be in use
		// for something else. Go's runtime clears it where it changes to a stack that does not return.
		return Complete, false
	case f.fp&7 != 0 || flags&FlagSwitch == 0 && f.fp < f.sp:
		return BadFrame, false
	}
	fp, out := f.word(f.fp)
	if out != Complete {
		return out, false
	}
	pc, out := f.word(f.fp + 8)
	if out != Complete {
		return out, false
	}
	f.sp, f.known.sp = f.fp+16, f.arch == AMD64
	f.fp = fp
	f.known.x = false // who was called may have saved it anywhere
	f.exact = false
	return f.enter(pc)
}

// enter takes the frame's address. It is false if that says that there is no frame.
func (f *frame) enter(pc uint64) (Outcome, bool) {
	f.inner = false
	f.pc = pc
	if f.arch == ARM64 {
		f.pc &= f.mask
	}
	// What starts a thread may leave a zero above its first frame.
	return Complete, f.pc != 0
}

// canonical is the canonical frame address: the stack pointer of the caller.
func (f *frame) canonical(r *Rule) (uint64, Outcome) {
	switch r.CFA {
	case CFARegister, CFADeref:
		v, ok := f.register(r.CFAReg)
		if !ok {
			return 0, NoInformation
		}
		v += uint64(int64(r.CFAOffset))
		if r.CFA == CFARegister {
			return v, Complete
		}
		v, out := f.word(v)
		return v + uint64(int64(r.CFAAdd)), out
	case CFAPLT:
		if !f.known.sp {
			return 0, NoInformation
		}
		v := f.sp + uint64(int64(r.CFAOffset))
		if f.pc&15 >= uint64(r.CFAAdd) {
			v += 8
		}
		return v, Complete
	}
	return 0, Unsupported
}

// saved is a register of the caller: value and known are what it is in this frame.
func (f *frame) saved(how uint8, offset int32, cfa, value uint64, known bool) (uint64, Outcome) {
	o := uint64(int64(offset))
	switch how {
	case AtCFA:
		return f.word(cfa + o)
	case AtSP:
		if f.known.sp {
			return f.word(f.sp + o)
		}
	case AtFP:
		if f.known.fp {
			return f.word(f.fp + o)
		}
	case InRegister:
		if v, ok := f.register(uint8(offset)); ok {
			return v, Complete
		}
	case Same:
		if known {
			return value, Complete
		}
	}
	return 0, NoInformation
}
