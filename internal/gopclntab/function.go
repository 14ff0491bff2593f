package gopclntab

import (
	"fmt"
	"iter"
	"sort"
)

// Flags tell how a function treats the stack (abi.FuncFlag).
type Flags uint8

const (
	// TopFrame: the outermost function of a stack, where a walk is complete.
	TopFrame Flags = 1 << iota
	// SPWrite: it sets the stack pointer in ways that the depths cannot tell.
	SPWrite
	// Assembly: it is written in assembly language.
	Assembly
)

// Function is an entry of the table.
type Function struct {
	Entry, End uint64 // addresses; the padding behind it belongs to it
	Flags      Flags  // none before Go 1.17

	at        uint64 // address of its _func
	name      int32
	depths    uint32 // offsets in the values
	files     uint32
	lines     uint32
	values    uint32 // how many tables of values of its own it has
	unit      uint32
	startLine int32
	data      uint8 // how many pieces of data it has
}

// entry gives the i-th address of the function table and, but for the last,
// the offset of its _func.
func (t *Table) entry(i uint64) (addr, off uint64, err error) {
	w := t.field()
	n := 2 * w
	if i == t.functions {
		n = w
	}
	b, err := t.memory.bytes(t.table, t.funcs+i*2*w, int(n))
	if err != nil {
		return 0, 0, err
	}
	if w == 8 {
		if addr = le64(b); n > w {
			off = le64(b[8:])
		}
		return addr, off, nil
	}
	if addr = t.text + uint64(le32(b)); n > w {
		off = uint64(le32(b[4:]))
	}
	return addr, off, nil
}

// index is the first entry above addr.
func (t *Table) index(addr uint64) (uint64, error) {
	var failed error
	i := sort.Search(int(t.functions)+1, func(i int) bool {
		a, _, err := t.entry(uint64(i))
		if err != nil {
			failed = err
		}
		return a > addr
	})
	return uint64(i), failed
}

// Find gives the function at addr; false where there is none.
func (t *Table) Find(addr uint64) (Function, bool, error) {
	i, err := t.index(addr)
	if err != nil || i == 0 || i > t.functions {
		return Function{}, false, err
	}
	f, err := t.function(i - 1)
	return f, err == nil && addr >= f.Entry && addr < f.End, err
}

// Functions gives those that have code in [start,limit), by address. It ends
// after the first error, which it is if there are more of them than bytes.
func (t *Table) Functions(start, limit uint64) iter.Seq2[Function, error] {
	return func(yield func(Function, error) bool) {
		i, err := t.index(start)
		if err != nil {
			yield(Function{}, err)
			return
		}
		first := max(i, 1) - 1
		for i = first; i < t.functions; i++ {
			f, err := t.function(i)
			if err == nil && i-first > limit-start {
				err = fmt.Errorf("%w: more functions than bytes in %#x-%#x", ErrLimit, start, limit)
			}
			if err != nil {
				yield(Function{}, err)
				return
			}
			if f.Entry >= limit || f.End > start && !yield(f, nil) {
				return
			}
		}
	}
}

// Sizes of the fixed part of _func: Go 1.20 added the line it starts at.
const (
	funcSize116 = 44 // with an address for an entry, of 8 bytes
	funcSize118 = 40
	funcSize120 = 44
)

func (t *Table) funcSize() int {
	switch t.version {
	case go116:
		return funcSize116
	case go118:
		return funcSize118
	}
	return funcSize120
}

// function reads the i-th function.
func (t *Table) function(i uint64) (f Function, err error) {
	if err := t.spend(functionWork); err != nil {
		return f, err
	}
	var off uint64
	if f.Entry, off, err = t.entry(i); err != nil {
		return f, err
	}
	if f.End, _, err = t.entry(i + 1); err != nil {
		return f, err
	}
	if f.End < f.Entry || off > t.table.Limit-t.funcs {
		return f, fmt.Errorf("%w: function %d is %#x-%#x, its data at %#x", ErrFormat, i, f.Entry, f.End, off)
	}
	f.at = t.funcs + off
	b, err := t.memory.bytes(t.table, f.at, t.funcSize())
	if err != nil {
		return f, err
	}
	b = b[t.field():]
	f.name = int32(le32(b))
	f.depths, f.files, f.lines = le32(b[12:]), le32(b[16:]), le32(b[20:])
	f.values, f.unit = le32(b[24:]), le32(b[28:])
	if b = b[32:]; t.version >= go120 {
		f.startLine, b = int32(le32(b)), b[4:]
	}
	// Before 1.17 the byte of the flags is padding.
	f.Flags, f.data = Flags(b[1]), b[3]
	return f, nil
}
