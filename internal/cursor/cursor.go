// Package cursor takes the little-endian fields of ELF, DWARF and jitdump files off a slice, whatever is in it.
package cursor

import (
	"bytes"
	"encoding/binary"
)

// Cursor reads from Pos on. The first read past the end sets Bad; from then on every read gives zero, so
// a parser checks once per entry. It keeps and gives parts of Bytes, no copies.
type Cursor struct {
	Bytes []byte
	Pos   int // at most len(Bytes)
	Bad   bool
}

// Take gives the next n bytes, nil if there are fewer.
func (c *Cursor) Take(n uint64) []byte {
	if c.Bad || n > uint64(len(c.Bytes)-c.Pos) {
		c.Bad = true
		return nil
	}
	s := c.Bytes[c.Pos : c.Pos+int(n)]
	c.Pos += int(n)
	return s
}

// Left is how many bytes there still are.
func (c *Cursor) Left() int { return len(c.Bytes) - c.Pos }

// U8 is a byte.
func (c *Cursor) U8() uint8 {
	if c.Bad || c.Pos >= len(c.Bytes) {
		c.Bad = true
		return 0
	}
	v := c.Bytes[c.Pos]
	c.Pos++
	return v
}

// U16 is a value of 2 bytes.
func (c *Cursor) U16() uint16 {
	if s := c.Take(2); s != nil {
		return binary.LittleEndian.Uint16(s)
	}
	return 0
}

// U24 is a value of 3 bytes, as DWARF 5 has them.
func (c *Cursor) U24() uint32 {
	if s := c.Take(3); s != nil {
		return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16
	}
	return 0
}

// U32 is a value of 4 bytes.
func (c *Cursor) U32() uint32 {
	if s := c.Take(4); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

// U64 is a value of 8 bytes.
func (c *Cursor) U64() uint64 {
	if s := c.Take(8); s != nil {
		return binary.LittleEndian.Uint64(s)
	}
	return 0
}

// Word is an address or offset of 4 or, wide, 8 bytes.
func (c *Cursor) Word(wide bool) uint64 {
	if wide {
		return c.U64()
	}
	return uint64(c.U32())
}

// Sized is an unsigned value of n bytes; another n than 1, 2, 4, 8 is bad.
func (c *Cursor) Sized(n uint8) uint64 {
	switch n {
	case 1:
		return uint64(c.U8())
	case 2:
		return uint64(c.U16())
	case 4:
		return uint64(c.U32())
	case 8:
		return c.U64()
	}
	c.Bad = true
	return 0
}

// ULEB is an unsigned LEB128 number. It drops the bits beyond 64, as the encoders that pad with 0x80 expect.
func (c *Cursor) ULEB() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := c.U8()
		if c.Bad {
			return 0
		}
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			return v
		}
	}
}

// SLEB is a signed LEB128 number, without the bits beyond 64.
func (c *Cursor) SLEB() int64 {
	var v int64
	for shift := uint(0); ; shift += 7 {
		b := c.U8()
		if c.Bad {
			return 0
		}
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			if shift+7 < 64 && b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// Text is what comes before the next NUL, which is passed.
func (c *Cursor) Text() []byte {
	if c.Bad {
		return nil
	}
	n := bytes.IndexByte(c.Bytes[c.Pos:], 0)
	if n < 0 {
		c.Bad = true
		return nil
	}
	s := c.Bytes[c.Pos : c.Pos+n]
	c.Pos += n + 1
	return s
}
