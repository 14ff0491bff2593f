package perfdata

import (
	"encoding/binary"
	"math/bits"
)

func nativeUint16(b []byte) uint16 { return binary.NativeEndian.Uint16(b) }

// cursor turns the fields of a record of the other byte order into the
// machine's own, in place, one after the other. Where the record ends too
// early it does nothing more: the decoder will say so.
type cursor struct {
	b []byte
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.b = nil
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

// u64 swaps one 64-bit word and returns it.
func (c *cursor) u64() uint64 {
	b := c.take(8)
	if b == nil {
		return 0
	}
	v := bits.ReverseBytes64(binary.NativeEndian.Uint64(b))
	binary.NativeEndian.PutUint64(b, v)
	return v
}

func (c *cursor) u32() uint32 {
	b := c.take(4)
	if b == nil {
		return 0
	}
	v := bits.ReverseBytes32(binary.NativeEndian.Uint32(b))
	binary.NativeEndian.PutUint32(b, v)
	return v
}

func (c *cursor) u16() uint16 {
	b := c.take(2)
	if b == nil {
		return 0
	}
	v := bits.ReverseBytes16(binary.NativeEndian.Uint16(b))
	binary.NativeEndian.PutUint16(b, v)
	return v
}

// words swaps the next n 64-bit words.
func (c *cursor) words(n uint64) {
	if n > uint64(len(c.b))/8 {
		c.b = nil
		return
	}
	for ; n > 0; n-- {
		c.u64()
	}
}
