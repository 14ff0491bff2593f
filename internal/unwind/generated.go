package unwind

import (
	"bytes"
	"encoding/binary"
)

// Code that a program has written at build time, such as V8's builtins, has no tables and keeps frame pointers, as what it
// writes at run time. Assembler without tables mostly does not, and its frame pointer leads past callers; so both how much
// there is of it and what it does are asked. V8's builtins are one gap of 1.6 MB, with 52 to 288 functions in 128 KiB that make
// the frame pointer theirs. The assembler of dav1d and x265 has none. That of BLAKE3 (in LLVM and cargo), SvtAv1Enc and
// OpenSSL (in a static busybox) has some, beside others that do not, in gaps of 60 KB at most; that of libaom 4 in 400 KB.
const (
	minGenerated  = 256 << 10 // bytes of a gap
	prologueEvery = 8 << 10   // bytes with one such function at least
	lookAround    = 64 << 10  // bytes of the gap that are looked at on either side of a piece of it
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
	piece := func(limit uint64) {
		if limit < at+maxBridge || at > lo && limit < hi { // what is between functions of one chunk is too short
			return
		}
		gap := m.gap(at, limit)
		if gap.Start > at || gap.Limit < limit || gap.Limit-gap.Start < minGenerated {
			return
		}
		if m.setsFrame(max(gap.Start, at-min(at, lookAround)), min(gap.Limit, limit+lookAround)) {
			found = found.add(at, limit, RuleFramePointer)
		}
	}
	for _, s := range rows {
		piece(min(s.start, hi))
		at = max(at, s.limit)
	}
	piece(hi)
	return rows.over(found)
}

// gap is the code without tables that a piece of it belongs to.
func (m *Module) gap(start, limit uint64) Range {
	gap := Range{m.image.Code.Addr, m.image.Code.Addr + m.image.Code.Size}
	for _, f := range []*frames{m.eh, m.debug} {
		if f == nil {
			continue
		}
		around, err := f.around(start)
		if err != nil {
			m.fault(err)
			return Range{}
		}
		gap.Start, gap.Limit = max(gap.Start, around.Start), min(gap.Limit, around.Limit)
	}
	return gap
}

// around is from where the functions that start before an address end to where the next one starts.
func (f *frames) around(addr uint64) (Range, error) {
	work := min(f.work, maxChunkWork)
	w := f.section.open(work)
	defer func() {
		f.work -= work - max(w.work, 0)
		w.close()
	}()
	out := Range{0, 1<<64 - 1}
	for at := range f.find(addr, 1<<64-1) {
		if at.start >= addr {
			out.Limit = at.start
			break
		}
		w.spend(entryWork)
		e, err := f.entry(w, at.entry)
		var d fde
		if err == nil {
			d, err = f.function(w, e)
		}
		if err != nil {
			return Range{}, err
		}
		out.Start = max(out.Start, d.limit)
	}
	return out, f.err
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
