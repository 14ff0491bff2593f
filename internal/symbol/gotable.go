package symbol

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"

	"github.com/energyprof/energyprof/internal/gopclntab"
)

// GoTable opens the table of functions that a Go program has even when it is
// stripped, nil without an error for what is no Go program. Each call opens it
// anew: a table is for one user, who may go on while others resolve names. It
// is valid until the Resolver is closed.
func (b *Binary) GoTable() (*gopclntab.Table, error) {
	if b.image == nil {
		return nil, nil
	}
	defer b.file.rest()
	var t *gopclntab.Table
	err := guard(func() (err error) {
		t, err = b.image.openGoTable(addressReader{b.image, b.file})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.Path, err)
	}
	return t, nil
}

func (im *image) openGoTable(memory io.ReaderAt) (*gopclntab.Table, error) {
	loaded := func(name string) (gopclntab.Range, bool) {
		s := im.section(name)
		if s == nil || s.kind == elf.SHT_NOBITS || s.flags&elf.SHF_ALLOC == 0 || s.addr+s.size <= s.addr {
			return gopclntab.Range{}, false
		}
		return gopclntab.Range{Start: s.addr, Limit: s.addr + s.size}, true
	}
	all := func(names ...string) (out []gopclntab.Range) {
		for _, name := range names {
			if r, ok := loaded(name); ok {
				out = append(out, r)
			}
		}
		return out
	}
	// The second name is that of programs that were linked to be moved, before Go 1.26.
	tables := all(".gopclntab", ".data.rel.ro.gopclntab")
	if len(tables) == 0 || !im.wide {
		return nil, nil
	}
	return gopclntab.Open(gopclntab.Program{
		Memory:      memory,
		Table:       tables[0],
		Module:      all(".go.module", ".noptrdata", ".data", ".data.rel.ro"),
		Relocations: all(".rela.dyn", ".rela"),
	})
}

// addressReader reads a file at the addresses that its segments are loaded at.
// What only memory has (.bss) is not there.
type addressReader struct {
	im   *image
	file *source // nil for what is in memory
}

func (r addressReader) ReadAt(p []byte, addr int64) (int, error) {
	defer r.file.rest()
	done := 0
	for done < len(p) {
		at := uint64(addr) + uint64(done)
		seg := r.im.loadedAt(at)
		if seg == nil {
			return done, io.EOF
		}
		n := min(uint64(len(p)-done), seg.filesz-(at-seg.vaddr))
		got, err := r.im.r.ReadAt(p[done:done+int(n)], int64(seg.off+(at-seg.vaddr)))
		if done += got; uint64(got) < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.EOF
			}
			return done, err
		}
	}
	return done, nil
}

// loadedAt gives the segment whose part in the file is loaded at addr.
func (im *image) loadedAt(addr uint64) *segment {
	for i := range im.segments {
		if s := &im.segments[i]; s.kind == elf.PT_LOAD && addr >= s.vaddr && addr-s.vaddr < s.filesz {
			return s
		}
	}
	return nil
}
