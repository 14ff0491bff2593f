package unwind

import (
	"math/bits"

	"github.com/energyprof/energyprof/internal/cursor"
)

// searchTable is the table of .eh_frame_hdr (Linux Standard Base 5.0, core, 10.6.2): pairs of the address of a function and that of
// its entry in .eh_frame, in order.
type searchTable struct {
	section Section
	enc     uint8
	first   uint64 // offset of the first pair
	size    uint64 // bytes of a field; a pair has two
	n       uint64
}

// open reads the head of the table. It is false if there is no table, or none that can be searched.
func (t *searchTable) open() bool {
	w := t.section.open(readWork)
	defer w.close()
	c := cursor.Cursor{Bytes: w.bytes(0, 32)}
	version, start, count, enc := c.U8(), c.U8(), c.U8(), c.U8()
	if start != encOmit {
		encoded(&c, start, t.section.Addr, t.section.Addr)
	}
	if version != 1 || count == encOmit || enc == encOmit {
		return false
	}
	t.n = encoded(&c, count, t.section.Addr, t.section.Addr)
	t.enc, t.first, t.size = enc, uint64(c.Pos), encodedSize(enc)
	if c.Bad || t.size == 0 || enc&0xf0 != encDataRel && enc&0xf0 != 0 {
		return false
	}
	hi, bytes := bits.Mul64(t.n, 2*t.size)
	return t.n > 0 && hi == 0 && bytes <= t.section.Size-t.first
}

// pair reads a pair: zeros where that cannot be.
func (t *searchTable) pair(w *window, i uint64) (start, entry uint64) {
	c := cursor.Cursor{Bytes: w.bytes(t.first+i*2*t.size, 2*t.size)}
	return encoded(&c, t.enc, 0, t.section.Addr), encoded(&c, t.enc, 0, t.section.Addr)
}
