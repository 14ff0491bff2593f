package perfring

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

// cursor reads the fields of a record one after the other. Once something
// does not fit, failed names it and all that follows reads as zero.
type cursor struct {
	b      []byte
	field  string // what is being read, for failed
	failed string
	reason error // ErrShort or ErrMalformed
}

func (c *cursor) fail(reason error) {
	if c.reason == nil {
		c.reason = reason
		c.failed = c.field
		if c.failed == "" {
			c.failed = "fixed fields"
		}
	}
	c.b = nil
}

// error is the failure of a record, nil if all fitted.
func (c *cursor) error(h Header) error {
	if c.reason == nil {
		return nil
	}
	return &DecodeError{Type: h.Type, Size: int(h.Size), Field: c.failed, Reason: c.reason}
}

func (c *cursor) u64() uint64 {
	if len(c.b) < 8 {
		c.fail(ErrShort)
		return 0
	}
	v := binary.NativeEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

func (c *cursor) u32() uint32 {
	if len(c.b) < 4 {
		c.fail(ErrShort)
		return 0
	}
	v := binary.NativeEndian.Uint32(c.b)
	c.b = c.b[4:]
	return v
}

func (c *cursor) u16() uint16 {
	if len(c.b) < 2 {
		c.fail(ErrShort)
		return 0
	}
	v := binary.NativeEndian.Uint16(c.b)
	c.b = c.b[2:]
	return v
}

// bytes returns the next n bytes.
func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail(ErrShort)
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// text returns the rest up to the first NUL: the kernel pads names with more
// of them.
func (c *cursor) text() []byte {
	v := c.b
	if n := bytes.IndexByte(v, 0); n >= 0 {
		v = v[:n:n]
	}
	c.b = nil
	return v
}

// words returns the next n 64-bit words in place, which is why the whole
// record must be aligned to 8 bytes.
func (c *cursor) words(n uint64) []uint64 {
	if n > uint64(len(c.b))/8 {
		c.fail(ErrShort)
		return nil
	}
	if n == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(&c.b[0]))%8 != 0 {
		c.fail(ErrMalformed)
		return nil
	}
	v := unsafe.Slice((*uint64)(unsafe.Pointer(&c.b[0])), n)
	c.b = c.b[8*n:]
	return v
}

func (c *cursor) times(f ReadFormat) (enabled, running uint64) {
	if f&ReadTotalTimeEnabled != 0 {
		enabled = c.u64()
	}
	if f&ReadTotalTimeRunning != 0 {
		running = c.u64()
	}
	return enabled, running
}

// member reads what follows the value of a counter.
func (c *cursor) member(f ReadFormat) (v ReadValue) {
	if f&ReadID != 0 {
		v.ID = c.u64()
	}
	if f&ReadLost != 0 {
		v.Lost = c.u64()
	}
	return v
}
