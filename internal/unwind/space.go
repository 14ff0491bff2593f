package unwind

import (
	"cmp"
	"math/bits"
	"slices"
	"sync/atomic"
)

// Mapping is one mapping of code in the address space of a process.
type Mapping struct {
	Start, Limit uint64
	// Bias is how much higher the code lies than in its file's own numbering.
	Bias uint64
	// Module has the tables of the file. It is nil for code without a file, such as that of a JIT compiler, which is
	// taken to keep frame pointers.
	Module *Module
	// Err says that there is a file that could not be read.
	Err bool
}

// Space is the code that is mapped in a process, as of one moment: another one is made when that changes.
type Space struct {
	id       uint64 // of no other space
	mappings []Mapping
	// mask has the bits that addresses of code can have: the others of an address that was signed (arm64) are its
	// signature, which begins where the process's addresses end, at bit 39, 42, 47, 48 or 52 by the kernel's
	// configuration. What is highest is the vdso or the dynamic linker, below the stack.
	mask uint64
}

// spaces numbers them.
var spaces atomic.Uint64

// NewSpace makes a space of the mappings, in any order; empty ones are left out. Those of a process do not overlap: if
// some do, each ends where the next one begins. The list is copied.
func NewSpace(ms []Mapping) *Space {
	s := &Space{id: spaces.Add(1), mappings: make([]Mapping, 0, len(ms))}
	for _, m := range ms {
		if m.Start < m.Limit {
			s.mappings = append(s.mappings, m)
		}
	}
	slices.SortStableFunc(s.mappings, func(a, b Mapping) int { return cmp.Compare(a.Start, b.Start) })
	highest := uint64(0)
	for i := range s.mappings {
		m := &s.mappings[i]
		if i+1 < len(s.mappings) {
			m.Limit = min(m.Limit, s.mappings[i+1].Start)
		}
		highest = max(highest, m.Limit)
	}
	s.mask = 1<<bits.Len64(highest) - 1
	return s
}

// find gives the mapping that an address is in, nil if there is none.
func (s *Space) find(addr uint64) *Mapping {
	i, j := 0, len(s.mappings)
	for i < j {
		m := int(uint(i+j) >> 1)
		if s.mappings[m].Start <= addr {
			i = m + 1
		} else {
			j = m
		}
	}
	if i == 0 || addr >= s.mappings[i-1].Limit {
		return nil
	}
	return &s.mappings[i-1]
}
