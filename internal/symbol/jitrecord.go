package symbol

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/energyprof/energyprof/internal/cursor"
)

// Kinds of records. Those that are not named (unwinding information, what is yet to
// be invented) are passed over by their size.
const (
	jitCodeLoad  = 0
	jitCodeMove  = 1
	jitDebugInfo = 2
	jitCodeClose = 3
)

const (
	jitMagic     = 0x4a695444 // "JiTD", in the writer's byte order
	jitHeader    = 40
	jitHead      = 16 // of a record: kind, size, time
	jitBody      = 48 // what follows, of those that are read, before names
	jitArchTime  = 1  // flag: times are of the processor's counter
	jitMaxRecord = 1 << 28
	// jitElfHeader is what V8 adds to the addresses of lines, for perf inject, which writes
	// the code into ELF files behind a header of this size.
	jitElfHeader = 0x40

	// jitWindow is how much is read at a time: records are short, calls of the system are not.
	jitWindow = 16 << 10
	// What is kept of a function beside its name, and of an entry of lines, in bytes.
	jitFunctionCost = 192
	jitLineCost     = 32
)

// jitRecords is how far a journal has been read.
type jitRecords struct {
	at     uint64 // of the next record
	lines  []jitLine
	of     uint64 // the code that the lines are of; they come before it
	size   uint64 // of the file, as far as it is read now
	window []byte // what was read last of it,
	from   uint64 // and where that begins
}

// jitAllowance is what journals may still cost: a program chooses how many records it writes, of
// what kinds, and they are read while others are being sampled.
type jitAllowance struct {
	records int
	bytes   int64 // of memory
}

// spend takes from what the journal may cost, and all of them.
func (d *JITDump) spend(records int, bytes int64) error {
	enough := true
	for _, a := range []*jitAllowance{&d.left, d.together} {
		a.records -= records
		a.bytes -= bytes
		enough = enough && a.records >= 0 && a.bytes >= 0
	}
	if !enough {
		return fmt.Errorf("%w: too much compiled code", ErrLimit)
	}
	return nil
}

