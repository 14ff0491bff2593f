package symbol

import (
	"bytes"
	"fmt"
	"path"

	"github.com/energyprof/energyprof/internal/cursor"
)

// lineProgram is the header of a line-number program and its code.
type lineProgram struct {
	encoding
	minInst    uint8
	lineBase   int8
	lineRange  uint8
	opcodeBase uint8
	opLens     []byte
	dirs       []fileEntry
	files      []fileEntry
	code       []byte
}

// fileEntry is a line of the file or the directory table.
type fileEntry struct {
	name value
	dir  uint32
}

// lineProgramHead holds the lengths of a program and of its header.
const lineProgramHead = 32

// maxFileTable is far above the tables of files of any program, in bytes.
const maxFileTable = 4 << 20

// maxFiles bounds the tables of one program; lines of files beyond have no
// file name.
const maxFiles = 1 << 18

// readLineProgram reads the program at off of .debug_line. It is valid until
// the next read of that section. addrSize is the unit's, for versions before 5.
// Without code, there are only the tables of files.
func (d *debugInfo) readLineProgram(off uint64, addrSize uint8, code bool) (*lineProgram, error) {
	bad := func(what string) (*lineProgram, error) {
		return nil, formatError("line program at %#x: %s", off, what)
	}
	c := cursor.Cursor{Bytes: d.line.at(off, lineProgramHead)}
	length, wide := uint64(c.U32()), false
	if length == 0xffffffff {
		wide, length = true, c.U64()
	}
	start := off + uint64(c.Pos)
	if c.Bad || start > d.line.size || length > d.line.size-start {
		return bad("does not fit")
	}
	if !code {
		from := c.Pos
		if c.U16() >= 5 {
			c.U16() // sizes of addresses and of segment selectors
		}
		if head := c.Word(wide); !c.Bad && head < length {
			length = min(length, head+uint64(c.Pos-from))
		}
	}
	if length > uint64(d.lim.TableBytes) || !code && length > maxFileTable {
		return nil, fmt.Errorf("%w: line program of %d bytes", ErrLimit, length)
	}
	b := d.line.at(start, length)
	if uint64(len(b)) < length {
		if d.work <= 0 {
			return nil, d.spent()
		}
		return bad("cannot be read")
	}
	if !code && d.line.r != nil {
		b = bytes.Clone(b) // the tables are kept
	}
	c = cursor.Cursor{Bytes: b}
	p := &lineProgram{}
	p.wide, p.addrSize = wide, addrSize
	if p.version = c.U16(); p.version < 2 || p.version > 5 {
		return bad(fmt.Sprintf("version %d", p.version))
	}
	if p.version == 5 {
		p.addrSize = c.U8()
		c.U8() // segment selector size
	}
	headLen := c.Word(wide)
	if c.Bad || headLen > uint64(c.Left()) {
		return bad("header does not fit")
	}
	p.code = c.Bytes[c.Pos+int(headLen):]
	c.Bytes = c.Bytes[:c.Pos+int(headLen)]
	p.minInst = c.U8()
	if p.version >= 4 {
		c.U8() // operations of a VLIW instruction: 1 on every machine here
	}
	c.U8() // default is_stmt
	p.lineBase, p.lineRange, p.opcodeBase = int8(c.U8()), c.U8(), c.U8()
	if c.Bad || p.lineRange == 0 || p.opcodeBase == 0 {
		return bad("no line range or opcode base")
	}
	if p.opLens = c.Take(uint64(p.opcodeBase) - 1); c.Bad {
		return bad("opcode lengths do not fit")
	}
	if p.version == 5 {
		p.dirs = readEntries(&c, p.encoding)
		p.files = readEntries(&c, p.encoding)
	} else {
		readTablesV2(&c, p)
	}
	// With a damaged table the lines are still good.
	return p, nil
}

// readTablesV2 reads the tables of versions 2 to 4, where entry 0 is implied:
// the directory of the unit, and no file.
func readTablesV2(c *cursor.Cursor, p *lineProgram) {
	p.dirs, p.files = make([]fileEntry, 1), make([]fileEntry, 1)
	for len(p.dirs) < maxFiles {
		name := c.Text()
		if len(name) == 0 {
			break
		}
		p.dirs = append(p.dirs, fileEntry{name: value{form: formString, bytes: name}})
	}
	for len(p.files) < maxFiles {
		f, ok := readFileV2(c)
		if !ok {
			break
		}
		p.files = append(p.files, f)
	}
}

func readFileV2(c *cursor.Cursor) (fileEntry, bool) {
	name := c.Text()
	if len(name) == 0 {
		return fileEntry{}, false
	}
	f := fileEntry{name: value{form: formString, bytes: name}, dir: uint32(c.ULEB())}
	c.ULEB() // time
	c.ULEB() // length
	return f, !c.Bad
}

// readEntries reads a table of version 5, which says of what its entries consist.
func readEntries(c *cursor.Cursor, e encoding) []fileEntry {
	const contentPath, contentDir = 1, 2
	type column struct{ content, form uint64 }
	var columns []column
	for range c.U8() {
		columns = append(columns, column{c.ULEB(), c.ULEB()})
	}
	n := c.ULEB()
	var entries []fileEntry
	for ; n > 0 && len(entries) < maxFiles; n-- {
		before := c.Pos
		var f fileEntry
		for _, col := range columns {
			v := readForm(c, col.form, 0, e)
			switch col.content {
			case contentPath:
				f.name = v
			case contentDir:
				f.dir = uint32(v.n)
			}
		}
		// Entries that take no room could go on for ever.
		if c.Bad || c.Pos == before {
			break
		}
		entries = append(entries, f)
	}
	return entries
}

// fileName puts together the path of file index. compDir is the directory of
// the compilation, which relative names start from.
func (d *debugInfo) fileName(p *lineProgram, index uint64, e *unitEntry, compDir string) string {
	if index >= uint64(len(p.files)) {
		return ""
	}
	f := p.files[index]
	name := d.text(f.name, e, p.encoding)
	if name == "" {
		return ""
	}
	if !path.IsAbs(name) {
		dir := ""
		if f.dir < uint32(len(p.dirs)) {
			dir = d.text(p.dirs[f.dir].name, e, p.encoding)
		}
		if !path.IsAbs(dir) {
			dir = path.Join(compDir, dir)
		}
		name = path.Join(dir, name)
	}
	return printable(path.Clean(name))
}
