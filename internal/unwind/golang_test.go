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

// Where code of Go has its frames is told twice: what the function table says agrees with .debug_frame, which strippers
// remove.
func TestGoRowsAgreeWithDebugFrame(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		f, err := elf.Open(goProgram(t, arch))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		whole := readELF(arch, f)
		tables, lines := whole, whole
		tables.Go, tables.DebugFrame = goTable(t, f), Section{}
		rules := NewRules()
		a, b := NewModule(tables, rules, 1), NewModule(lines, rules, 2)
		checked := 0
		for f, err := range tables.Go.Functions(0, ^uint64(0)) {
			if err != nil {
				t.Fatal(err)
			}
			if f.Flags != 0 {
				continue // their frames are more than the lines of a compiler
			}
			for s, err := range tables.Go.Depths(f) {
				if err != nil {
					t.Fatal(err)
				}
				for _, at := range []uint64{s.Start, s.Limit - 1} {
					got, want := a.ruleAt(at), b.ruleAt(at)
					if got.CFA != want.CFA || got.CFAReg != want.CFAReg || got.CFAOffset != want.CFAOffset || got.RA != want.RA || got.RAOffset != want.RAOffset {
						name, _ := tables.Go.Name(f)
						t.Fatalf("%s: %s+%d: %+v, .debug_frame has %+v", arch, name, at-f.Entry, got, want)
					}
					checked++
				}
			}
		}
		if checked < 10000 || a.Err() != nil || b.Err() != nil {
			t.Errorf("%s: %d places compared, %v, %v", arch, checked, a.Err(), b.Err())
		}
	}
}

func (m *Module) ruleAt(addr uint64) Rule {
	n := m.Chunk(addr >> ChunkShift).Rule(uint16(addr))
	return m.rules.List()[n]
}
