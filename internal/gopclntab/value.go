package gopclntab

import (
	"fmt"
	"iter"
)

// Span says that a value holds in [Start,Limit).
type Span struct {
	Start, Limit uint64
	Value        int32
}

// Depths gives how many bytes the stack pointer is below where it was at the
// entry of the function (on amd64, where the return address is on the stack,
// below where that is), for its instructions in order. The padding behind the
// last instruction is in none. It ends after the first error.
func (t *Table) Depths(f Function) iter.Seq2[Span, error] { return t.spans(f, f.depths) }

// maxSpans is beyond what the largest function can have, which is less than
// one for each instruction.
const maxSpans = 1 << 20

// spans decodes a table of values of a function: pairs of a signed difference
// to the value before, which starts as -1, and of how many instruction units
// it holds for, both as variable-length integers; a difference of zero that is
// not the first ends it.
func (t *Table) spans(f Function, off uint32) iter.Seq2[Span, error] {
	return func(yield func(Span, error) bool) {
		if off == 0 { // no table
			return
		}
		fail := func(format string, args ...any) {
			yield(Span{}, fmt.Errorf("%w: values of the function at %#x: %s", ErrFormat, f.Entry, fmt.Sprintf(format, args...)))
		}
		c := values{t: t, at: t.values + uint64(off)}
		s := Span{Limit: f.Entry, Value: -1}
		for n := 0; s.Limit < f.End; n++ {
			err := t.spend(1)
			if err == nil && n == maxSpans {
				err = fmt.Errorf("%w: values of the function at %#x", ErrLimit, f.Entry)
			}
			if err != nil {
				yield(Span{}, err)
				return
			}
			diff, length := c.next(), uint32(0)
			if c.err == nil && diff == 0 && n > 0 {
				return
			}
			length = c.next()
			if c.err != nil {
				fail("%v", c.err)
				return
			}
			if length == 0 {
				fail("one holds for no instruction")
				return
			}
			s.Value += int32(diff>>1) ^ -int32(diff&1)
			s.Start = s.Limit
			s.Limit += uint64(length) * t.quantum
			if s.Limit > f.End {
				fail("they go on to %#x, the function to %#x", s.Limit, f.End)
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// value gives what a table of values says at addr; -1 where it says nothing.
func (t *Table) value(f Function, off uint32, addr uint64) (int32, error) {
	for s, err := range t.spans(f, off) {
		if err != nil {
			return -1, err
		}
		if addr < s.Limit {
			return s.Value, nil
		}
	}
	return -1, nil
}

// values reads variable-length integers.
type values struct {
	t   *Table
	at  uint64
	buf []byte
	err error
}

func (c *values) next() uint32 {
	v := uint32(0)
	for shift := 0; c.err == nil; shift += 7 {
		if len(c.buf) == 0 {
			if c.buf, c.err = c.t.memory.from(c.t.table, c.at); c.err != nil {
				break
			}
		}
		b := c.buf[0]
		c.buf, c.at = c.buf[1:], c.at+1
		v |= uint32(b&0x7f) << shift
		if b&0x80 == 0 {
			return v
		}
		if shift >= 28 {
			c.err = fmt.Errorf("a number of more than 32 bits at %#x", c.at)
		}
	}
	return 0
}
