package perfdata

import (
	"encoding/binary"
	"math/bits"
	"slices"
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

// u64 swaps one 64-bit word and returns it. Callchains are made of them.
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
	if b := c.flip(4); b != nil {
		return binary.NativeEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u16() { c.flip(2) }

// flip turns the next n bytes round; nil where there are fewer.
func (c *cursor) flip(n uint64) []byte {
	b := c.take(n)
	slices.Reverse(b)
	return b
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
