package gopclntab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// memory is a program of some pieces.
type memory map[uint64][]byte

func (m memory) ReadAt(p []byte, addr int64) (int, error) {
	for start, b := range m {
		if at := uint64(addr) - start; uint64(addr) >= start && at < uint64(len(b)) {
			n := copy(p, b[at:])
			if n < len(p) {
				return n, io.EOF
			}
			return n, nil
		}
	}
	return 0, io.EOF
}

// written is a function of a table that the test writes.
type written struct {
	name   string
	length uint64 // in instruction units
	flags  Flags
	start  int32
	depths []run
	files  []run
	lines  []run
	index  []run // into calls
	calls  []writtenCall
}

type run struct {
	length uint32 // in instruction units
	value  int32
}

type writtenCall struct {
	name   string
	start  int32
	caller int32 // bytes from the entry
}

// Where the parts of a written program lie. The table starts in the middle of a page.
const (
	textAt   = 0x401000
	tableAt  = 0x500388
	goFuncAt = 0x600010
	moduleAt = 0x700020
	relaAt   = 0x800000
)

// how a program is linked.
type linked struct {
	version   version
	quantum   uint64
	moved     bool // its pointers are relocations
	noModule  bool
	textStart uint64 // in the header
	fileNames []string
}

// writeProgram writes a table as Go's linker does, in the order of pcln.go.
func writeProgram(how linked, funcs []written) Program {
	le := binary.LittleEndian
	var names, units, files, values, trees, ftab, data []byte
	name := func(s string) uint32 {
		at := len(names)
		names = append(append(names, s...), 0)
		return uint32(at)
	}
	values = append(values, 0) // 0: no table
	table := func(runs []run) uint32 {
		if len(runs) == 0 {
			return 0
		}
		at := len(values)
		last := int32(-1)
		for _, r := range runs {
			d := r.value - last
			last = r.value
			values = binary.AppendUvarint(values, uint64(uint32(d<<1)^uint32(d>>31)))
			values = binary.AppendUvarint(values, uint64(r.length))
		}
		values = append(values, 0)
		return uint32(at)
	}
	// The function's files are counted from 1 on, and the first is not used.
	units = le.AppendUint32(units, noData)
	for _, f := range how.fileNames {
		units = le.AppendUint32(units, uint32(len(files)))
		files = append(append(files, f...), 0)
	}
	wide := how.version == go116
	word := func(b []byte, v uint64) []byte {
		if wide {
			return le.AppendUint64(b, v)
		}
		return le.AppendUint32(b, uint32(v))
	}
	entry := func(off uint64) uint64 {
		if wide {
			return textAt + off
		}
		return off
	}
	ftabSize := (2*len(funcs) + 1) * 4
	if wide {
		ftabSize *= 2
	}
	at := uint64(0)
	for _, f := range funcs {
		if wide { // the linker aligns them to a word
			for (ftabSize+len(data))%8 != 0 {
				data = append(data, 0)
			}
		}
		ftab = word(word(ftab, entry(at)), uint64(ftabSize+len(data)))
		data = word(data, entry(at))
		for _, v := range []uint32{name(f.name), 0, 0, table(f.depths), table(f.files), table(f.lines), valuesInline + 1, 0} {
			data = le.AppendUint32(data, v)
		}
		if how.version >= go120 {
			data = le.AppendUint32(data, uint32(f.start))
		}
		data = append(data, 0, byte(f.flags), 0, dataInline+1)
		for _, v := range []uint32{0, 0, table(f.index)} {
			data = le.AppendUint32(data, v)
		}
		tree := uint64(noData)
		if len(f.calls) > 0 {
			tree = uint64(len(trees))
		}
		for _, c := range f.calls {
			if how.version < go120 {
				trees = le.AppendUint32(trees, 0) // parent
				trees = le.AppendUint64(trees, 0) // file, line
			} else {
				trees = le.AppendUint32(trees, 0)
			}
			trees = le.AppendUint32(trees, name(c.name))
			trees = le.AppendUint32(trees, uint32(c.caller))
			if how.version >= go120 {
				trees = le.AppendUint32(trees, uint32(c.start))
			}
		}
		if wide {
			for (ftabSize+len(data))%8 != 0 {
				data = append(data, 0)
			}
			if tree == noData {
				tree = 0
			} else {
				tree += goFuncAt
			}
		}
		for range dataInline {
			data = word(data, noData)
		}
		data = word(data, tree)
		at += f.length * how.quantum
	}
	ftab = word(ftab, entry(at))

	head := []byte{0, 0, 0, 0, 0, 0, byte(how.quantum), 8}
	for magic, v := range magics {
		if v == how.version {
			le.PutUint32(head, magic)
		}
	}
	head = le.AppendUint64(head, uint64(len(funcs)))
	head = le.AppendUint64(head, uint64(len(how.fileNames)))
	size := headerSize - 8
	if !wide {
		head = le.AppendUint64(head, how.textStart)
		size += 8
	}
	var module [moduleWords]uint64
	module[0] = tableAt
	body := make([]byte, 0, 1<<16)
	parts := [][]byte{names, units, files, values, slices.Concat(ftab, data)}
	for i, part := range parts {
		for len(body)%8 != 0 {
			body = append(body, 0)
		}
		off := uint64(size + len(body))
		head = le.AppendUint64(head, off)
		module[1+3*i] = tableAt + off
		body = append(body, part...)
	}
	module[moduleText] = textAt
	module[moduleGofunc118] = goFuncAt
	if how.version == go120 {
		module[moduleGofunc118], module[moduleGofunc120] = 0, goFuncAt
	}

	m := memory{tableAt: append(head, body...), goFuncAt: append(trees, make([]byte, 64)...)}
	p := Program{Memory: m, Table: Range{tableAt, tableAt + uint64(size+len(body))}}
	var moduleBytes, rela []byte
	for i, w := range module {
		if how.moved && w != 0 {
			rela = le.AppendUint64(rela, uint64(moduleAt+8*i))
			rela = le.AppendUint64(rela, relativeARM64)
			rela = le.AppendUint64(rela, w)
			w = 0
		}
		moduleBytes = le.AppendUint64(moduleBytes, w)
	}
	if !how.noModule {
		m[moduleAt] = moduleBytes
		p.Module = []Range{{moduleAt - 0x20, moduleAt}, {moduleAt, moduleAt + 8*moduleWords}}
	}
	if how.moved {
		m[relaAt] = rela
		p.Relocations = []Range{{relaAt, relaAt + uint64(len(rela))}}
	}
	return p
}

// collect gives what a sequence has, up to an error.
func collect[T any](seq func(func(T, error) bool)) (out []T, err error) {
	for v, e := range seq {
		if e != nil {
			return out, e
		}
		out = append(out, v)
	}
	return out, nil
}

func mustOpen(p Program) *Table {
	t, err := Open(p)
	if err != nil {
		panic(fmt.Sprint("the test wrote a table that cannot be read: ", err))
	}
	return t
}

var errBroken = errors.New("broken disk")

// broken fails as a disk does.
type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errBroken }
