package unwind

import (
	"debug/elf"
	"fmt"
	"testing"

	"github.com/energyprof/energyprof/internal/gopclntab"
)

// elfMemory reads a program at addresses.
type elfMemory struct{ *elf.File }

func (f elfMemory) ReadAt(b []byte, addr int64) (int, error) {
	for _, s := range f.Progs {
		if s.Type == elf.PT_LOAD && uint64(addr) >= s.Vaddr && uint64(addr) < s.Vaddr+s.Filesz {
			return s.ReadAt(b, addr-int64(s.Vaddr))
		}
	}
	return 0, fmt.Errorf("nothing at %#x", addr)
}

// goTable is the function table of a Go program, nil if it is none.
func goTable(t testing.TB, f *elf.File) *gopclntab.Table {
	t.Helper()
	find := func(names ...string) (out []gopclntab.Range) {
		for _, name := range names {
			if s := f.Section(name); s != nil {
				out = append(out, gopclntab.Range{Start: s.Addr, Limit: s.Addr + s.Size})
			}
		}
		return out
	}
	tables := find(".gopclntab", ".data.rel.ro.gopclntab")
	if len(tables) == 0 {
		return nil
	}
	table, err := gopclntab.Open(gopclntab.Program{Memory: elfMemory{f}, Table: tables[0],
		Module: find(".go.module", ".noptrdata", ".data", ".data.rel.ro"), Relocations: find(".rela.dyn", ".rela")})
	if err != nil {
		t.Fatal(err)
	}
	return table
}
