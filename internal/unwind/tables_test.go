package unwind

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ruleAt is the rule that holds at an address.
func ruleAt(m *Module, addr uint64) Rule {
	n := m.Chunk(addr >> ChunkShift).Rule(uint16(addr))
	return m.rules.List()[n]
}

// TestInstructions: the rule at the end of a function that has one instruction or some, after those of the common entry.
func TestInstructions(t *testing.T) {
	const rbp, rsp, rbx, rip = amd64RBP, amd64RSP, amd64RBX, amd64RIP
	entry := Rule{CFA: CFARegister, CFAReg: rsp, CFAOffset: 8, RA: AtCFA, RAOffset: -8}
	with := func(r Rule, change func(r *Rule)) Rule { change(&r); return r }
	arm := Rule{CFA: CFARegister, CFAReg: arm64SP}
	plt := cat(opBreg0+rsp, sleb(8), opBreg0+rip, sleb(0), opLit0+15, opAnd, opLit0+11, opGe, opLit0+3, opShl, opPlus)
	block := func(op int, parts ...any) []byte { b := cat(parts...); return cat(op, uleb(uint64(len(b))), b) }
	exprOf := func(op int, reg uint64, parts ...any) []byte {
		b := cat(parts...)
		return cat(op, uleb(reg), uleb(uint64(len(b))), b)
	}
	for _, test := range []struct {
		name    string
		arch    Arch
		letters string
		code    []byte
		want    Rule
	}{
		{"nothing", AMD64, "zR", nil, entry},
		{"without augmentation", AMD64, "", nil, entry},
		{"personality and language data", AMD64, "zPLR", nil, entry},
		{"a letter that is not known", AMD64, "zRX", nil, entry},
		{"def_cfa", AMD64, "zR", cat(cfaDefCFA, rbp, 16), with(entry, func(r *Rule) { r.CFAReg, r.CFAOffset = rbp, 16 })},
		{"def_cfa_register", AMD64, "zR", cat(cfaDefCFARegister, rbp), with(entry, func(r *Rule) { r.CFAReg = rbp })},
		{"def_cfa_offset", AMD64, "zR", cat(cfaDefCFAOffset, uleb(4096)), with(entry, func(r *Rule) { r.CFAOffset = 4096 })},
		{"def_cfa_sf", AMD64, "zR", cat(cfaDefCFASF, rbp, sleb(-2)), with(entry, func(r *Rule) { r.CFAReg, r.CFAOffset = rbp, 16 })},
		{"def_cfa_offset_sf", AMD64, "zR", cat(cfaDefCFAOffsetSF, sleb(-3)), with(entry, func(r *Rule) { r.CFAOffset = 24 })},
		{"offset", AMD64, "zR", cat(cfaOffset|rbp, 2), with(entry, func(r *Rule) { r.FP, r.FPOffset = AtCFA, -16 })},
		{"offset_extended", AMD64, "zR", cat(cfaOffsetExtended, rbx, 3), with(entry, func(r *Rule) { r.X, r.XOffset = AtCFA, -24 })},
		{"offset_extended_sf", AMD64, "zR", cat(cfaOffsetExtendedSF, rbx, sleb(-1)), with(entry, func(r *Rule) { r.X, r.XOffset = AtCFA, 8 })},
		{"GNU_negative_offset_extended", AMD64, "zR", cat(cfaGNUNegativeOffset, rbp, 1), with(entry, func(r *Rule) { r.FP, r.FPOffset = AtCFA, 8 })},
		{"registers that are not followed", AMD64, "zR", cat(cfaOffset|12, 4, cfaRegister, 13, 14, cfaUndefined, 15), entry},
		{"restore", AMD64, "zR", cat(cfaOffset|rbp, 2, cfaRestore|rbp), entry},
		{"restore_extended", AMD64, "zR", cat(cfaUndefined, rip, cfaRestoreExtended, rip), entry},
		{"same_value", AMD64, "zR", cat(cfaOffset|rbp, 2, cfaSameValue, rbp), entry},
		{"undefined", AMD64, "zR", cat(cfaUndefined, rbp), with(entry, func(r *Rule) { r.FP = Lost })},
		{"an entry point", AMD64, "zR", cat(cfaUndefined, rip), Rule{CFA: CFAEnd}},
		{"register", AMD64, "zR", cat(cfaRegister, rip, 5, cfaDefCFAOffset, 0), with(entry, func(r *Rule) { r.CFAOffset, r.RA, r.RAOffset = 0, InRegister, 5 })},
		{"remember and restore", AMD64, "zR", cat(cfaRememberState, cfaDefCFA, rbp, 16, cfaOffset|rbp, 2, cfaRestoreState), entry},
		{"GNU_args_size", AMD64, "zR", cat(cfaGNUArgsSize, uleb(300)), entry},
		{"PLT", AMD64, "zR", block(cfaDefCFAExpression, plt), with(entry, func(r *Rule) { r.CFA, r.CFAAdd = CFAPLT, 11 })},
		{"register and number", AMD64, "zR", block(cfaDefCFAExpression, opBreg0+rbp, sleb(-8), opPlusUconst, 24), with(entry, func(r *Rule) { r.CFAReg, r.CFAOffset = rbp, 16 })},
		{"register by number", AMD64, "zR", block(cfaDefCFAExpression, opBregx, rbp, sleb(16)), with(entry, func(r *Rule) { r.CFAReg, r.CFAOffset = rbp, 16 })},
		{"memory, number", AMD64, "zR", block(cfaDefCFAExpression, opBreg0+rsp, sleb(40), opDeref, opPlusUconst, 8),
			with(entry, func(r *Rule) { r.CFA, r.CFAOffset, r.CFAAdd = CFADeref, 40, 8 })},
		{"memory, less a number", AMD64, "zR", block(cfaDefCFAExpression, opBreg0+rsp, sleb(40), opDeref, opConst2u, 0, 1, opMinus),
			with(entry, func(r *Rule) { r.CFA, r.CFAOffset, r.CFAAdd = CFADeref, 40, -256 })},
		{"memory of memory", AMD64, "zR", block(cfaDefCFAExpression, opBreg0+rsp, 0, opDeref, opDeref), unsupported},
		{"offset after an expression", AMD64, "zR", cat(block(cfaDefCFAExpression, opBreg0+rsp, 0, opDeref), cfaDefCFA, rsp, 8), entry},
		{"gcc's realignment", AMD64, "zR", cat(exprOf(cfaExpression, rbp, opBreg0+rbp, 0), block(cfaDefCFAExpression, opBreg0+rbp, sleb(-8), opDeref), exprOf(cfaExpression, rbx, opBreg0+rbp, sleb(-40))),
			Rule{CFA: CFADeref, CFAReg: rbp, CFAOffset: -8, RA: AtCFA, RAOffset: -8, FP: AtFP, X: AtFP, XOffset: -40}},
		{"a register at the frame address", AMD64, "zR", exprOf(cfaExpression, rbp, opConst1s, 0xf0, opPlus), with(entry, func(r *Rule) { r.FP, r.FPOffset = AtCFA, -16 })},
		{"a register's value in memory", AMD64, "zR", exprOf(cfaValExpression, rbp, opBreg0+rsp, 32, opDeref), with(entry, func(r *Rule) { r.FP, r.FPOffset = AtSP, 32 })},
		{"a signal frame", AMD64, "zRS", cat(block(cfaDefCFAExpression, opBreg0+rsp, sleb(160), opDeref), exprOf(cfaExpression, rsp, opBreg0+rsp, sleb(160)),
			exprOf(cfaExpression, rbp, opBreg0+rsp, sleb(120)), exprOf(cfaExpression, rbx, opBreg0+rsp, sleb(128)), exprOf(cfaExpression, rip, opBreg0+rsp, sleb(168))),
			Rule{Flags: FlagSignal, CFA: CFADeref, CFAReg: rsp, CFAOffset: 160, RA: AtSP, RAOffset: 168, FP: AtSP, FPOffset: 120, X: AtSP, XOffset: 128}},
		{"stack pointer below the frame address", AMD64, "zR", cat(cfaDefCFAOffset, 24, cfaValOffset, rsp, 1), with(entry, func(r *Rule) { r.CFAOffset, r.RAOffset = 16, 0 })},
		{"longjmp", AMD64, "zR", cat(cfaDefCFA, 5, 0, cfaRegister, rsp, 8, cfaRegister, rbp, 9, cfaRegister, rip, 1),
			Rule{CFA: CFARegister, CFAReg: 8, RA: InRegister, RAOffset: 1, FP: InRegister, FPOffset: 9}},
		{"an offset beyond any stack", AMD64, "zR", cat(cfaDefCFAOffset, uleb(1<<40)), unsupported},
		{"a register that does not exist", AMD64, "zR", cat(cfaDefCFA, uleb(99), 8), unsupported},
		{"an instruction that does not exist", AMD64, "zR", cat(0x3e), Rule{}},
		{"restore without remember", AMD64, "zR", cat(cfaRestoreState), Rule{}},
		{"cut short", AMD64, "zR", cat(cfaDefCFAExpression, 100, opBreg0+rsp), Rule{}},

		{"leaf", ARM64, "zR", nil, arm},
		{"frame record", ARM64, "zR", cat(cfaDefCFAOffset, 32, cfaOffset|arm64FP, 4, cfaOffset|arm64LR, 3),
			Rule{CFA: CFARegister, CFAReg: arm64SP, CFAOffset: 32, RA: AtCFA, RAOffset: -24, FP: AtCFA, FPOffset: -32, X: AtCFA, XOffset: -24}},
		{"signed return address", ARM64, "zRB", cat(cfaNegateRAState, cfaNegateRAState, cfaNegateRAStatePC, exprOf(cfaValExpression, 34, opLit0+1)), arm},
		{"Go's stack pointer", ARM64, "", cat(cfaValOffset, arm64SP, 0), arm},
		{"an entry point", ARM64, "zR", cat(cfaUndefined, arm64LR), Rule{CFA: CFAEnd}},
		{"a signal frame, whatever is said", ARM64, "zRS", cat(cfaDefCFA, arm64FP, 0, cfaOffset|arm64FP, 0, cfaOffsetExtendedSF, arm64LR, sleb(-1)), arm64Signal},
	} {
		t.Run(fmt.Sprint(test.arch, " ", test.name), func(t *testing.T) {
			a := gnu(test.arch, test.letters)
			if test.letters == "" {
				a = &assembler{arch: test.arch, version: 1, enc: encAbsolute, initial: a.initial}
				a.common()
			}
			a.function(0x1_0000, 64, cat(cfaAdvanceLoc|4, test.code))
			m := NewModule(a.image(true), NewRules(), 0)
			if got := ruleAt(m, 0x1_003f); got != test.want {
				t.Errorf("rule %+v, expected %+v", got, test.want)
			}
			behind := uint64(0x1_0040)
			if test.want.Flags&FlagSignal != 0 {
				behind++ // the byte behind a trampoline belongs to it
			}
			if got := ruleAt(m, behind); got != (Rule{}) {
				t.Errorf("behind the function %+v, expected no rule", got)
			}
			if bad := m.Err(); (bad != nil) != (test.want == Rule{}) {
				t.Errorf("error %v", bad)
			}
		})
	}
}

