package unwind

import (
	"errors"
	"fmt"
)

// sampledChunks is how many chunks of a binary's code KeepsFramePointers looks at.
const sampledChunks = 16

// framedShare is the least share of code that has its own frame at the frame pointer where frame pointers are kept. With
// -fno-omit-frame-pointer all but prologues and epilogues have (README of this number: TestKeepsFramePointers).
const framedShare = 0.8

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

// framed counts the addresses of a chunk whose frame is at the frame pointer, and all that have a rule.
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
		if r.CFA == CFANone || r.CFA == CFAEnd || row.Rule == RuleFramePointer {
			continue // nothing is told
		}
		all += size
		if (r.CFA == CFARegister || r.CFA == CFADeref) && r.CFAReg == m.image.Arch.framePointer() {
			framed += size
		}
	}
	return framed, all
}
