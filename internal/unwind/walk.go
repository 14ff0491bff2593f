package unwind

// Walker walks stacks. It is used by one goroutine at a time, and by one for as long as possible: it remembers the
// rules of the addresses that it has met.
type Walker struct {
	arch  Arch
	rules *Rules
	cache []remembered
}

// remembered is what is known of one address in one space.
type remembered struct {
	addr, space uint64
	rule        Rule
	// found is Complete if the rule says how to go on or that this is an entry; else the walk ends with it.
	found Outcome
}

// cacheBits: a walker remembers the rules of 1<<cacheBits addresses, 48 bytes each, one for each value of a hash.
// A profile of a big program has some ten thousand different return addresses, most of them rare.
const cacheBits = 13

// NewWalker makes a walker for the processes of an architecture, the modules of whose spaces share rules.
func NewWalker(a Arch, rules *Rules) *Walker {
	return &Walker{arch: a, rules: rules, cache: make([]remembered, 1<<cacheBits)}
}

// Walk appends the addresses of a stack to dst, the innermost one first: r.PC, then return addresses as they are (on
// arm64 without signatures), no more than max of them. stack is a copy of the memory from address base on. The chain
// is whole if the outcome is Complete. An address in no mapping of code is not appended, except r.PC, which always is.
func (w *Walker) Walk(dst []uint64, s *Space, r *Registers, stack []byte, base uint64, max int) ([]uint64, Outcome) {
	return w.Resume(dst, s, r, stack, base, max, true)
}

// Resume is Walk from a frame that another walk has reached, whose address is r.PC and not in dst yet: first says
// whether it is that of the innermost frame, or of one that was interrupted by a signal, and so no return address.
// max is that of the addresses yet to be appended.
func (w *Walker) Resume(dst []uint64, s *Space, r *Registers, stack []byte, base uint64, max int, first bool) ([]uint64, Outcome) {
	f := frame{regs: r, pc: r.PC, exact: first, inner: first, mask: s.mask, arch: w.arch, stack: stack, base: base}
	f.sp, f.known.sp = r.get(w.arch.stackPointer())
	f.fp, f.known.fp = r.get(w.arch.framePointer())
	f.x, f.known.x = r.get(w.arch.x())
	return w.walk(dst, s, &f, max)
}

// walk appends the frames from f on. Then f is the one whose caller was not found.
func (w *Walker) walk(dst []uint64, s *Space, f *frame, max int) ([]uint64, Outcome) {
	byPointer := false // the frame was found by a frame pointer
	for n := 0; ; n++ {
		at := f.pc
		if !f.exact {
			at-- // the call, not what follows it, which may be another function
		}
		k := w.look(s, at)
		if k.found == NoMapping && n > 0 {
			if byPointer {
				return dst, BadFrame
			}
			return dst, NoMapping
		}
		if n == max {
			return dst, Deep
		}
		dst = append(dst, f.pc)
		if k.found != Complete || k.rule.CFA == CFAEnd {
			return dst, k.found
		}
		byPointer = k.rule.CFA == CFAFramePointer
		if out, more := f.step(&k.rule); !more {
			return dst, out
		}
	}
}

// IsEntry says whether a return address is in an entry point, which has no caller: a chain that ends there is
// complete, whoever walked it.
func (w *Walker) IsEntry(s *Space, addr uint64) bool {
	k := w.look(s, addr-1)
	return k.found == Complete && k.rule.CFA == CFAEnd
}

// look finds what is known of an address.
func (w *Walker) look(s *Space, addr uint64) *remembered {
	// Fibonacci hashing: the multiplier is 2^64 divided by the golden ratio.
	k := &w.cache[(addr+s.id<<40)*0x9e3779b97f4a7c15>>(64-cacheBits)]
	if k.addr != addr || k.space != s.id {
		k.addr, k.space = addr, s.id
		k.rule, k.found = w.find(s, addr)
	}
	return k
}

// find finds the rule of an address in the tables.
func (w *Walker) find(s *Space, addr uint64) (Rule, Outcome) {
	m := s.find(addr)
	switch {
	case m == nil:
		return Rule{}, NoMapping
	case m.Err:
		return Rule{}, NoBinary
	case m.Module == nil:
		return Rule{CFA: CFAFramePointer}, Complete
	}
	addr -= m.Bias
	n := m.Module.Chunk(addr >> ChunkShift).Rule(uint16(addr))
	r := w.rules.List()[n]
	switch r.CFA {
	case CFANone:
		return r, NoInformation
	case CFAUnsupported:
		return r, Unsupported
	}
	return r, Complete
}
