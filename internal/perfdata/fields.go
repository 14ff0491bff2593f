package perfdata

import (
	"bytes"
	"encoding/binary"
)

// fields reads numbers and strings one after the other, in the byte order of
// the file. Once something does not fit, all that follows is zero and bad is set.
type fields struct {
	b     []byte
	order binary.ByteOrder
	bad   bool
}

func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.b, f.bad = nil, true
		return nil
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) u64() uint64 {
	b := f.take(8)
	if b == nil {
		return 0
	}
	return f.order.Uint64(b)
}

func (f *fields) u32() uint32 {
	b := f.take(4)
	if b == nil {
		return 0
	}
	return f.order.Uint32(b)
}

func (f *fields) u16() uint16 {
	b := f.take(2)
	if b == nil {
		return 0
	}
	return f.order.Uint16(b)
}

// text reads struct perf_header_string: a length, and as many bytes, of which
// those from the first NUL on are padding.
func (f *fields) text() string { return cString(f.take(uint64(f.u32()))) }

// texts reads struct perf_header_string_list.
func (f *fields) texts() (all []string) {
	n := f.u32()
	for ; n > 0 && !f.bad; n-- {
		text := f.text()
		if !f.bad {
			all = append(all, text)
		}
	}
	return all
}

func cString(b []byte) string {
	if n := bytes.IndexByte(b, 0); n >= 0 {
		b = b[:n]
	}
	return string(b)
}
