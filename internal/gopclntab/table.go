package gopclntab

import (
	"errors"
	"fmt"
	"io"
)

var (
	// ErrFormat means that the table is damaged, or of a version that is not known.
	ErrFormat = errors.New("not a readable table of Go functions")
	// ErrLimit means that more would have had to be read than any real table needs.
	ErrLimit = errors.New("table of Go functions beyond its limits")
)

// Range is a half-open range of addresses, in the program's own numbering.
type Range struct{ Start, Limit uint64 }

func (r Range) size() uint64 {
	if r.Limit < r.Start {
		return 0
	}
	return r.Limit - r.Start
}

func (r Range) holds(addr uint64) bool { return addr >= r.Start && addr < r.Limit }

// Program is the parts of an ELF file that the table is made of.
type Program struct {
	// Memory is the program as its file has it, read at addresses instead of
	// offsets. An address that no file holds is an error or gives fewer bytes.
	Memory io.ReaderAt
	// Table is .gopclntab, in old programs that are linked to be moved
	// .data.rel.ro.gopclntab.
	Table Range
	// Module is where the linker may have put runtime.firstmoduledata, the best
	// guess first: .go.module (Go 1.26), .noptrdata, .data, .data.rel.ro. It says
	// where Go's code starts, which is not where .text does once C is linked in.
	Module []Range
	// Relocations are tables of Elf64_Rela (.rela.dyn, .rela): a program that
	// can be moved has its pointers there.
	Relocations []Range
}

// version is the format, named for the first release of Go that has it.
type version uint8

const (
	go116 version = iota
	go118
	go120
)

// The magic numbers of Go116PCLnTabMagic, Go118PCLnTabMagic, Go120PCLnTabMagic.
var magics = map[uint32]version{0xfffffffa: go116, 0xfffffff0: go118, 0xfffffff1: go120}

// Table is an open table. It is not safe for concurrent use.
type Table struct {
	memory    *pages
	table     Range
	version   version
	quantum   uint64 // smallest instruction: 1 on amd64, 4 on arm64
	functions uint64
	text      uint64 // runtime.text
	// gofunc is what the offsets of inline trees are relative to, 0 if not known.
	gofunc uint64
	names  uint64 // addresses of the parts
	units  uint64
	files  uint64
	values uint64
	funcs  uint64
	work   int // that may be done now
}

// maxFunctions is tenfold what the largest programs have.
const maxFunctions = 1 << 23

// maxWork is what may be done at once, some two seconds: a table that makes every
// lookup slow ends there. It is counted in values that are decoded; a function
// takes as long as functionWork of them, and bytes of names, which whoever asked
// may keep, count as much each. The frames of an address take some 200 on average,
// so with lookupWork for each that is asked for, real tables can be asked for ever.
const (
	maxWork      = 1 << 26
	functionWork = 8
	lookupWork   = 1 << 10
)

// spend takes work off what may still be done.
func (t *Table) spend(work int) error {
	if t.work -= work; t.work < 0 {
		return fmt.Errorf("%w: slow to read everywhere", ErrLimit)
	}
	return nil
}

// Open reads the header of the table and finds where Go's code starts. Errors:
// [ErrFormat], [ErrLimit], and those of Memory.
func Open(p Program) (*Table, error) {
	t := &Table{memory: &pages{r: p.Memory}, table: p.Table, work: maxWork}
	if err := t.open(p); err != nil {
		return nil, fmt.Errorf("go functions at %#x: %w", p.Table.Start, err)
	}
	return t, nil
}

// headerSize is that of the newest pcHeader; that of Go 1.16 has a word less.
const headerSize = 8 + 8*8

func (t *Table) open(p Program) error {
	if p.Table.size() < headerSize {
		return fmt.Errorf("%w: %d bytes", ErrFormat, p.Table.size())
	}
	head, err := t.memory.bytes(t.table, t.table.Start, headerSize)
	if err != nil {
		return err
	}
	magic := le32(head)
	v, known := magics[magic]
	if !known {
		return fmt.Errorf("%w: magic %#x", ErrFormat, magic)
	}
	if head[4] != 0 || head[5] != 0 || head[7] != 8 || head[6] != 1 && head[6] != 4 {
		return fmt.Errorf("%w: header % x", ErrFormat, head[:8])
	}
	t.version, t.quantum, t.functions = v, uint64(head[6]), le64(head[8:])
	textStart := le64(head[24:])
	parts := head[24:]
	if v >= go118 {
		parts = head[32:]
	}
	for i, part := range []*uint64{&t.names, &t.units, &t.files, &t.values, &t.funcs} {
		off := le64(parts[8*i:])
		if off < headerSize-8 || off > t.table.size() {
			return fmt.Errorf("%w: part %d at %#x of %#x bytes", ErrFormat, i, off, t.table.size())
		}
		*part = t.table.Start + off
	}
	if t.functions > maxFunctions {
		return fmt.Errorf("%w: %d functions", ErrLimit, t.functions)
	}
	if t.functions == 0 || (2*t.functions+1)*t.field() > t.table.Limit-t.funcs {
		return fmt.Errorf("%w: %d functions in %d bytes", ErrFormat, t.functions, t.table.Limit-t.funcs)
	}
	return t.locate(p, textStart)
}

// field is the size of the two parts of an entry of the function table: offsets
// since Go 1.18, addresses before.
func (t *Table) field() uint64 {
	if t.version >= go118 {
		return 4
	}
	return 8
}
