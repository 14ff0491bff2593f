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
	// AtFP: in memory at the frame pointer of this frame + offset: gcc's functions that realign their stack, whose
	// canonical frame address is CFADeref.
	AtFP
	// InRegister: in the register of this frame whose DWARF number is the offset: libc's vfork.
	InRegister
	// Lost: it was not saved.
	Lost
)

// Flags of a rule.
const (
	// FlagSignal marks the frame of a signal: its caller was interrupted, its address is no return address.
	FlagSignal uint8 = 1 << iota
	// FlagSwitch: the caller may be on another stack, below or above this one (Go's systemstack, mcall, asmcgocall).
	FlagSwitch
)

// Rule tells how to get from a frame to its caller. Of the registers three are followed: the stack pointer, which
// becomes the canonical frame address, the frame pointer (rbp, x29), and X: rbx on amd64, the link register on arm64. All
// others are known in the innermost frame alone. It is struct rule of internal/bpf/stacks_tables.bpf.h.
type Rule struct {
	CFA    uint8
	CFAReg uint8 // DWARF number
	RA     uint8
	FP     uint8
	X      uint8
	Flags  uint8
	_      [2]uint8

	CFAOffset, CFAAdd           int32
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

// Numbers of rules that are the same in all sessions.
const (
	RuleNone         uint16 = iota // CFANone
	RuleUnsupported                // CFAUnsupported, also in place of rules for which there was no number left
	RuleFramePointer               // CFAFramePointer
)

// Rules numbers the different rules of all tables, so that a row names its rule in 16 bits.
type Rules struct {
	list  []Rule
	index map[Rule]uint16
}

// maxRules is how many rules there can be: what a row's 16 bits can name.
const maxRules = 1 << 16

// NewRules returns the rules that all sessions have.
func NewRules() *Rules {
	r := &Rules{index: map[Rule]uint16{}}
	for _, cfa := range []uint8{CFANone, CFAUnsupported, CFAFramePointer} {
		r.number(Rule{CFA: cfa})
	}
	return r
}

// List is the rules by number. It grows while chunks are compiled and must not be changed.
func (r *Rules) List() []Rule { return r.list }

// number returns the number of a rule, a new one if it has none yet.
func (r *Rules) number(rule Rule) uint16 {
	if n, ok := r.index[rule]; ok {
		return n
	}
	if len(r.list) == maxRules {
		return RuleUnsupported
	}
	n := uint16(len(r.list))
	r.list = append(r.list, rule)
	r.index[rule] = n
	return n
}