// peek gives n bytes from off on, or what there is of them. They are valid until the next call.
func (r *jitRecords) peek(src io.ReaderAt, off, n uint64) ([]byte, error) {
	n = min(n, r.size-off)
	if off < r.from || off+n > r.from+uint64(len(r.window)) {
		room := min(max(n, jitWindow), r.size-off)
		r.window = slices.Grow(r.window[:0], int(room))[:room]
		got, err := src.ReadAt(r.window, int64(off))
		if r.window, r.from = r.window[:got], off; err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	b := r.window[off-r.from:]
	return b[:min(n, uint64(len(b)))], nil
}

// open reads the header of the journal.
func (d *JITDump) open() error {
	b := make([]byte, jitHeader)
	if _, err := d.src.ReadAt(b, 0); err != nil {
		if errors.Is(err, io.EOF) {
			err = formatError("header cut short")
		}
		return err
	}
	c := cursor.Cursor{Bytes: b}
	if magic := c.U32(); magic != jitMagic {
		return formatError("magic %#x is none of a journal of compiled code", magic)
	}
	c.U32() // version: 1 is all there has been
	size := c.U32()
	c.Take(12) // machine, padding, pid
	c.U64()    // time
	d.timed = c.U64()&jitArchTime == 0
	if size < jitHeader || size > 1<<16 {
		return formatError("header of %d bytes", size)
	}
	d.records.at = uint64(size)
	return nil
}

// read reads the records that lie below size, the file's.
func (d *JITDump) read(size int64) error {
	r := &d.records
	r.size = uint64(size)
	r.window = r.window[:0] // what had not been written then may be now
	for r.at+jitHead <= r.size {
		head, err := r.peek(d.src, r.at, jitHead+jitBody)
		if err != nil {
			return err
		}
		c := cursor.Cursor{Bytes: head}
		kind, length, time := c.U32(), uint64(c.U32()), c.U64()
		if length < jitHead || length > jitMaxRecord {
			return formatError("record of %d bytes at %#x", length, r.at)
		}
		if r.at+length > r.size {
			return nil // it is being written
		}
		if err := d.spend(1, 0); err != nil {
			return err
		}
		switch kind {
		case jitCodeLoad:
			err = d.load(&c, int64(min(time, math.MaxInt64)), length)
		case jitCodeMove:
			err = d.move(&c, int64(min(time, math.MaxInt64)))
		case jitDebugInfo:
			err = d.debug(length)
		case jitCodeClose:
			d.ended = true // nothing follows
		}
		if err != nil {
			return err
		}
		r.at += length
		if d.ended {
			return nil
		}
	}
	return nil
}

// load reads a function: its place, name and, which is passed over, code.
func (d *JITDump) load(c *cursor.Cursor, time int64, length uint64) error {
	const fixed = jitHead + 40
	c.Take(8) // pid, tid
	c.U64()   // the address without relocation
	addr, size, index := c.U64(), c.U64(), c.U64()
	if c.Bad || length < fixed {
		return formatError("code at %#x", d.records.at)
	}
	text, err := d.name(d.records.at+fixed, length-fixed)
	if err != nil {
		return err
	}
	lines := d.records.lines
	// V8 writes lines that are none for some functions (of scripts whose names it has freed).
	if n := len(lines); d.records.of != addr || n > 0 && lines[n-1].at >= size {
		lines = nil
	}
	d.records.lines = nil
	if size == 0 || addr+size < addr || text == "" {
		return nil
	}
	return d.add(time, &JITFunction{Range: Range{addr, addr + size}, name: text, index: index, lines: lines})
}

// name reads a name within n bytes, of which most are the code behind it.
func (d *JITDump) name(off, n uint64) (string, error) {
	n = min(n, maxSymbolName)
	b, err := d.records.peek(d.src, off, min(n, 256))
	if err == nil && uint64(len(b)) < n && bytes.IndexByte(b, 0) < 0 {
		b, err = d.records.peek(d.src, off, n)
	}
	return cstring(string(b), 0, maxSymbolName), err
}

// move tells that a function is elsewhere from now on.
func (d *JITDump) move(c *cursor.Cursor, time int64) error {
	c.Take(8) // pid, tid
	c.U64()   // the address without relocation
	c.U64()   // where it was
	addr, size, index := c.U64(), c.U64(), c.U64()
	if c.Bad {
		return formatError("move at %#x", d.records.at)
	}
	f := d.latest[index]
	if f == nil || size == 0 || addr+size < addr {
		return nil // nothing that has been told of
	}
	return d.add(time, &JITFunction{Range: Range{addr, addr + size}, name: f.name, index: index, lines: f.lines})
}

func (d *JITDump) add(time int64, f *JITFunction) error {
	if err := d.spend(0, jitFunctionCost+int64(len(f.name))); err != nil {
		return err
	}
	d.latest[f.index] = f
	d.all = append(d.all, jitOne{time, f})
	return nil
}

// debug reads the lines of the code that the next record loads.
func (d *JITDump) debug(length uint64) error {
	d.records.lines = nil
	if err := d.spend(0, int64(length)); err != nil {
		return err
	}
	b := make([]byte, length)
	if _, err := d.src.ReadAt(b, int64(d.records.at)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	c := cursor.Cursor{Bytes: b}
	c.Take(jitHead)
	addr, n := c.U64(), c.U64()
	const least = 17 // an entry with an empty name
	if c.Bad || n > uint64(c.Left())/least {
		return formatError("lines at %#x", d.records.at)
	}
	if err := d.spend(0, int64(n)*jitLineCost); err != nil {
		return err
	}
	lines := make([]jitLine, 0, n)
	file, shift := "", uint64(0)
	for i := range n {
		at, line := c.U64(), c.U32()
		c.U32() // discriminator; V8 has the column here
		name := string(c.Text())
		if c.Bad {
			return formatError("lines at %#x", d.records.at)
		}
		if name != "\xff" { // else as before
			if file = ""; utf8.ValidString(name) {
				file = printable(name[:min(len(name), maxDebugString)])
			}
		}
		if i == 0 && at == addr+jitElfHeader {
			shift = jitElfHeader
		}
		lines = append(lines, jitLine{at - addr - shift, int(min(line, math.MaxInt32)), file})
	}
	slices.SortStableFunc(lines, func(a, b jitLine) int { return cmp.Compare(a.at, b.at) })
	d.records.lines, d.records.of = lines, addr
	return nil
}
