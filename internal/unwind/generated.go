package unwind

import (
	"bytes"
	"encoding/binary"
)

// Code that a program has written at build time, such as V8's builtins, has no tables and keeps frame pointers, as what it
// writes at run time. Assembler without tables mostly does not, and its frame pointer leads past callers; so the
// code is asked: in 64 KiB of node's builtins 5 to 178 functions make the frame pointer theirs, in dav1d's and x265's assembler none.
const (
	minGenerated  = 4 << 10  // bytes of a gap in a chunk below which it is not looked at
	prologueEvery = 16 << 10 // bytes with one such function at least
)

// generated gives gaps with such code the rule of frame pointers.
func (m *Module) generated(rows spans, lo, hi uint64) spans {
	code := m.image.Code
	if code.Data == nil || code.Addr+code.Size < code.Addr {
		return rows
	}
	lo, hi = max(lo, code.Addr), min(hi, code.Addr+code.Size)
	var found spans
	at := lo
	gap := func(limit uint64) {
		if limit > at && limit-at >= minGenerated && m.setsFrame(at, limit) {
			found = found.add(at, limit, RuleFramePointer)
		}
	}
	for _, s := range rows {
		gap(min(s.start, hi))
		at = max(at, s.limit)
	}
	gap(hi)
	return rows.over(found)
}

// setsFrame says whether enough functions of some code make the frame pointer theirs when they start.
func (m *Module) setsFrame(start, limit uint64) bool {
	w := m.image.Code.open(maxChunkWork)
	defer w.close()
	b := w.bytes(start-m.image.Code.Addr, limit-start)
	m.fault(w.err)
	n := 0
	if m.image.Arch == AMD64 {
		n = bytes.Count(b, []byte("\x55\x48\x89\xe5")) // push rbp; mov rbp, rsp
	} else {
		for i := 0; i+4 <= len(b); i += 4 {
			if binary.LittleEndian.Uint32(b[i:])&0xffc003ff == 0x910003fd { // add x29, sp, #N, of which mov x29, sp is one
				n++
			}
		}
	}
	return n*prologueEvery >= len(b) && n > 0
}
