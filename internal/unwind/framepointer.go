package unwind

import (
	"errors"
	"fmt"
)

// sampledChunks is how many chunks of a binary's code KeepsFramePointers looks at.
const sampledChunks = 16

// framedShare is the least share of code that runs in frames of its own where frame pointers are kept: 0.87 to 1 of what gcc
// and clang compile with -fno-omit-frame-pointer (perf and node of Debian 12 are), 0.85 to 0.91 of Go's; below 0.5 of the
// rest (gdb, which aligns many stacks; libc has 0.2).
const framedShare = 0.75

// shortRow is the length of rows that tell nothing: those of prologues and epilogues are shorter.
const shortRow = 16

// errNoRules says that KeepsFramePointers has nothing to go by.
var errNoRules = errors.New("unwind: no unwind information in the code that was looked at")

// KeepsFramePointers says whether the code of a binary keeps frame pointers, so that chains of them can be believed:
// where the register is not that of the frame which runs, they skip its caller. It is told from the unwind
// information of chunks spread evenly over the code. An error says that there is none, or why it cannot be read.
func KeepsFramePointers(m *Module) (bool, error) {
	var chunks uint64
	for _, r := range m.image.Text {
		chunks += chunksOf(r)
	}
	var framed, all uint64
	for i := range min(chunks, sampledChunks) {
		f, a := m.framed(m.nthChunk(i * chunks / min(chunks, sampledChunks)))
		framed, all = framed+f, all+a
	}
	if all == 0 {
		if err := m.Err(); err != nil {
			return false, fmt.Errorf("unwind: %s: %w", m.image.Name, err)
		}
		return false, fmt.Errorf("%s: %w", m.image.Name, errNoRules)
	}
	return float64(framed) >= framedShare*float64(all), nil
}

// chunksOf is the number of chunks that a range touches.
func chunksOf(r Range) uint64 {
	if r.Limit <= r.Start {
		return 0
	}
	return (r.Limit-1)>>ChunkShift - r.Start>>ChunkShift + 1
}

// nthChunk is the number of the nth chunk with code.
func (m *Module) nthChunk(n uint64) uint64 {
	for _, r := range m.image.Text {
		c := chunksOf(r)
		if n < c {
			return r.Start>>ChunkShift + n
		}
		n -= c
	}
	return 0
}

// framed counts the addresses of a chunk that run in a frame of their own, and all that tell.
func (m *Module) framed(n uint64) (framed, all uint64) {
	rows := m.Chunk(n)
	rules := m.rules.List()
	for i, row := range rows {
		limit := uint64(1) << ChunkShift
		if i+1 < len(rows) {
			limit = uint64(rows[i+1].At)
		}
		size := limit - uint64(row.At)
		r := &rules[row.Rule]
		if size < shortRow || r.CFA != CFARegister && r.CFA != CFADeref || m.linked(n<<ChunkShift+uint64(row.At)) {
			continue
		}
		all += size
		if m.hasFrame(r) {
			framed += size
		}
	}
	return framed, all
}

// linked says whether an address is in a procedure linkage table, which no compiler has written.
func (m *Module) linked(addr uint64) bool {
	in := addr >= m.image.PLT.Start && addr < m.image.PLT.Limit
	for _, r := range m.image.Stubs {
		in = in || addr >= r.Start && addr < r.Limit
	}
	return in
}

// hasFrame says whether where a rule holds the frame pointer is that of the function's own frame.
func (m *Module) hasFrame(r *Rule) bool {
	switch {
	case r.CFAReg == m.image.Arch.framePointer():
		return true
	case m.image.Arch == ARM64, m.image.Go != nil:
		// Tables go by the stack pointer, too, where the frame pointer is kept: it is, where both are saved side by side.
		return r.RA == AtCFA && r.FP == AtCFA && r.RAOffset == r.FPOffset+8
	}
	return false
}
