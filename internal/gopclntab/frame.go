package gopclntab

import "fmt"

// Frame is a function at an address, or one that was inlined there.
type Frame struct {
	Function  string // as Go writes it: "main.(*T).Method"
	File      string // "" if not known
	Line      int    // 1-based line of File, 0 if not known
	StartLine int    // of the function's func keyword, 0 before Go 1.20
}

const (
	maxName   = 8 << 10 // of a function; those of instantiated types can be long
	maxFile   = 4 << 10 // PATH_MAX
	maxInline = 128     // calls inlined into one another
)

// Numbers of a function's tables and data, since Go 1.12 (abi.PCDATA_InlTreeIndex,
// abi.FUNCDATA_InlTree).
const (
	valuesInline = 2
	dataInline   = 3
	noData       = 1<<32 - 1
)

// Name gives the name of a function, without what was inlined.
func (t *Table) Name(f Function) (string, error) { return t.nameAt(f.name) }

func (t *Table) nameAt(off int32) (string, error) {
	if off < 0 || uint64(off) >= t.units-t.names {
		return "", fmt.Errorf("%w: name at %#x", ErrFormat, off)
	}
	return t.str(Range{t.names, t.table.Limit}, t.names+uint64(off), maxName)
}

func (t *Table) str(within Range, addr uint64, most int) (string, error) {
	s, err := t.memory.str(within, addr, most)
	if err == nil {
		err = t.spend(len(s))
	}
	return s, err
}

// Frames gives the functions at addr, the innermost first: all but the last
// were inlined, and its line is that of the call. None where there is no Go
// function. What can be told is there beside an error.
func (t *Table) Frames(addr uint64) ([]Frame, error) {
	t.work = min(t.work+lookupWork, maxWork)
	f, ok, err := t.Find(addr)
	if !ok {
		return nil, err
	}
	calls, err := t.calls(f, addr)
	name, nameErr := t.Name(f)
	if nameErr != nil {
		return nil, nameErr
	}
	frames := make([]Frame, 0, len(calls)+1)
	for _, c := range calls {
		frames = append(frames, Frame{Function: c.name, StartLine: max(int(c.startLine), 0)})
	}
	frames = append(frames, Frame{Function: name, StartLine: max(int(f.startLine), 0)})
	for i := range frames {
		at := addr
		if i > 0 {
			at = calls[i-1].caller
		}
		var lineErr error
		if frames[i].File, frames[i].Line, lineErr = t.line(f, at); lineErr != nil && err == nil {
			err = lineErr
		}
	}
	return frames, err
}

// call is an inlined call.
type call struct {
	name      string
	startLine int32
	caller    uint64 // an address in the caller that has the line of the call
}

// calls walks from the innermost function inlined at addr outwards.
func (t *Table) calls(f Function, addr uint64) ([]call, error) {
	index, tree, err := t.inlineTables(f)
	if err != nil || index == 0 || tree == 0 {
		return nil, err
	}
	var out []call
	for len(out) < maxInline {
		n, err := t.value(f, index, addr)
		if err != nil || n < 0 {
			return out, err
		}
		c, err := t.inlined(f, tree, n)
		if err != nil {
			return out, err
		}
		out = append(out, c)
		addr = c.caller
	}
	return nil, fmt.Errorf("%w: more than %d calls inlined into one another at %#x", ErrLimit, maxInline, addr)
}

// inlineTables gives where a function says which inlined call an instruction
// belongs to (an offset in the values), and the address of those calls; zero
// if it has none, or if it is not known where they are.
func (t *Table) inlineTables(f Function) (index uint32, tree uint64, err error) {
	if f.values <= valuesInline || f.data <= dataInline {
		return 0, 0, nil
	}
	at := f.at + uint64(t.funcSize())
	b, err := t.memory.bytes(t.table, at+4*valuesInline, 4)
	if err != nil {
		return 0, 0, err
	}
	index = le32(b)
	at += 4 * uint64(f.values)
	if t.version < go118 { // addresses, aligned
		at = (at + 7) &^ 7
		if b, err = t.memory.bytes(t.table, at+8*dataInline, 8); err != nil {
			return 0, 0, err
		}
		return index, le64(b), nil
	}
	if b, err = t.memory.bytes(t.table, at+4*dataInline, 4); err != nil {
		return 0, 0, err
	}
	if off := le32(b); off != noData && t.gofunc != 0 {
		tree = t.gofunc + uint64(off)
	}
	return index, tree, nil
}

// inlined reads the n-th inlined call of a tree (runtime.inlinedCall): up to
// Go 1.19 parent, file, line, name, address; since then name, address, start line.
func (t *Table) inlined(f Function, tree uint64, n int32) (c call, err error) {
	size, name := uint64(16), 4
	if t.version < go120 {
		size, name = 20, 12
	}
	at := tree + uint64(n)*size
	b, err := t.memory.bytes(Range{tree, at + size}, at, int(size))
	if err != nil {
		return c, err
	}
	off, caller := int32(le32(b[name:])), int32(le32(b[name+4:]))
	if t.version >= go120 {
		c.startLine = int32(le32(b[12:]))
	}
	if caller < 0 || uint64(caller) >= f.End-f.Entry {
		return c, fmt.Errorf("%w: call %d inlined into the function at %#x lies at +%#x", ErrFormat, n, f.Entry, caller)
	}
	c.caller = f.Entry + uint64(caller)
	c.name, err = t.nameAt(off)
	return c, err
}

// line gives file and line of an instruction.
func (t *Table) line(f Function, addr uint64) (file string, line int, err error) {
	n, err := t.value(f, f.lines, addr)
	if err != nil {
		return "", 0, err
	}
	i, err := t.value(f, f.files, addr)
	if err != nil || i < 0 || n < 0 {
		return "", 0, err
	}
	// The index counts the files of the function's compilation unit.
	b, err := t.memory.bytes(Range{t.units, t.files}, t.units+4*(uint64(f.unit)+uint64(i)), 4)
	if err != nil {
		return "", 0, err
	}
	off := le32(b)
	if off == noData { // the linker dropped it
		return "", int(n), nil
	}
	file, err = t.str(Range{t.files, t.values}, t.files+uint64(off), maxFile)
	return file, int(n), err
}
