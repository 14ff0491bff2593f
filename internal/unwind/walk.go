package unwind

// Walker walks stacks. It is used by one goroutine at a time, and by one for as long as possible: it remembers the
// rules of the addresses that it has met.
type Walker struct {
	arch  Arch
	rules *Rules
}

// NewWalker makes a walker for the processes of an architecture, the modules of whose spaces share rules.
func NewWalker(a Arch, rules *Rules) *Walker { return &Walker{arch: a, rules: rules} }

// Walk appends the addresses of a stack to dst, the innermost one first: r.PC, then return addresses as they are, no more
// than max of them. stack is a copy of the memory from address base on. The chain is whole if the outcome is
// Complete. An address in no mapping of code is not appended, except r.PC, which always is.
func (w *Walker) Walk(dst []uint64, s *Space, r *Registers, stack []byte, base uint64, max int) ([]uint64, Outcome) {
	return w.Resume(dst, s, r, stack, base, max, true)
}

// Resume is Walk from a frame that another walk has reached, whose address is r.PC and not in dst yet: first says whether it
// is that of the innermost frame, or of one that was interrupted by a signal, and so no return address.
// max is that of the addresses yet to be appended.
func (w *Walker) Resume(dst []uint64, s *Space, r *Registers, stack []byte, base uint64, max int, first bool) ([]uint64, Outcome) {
	return append(dst, r.PC), NoInformation
}

// IsEntry says whether a return address is in an entry point, which has no caller: a chain that ends there is
// complete, whoever walked it.
func (w *Walker) IsEntry(s *Space, addr uint64) bool { return false }
