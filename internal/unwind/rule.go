package unwind

// Where a rule takes a canonical frame address from: the stack pointer of the caller.
const (
	// CFANone: nothing is known about this code.
	CFANone uint8 = iota
	// CFAEnd: the outermost frame, whose return address is undefined: an entry point.
	CFAEnd
	// CFARegister: register CFAReg + CFAOffset.
	CFARegister
	// CFADeref: what is in memory at register CFAReg + CFAOffset, + CFAAdd.
	CFADeref
	// CFAPLT: the stack pointer + CFAOffset, + 8 if the low four bits of the instruction pointer are at least
	// CFAAdd: the expression that linkers write for procedure linkage tables (amd64).
	CFAPLT
	// CFAFramePointer: code that keeps a frame pointer and has no table. The frame pointer is where that of the
	// caller is saved, the return address in the word above.
	CFAFramePointer
	// CFAUnsupported: an expression that no compiler is known to write.
	CFAUnsupported
)

// Where a rule finds a register of the caller.
const (
	// Same: it has not been changed. A return address is then in the link register (arm64).
	Same uint8 = iota
	// AtCFA: in memory at the canonical frame address + offset.
	AtCFA
	// AtSP: in memory at the stack pointer of this frame + offset: frames of signals.
	AtSP
	// Lost: it was not saved.
	Lost
)

// FlagSignal marks the frame of a signal: its caller was interrupted, its address is no return address.
const FlagSignal uint8 = 1

// Rule tells how to get from a frame to its caller. Of the registers three are followed: the stack pointer, which
// becomes the canonical frame address, the frame pointer (rbp, x29), and X: rbx on amd64, the link register on arm64. All
// others are known in the innermost frame alone. It is struct rule of internal/bpf/stacks.bpf.c.
type Rule struct {
	CFA    uint8
	CFAReg uint8 // DWARF number
	RA     uint8
	FP     uint8
	X      uint8
	Flags  uint8
	_      [2]uint8

	CFAOffset, CFAAdd            int32
	RAOffset, FPOffset, XOffset int32
}

// Row says that from an offset in its chunk on a rule holds, to the next row.
type Row struct {
	At   uint16
	Rule uint16 // number in Rules
}

// ChunkShift: a chunk has the rows of 64 KiB of a binary's addresses.
const ChunkShift = 16

// Chunk is the rows of one piece of a binary, in order of address. The first one is at 0, whatever is there.
type Chunk []Row

// Rules numbers the different rules of all tables, so that a row names its rule in 16 bits. Number 0 is
// CFANone, number 1 CFAUnsupported, which also stands for those for which there was no number left, number 2 CFAFramePointer.
type Rules struct {
	list  []Rule
	index map[Rule]uint16
}