// TestFormats: the same functions, however they are written, have the same rows.
func TestFormats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type row struct {
			at   uint64
			rule Rule
		}
		type fun struct {
			start, size uint64
			code        []byte
			rows        []row
		}
		var funs []fun
		at := uint64(0x1000)
		for range rapid.IntRange(1, 20).Draw(t, "functions") {
			at += rapid.SampledFrom([]uint64{0, 1, 16, 100, 60000}).Draw(t, "gap")
			f := fun{start: at, size: rapid.SampledFrom([]uint64{1, 7, 64, 300, 140000}).Draw(t, "size")}
			r := Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: 8, RA: AtCFA, RAOffset: -8}
			f.rows = []row{{at, r}}
			for loc := at; ; {
				delta := rapid.SampledFrom([]uint64{1, 63, 64, 255, 256, 65535, 65536, 70000}).Draw(t, "delta")
				if loc += delta; loc >= at+f.size || len(f.rows) > 6 {
					break
				}
				le := binary.LittleEndian.AppendUint64(nil, delta)
				switch {
				case delta < 64:
					f.code = cat(f.code, cfaAdvanceLoc|int(delta))
				case delta < 256:
					f.code = cat(f.code, cfaAdvanceLoc1, le[:1])
				case delta < 65536:
					f.code = cat(f.code, cfaAdvanceLoc2, le[:2])
				default:
					f.code = cat(f.code, cfaAdvanceLoc4, le[:4])
				}
				off := rapid.Uint64Range(1, 1000).Draw(t, "offset")
				f.code = cat(f.code, cfaDefCFAOffset, uleb(8*off))
				r.CFAOffset = int32(8 * off)
				f.rows = append(f.rows, row{loc, r})
			}
			funs = append(funs, f)
			at += f.size
		}
		order := rapid.Permutation(funs).Draw(t, "order")

		for _, form := range []struct {
			name   string
			a      *assembler
			search bool
		}{
			{"searched", &assembler{version: 1, letters: "zR", enc: encS32 | encPCRel}, true},
			{"scanned", &assembler{version: 1, letters: "zPLR", enc: encS32 | encPCRel}, false},
			{"absolute", &assembler{version: 3, letters: "zR", enc: encU64}, true},
			{"wide", &assembler{version: 1, wide: true, letters: "zR", enc: encS64 | encPCRel}, true},
			{"debug_frame", &assembler{version: 4, debug: true, enc: encAbsolute}, false},
			{"wide debug_frame", &assembler{version: 3, debug: true, wide: true, enc: encAbsolute}, false},
		} {
			form.a.initial = amd64Common
			for i, f := range order {
				if i%5 == 0 {
					form.a.common()
				}
				form.a.function(f.start, f.size, f.code)
			}
			m := NewModule(form.a.image(form.search), NewRules(), 0)
			for i, f := range funs {
				for j, r := range f.rows {
					limit := f.start + f.size
					if j+1 < len(f.rows) {
						limit = f.rows[j+1].at
					}
					for _, addr := range []uint64{r.at, limit - 1} {
						if got := ruleAt(m, addr); got != r.rule {
							t.Fatalf("%s: at %#x %+v, expected %+v", form.name, addr, got, r.rule)
						}
					}
				}
				end := f.start + f.size
				bridged := i+1 < len(funs) && funs[i+1].start-end < maxBridge && funs[i+1].start%maxBridge != 0
				if (i+1 == len(funs) || funs[i+1].start > end) && !bridged {
					var want Rule
					if i+1 < len(funs) && funs[i+1].start == end+1 { // returns to where no call was
						want.CFA = CFAEnd
					}
					if got := ruleAt(m, end); got != want {
						t.Fatalf("%s: at %#x, behind a function, %+v, expected %+v", form.name, end, got, want)
					}
				}
			}
			if err := m.Err(); err != nil {
				t.Fatalf("%s: %v", form.name, err)
			}
		}
	})
}

// TestSearchTableFindsWhatAScanFinds on the system's C library.
func TestSearchTableFindsWhatAScanFinds(t *testing.T) {
	img := elfImage(t, installed(t, false, "/lib/*-linux-gnu/libc.so.6"))
	without := img
	without.EHFrameHdr = Section{}
	rules := NewRules()
	a, b := NewModule(img, rules, 0), NewModule(without, rules, 1)
	for _, r := range img.Text {
		for n := r.Start >> ChunkShift; n <= (r.Limit-1)>>ChunkShift; n++ {
			if x, y := a.Chunk(n), b.Chunk(n); !slices.Equal(x, y) {
				t.Errorf("chunk %d: %d rows by the search table, %d by a scan", n, len(x), len(y))
			}
		}
	}
	if a.Err() != nil || b.Err() != nil {
		t.Error(a.Err(), b.Err())
	}
}
