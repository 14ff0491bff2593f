package gopclntab

import "testing"

// FuzzTable reads all of a table that may be damaged anywhere.
func FuzzTable(f *testing.F) {
	for _, v := range []version{go116, go118, go120} {
		how, funcs := one()
		how.version, how.moved = v, v == go118
		p := writeProgram(how, append(funcs, funcs...))
		m := p.Memory.(memory)
		f.Add(m[tableAt], m[goFuncAt], m[moduleAt], m[relaAt])
	}
	f.Fuzz(func(t *testing.T, table, trees, module, rela []byte) {
		whole := func(at uint64, b []byte) Range { return Range{at, at + uint64(len(b))} }
		tab, err := Open(Program{
			Memory:      memory{tableAt: table, goFuncAt: trees, moduleAt: module, relaAt: rela},
			Table:       whole(tableAt, table),
			Module:      []Range{whole(moduleAt, module)},
			Relocations: []Range{whole(relaAt, rela)},
		})
		if err != nil {
			return
		}
		tab.work = 1 << 16
		n := 0
		for fn, err := range tab.Functions(0, ^uint64(0)) {
			if n++; err != nil || n > 100 {
				break
			}
			for s, err := range tab.Depths(fn) {
				if err == nil && (s.Start >= s.Limit || s.Start < fn.Entry || s.Limit > fn.End) {
					t.Fatalf("%+v is outside of %+v", s, fn)
				}
			}
			frames, _ := tab.Frames(fn.Entry)
			if len(frames) > maxInline+1 {
				t.Fatalf("%d frames", len(frames))
			}
		}
	})
}
