package unwind

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// TestCodeWithoutTables: what is known of it.
func TestCodeWithoutTables(t *testing.T) {
	const mib = 1 << 20
	a := gnu(AMD64, "zR")
	a.function(0x2_0000, 0x40, cat(cfaAdvanceLoc|1, cfaDefCFAOffset, 16)) // then a gap of 10 bytes
	a.function(0x2_004a, 0x10, cat(cfaUndefined, amd64RIP))               // as in libc's clone
	a.function(0x2_0070, 0x10, nil)
	img := a.image(true)
	img.Entry = 0x2_0090
	img.PLT = Range{0x2_1000, 0x2_1040}
	img.Stubs = []Range{{0x2_2000, 0x2_2010}}

	arm := gnu(ARM64, "zR")
	arm.function(0x2_0000, 0x40, nil)
	armImage := arm.image(true)
	armImage.PLT, armImage.Stubs = img.PLT, img.Stubs
	code := make([]byte, 64)
	binary.LittleEndian.PutUint64(code[40:], arm64Return)
	armImage.Trampoline = inMemory(0x2_3000, code)
	bare := Image{Arch: ARM64, Text: []Range{{0, mib}}, PLT: img.PLT, Trampoline: armImage.Trampoline}

	sp := func(arch Arch, off int32) Rule {
		r := Rule{CFA: CFARegister, CFAReg: arch.stackPointer(), CFAOffset: off}
		if arch == AMD64 {
			r.RA, r.RAOffset = AtCFA, -8
		}
		return r
	}
	lazy := sp(AMD64, 8)
	lazy.CFA, lazy.CFAAdd = CFAPLT, 11
	pushed := Rule{CFA: CFARegister, CFAReg: arm64SP, CFAOffset: 16, RA: AtCFA, RAOffset: -8, X: AtCFA, XOffset: -8}
	for _, test := range []struct {
		name string
		img  Image
		at   uint64
		want Rule
	}{
		{"before a function that goes on", img, 0x2_0049, sp(AMD64, 16)},
		{"and the rest of it", img, 0x2_004a, Rule{CFA: CFAEnd}},
		{"between functions", img, 0x2_005a, Rule{}},
		{"start", img, 0x2_0090, Rule{CFA: CFAEnd}},
		{"the start's end", img, 0x2_018f, Rule{CFA: CFAEnd}},
		{"behind the start", img, 0x2_0190, Rule{}},
		{"first of PLT", img, 0x2_1000, sp(AMD64, 16)},
		{"first of PLT, pushed", img, 0x2_1006, sp(AMD64, 24)},
		{"PLT", img, 0x2_1010, lazy},
		{"last of PLT", img, 0x2_103f, lazy},
		{"behind PLT", img, 0x2_1040, Rule{}},
		{"stub", img, 0x2_2000, sp(AMD64, 8)},

		{"first of PLT", armImage, 0x2_1000, sp(ARM64, 0)},
		{"first of PLT, pushed", armImage, 0x2_1004, pushed},
		{"PLT", armImage, 0x2_1020, sp(ARM64, 0)},
		{"stub", armImage, 0x2_2000, sp(ARM64, 0)},
		{"before the trampoline", armImage, 0x2_3024, arm64Signal},
		{"trampoline", armImage, 0x2_302c, arm64Signal},
		{"behind the trampoline", armImage, 0x2_3030, arm64Signal}, // where a thread is while the kernel returns
		{"further behind the trampoline", armImage, 0x2_3031, Rule{}},
		{"not before the trampoline", armImage, 0x2_3023, Rule{}},

		{"no tables at all", bare, 0x2_0000, Rule{CFA: CFAFramePointer}},
		{"PLT without tables", bare, 0x2_1020, sp(ARM64, 0)},
		{"trampoline without tables, as Debian's for arm64", bare, 0x2_3024, arm64Signal},
		{"behind that", bare, 0x2_3031, Rule{CFA: CFAFramePointer}},
	} {
		t.Run(fmt.Sprint(test.img.Arch, " ", test.name), func(t *testing.T) {
			m := NewModule(test.img, NewRules(), 0)
			if got := ruleAt(m, test.at); got != test.want {
				t.Errorf("%+v, expected %+v", got, test.want)
			}
			if err := m.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGapsAcrossChunks: what is known of a gap does not depend on where chunks begin.
func TestGapsAcrossChunks(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after Range // functions
		entry, at     uint64
		want          uint8
	}{
		{"a gap inside a function begins in one chunk", Range{0x1_ff00, 0x1_fffa}, Range{0x2_0004, 0x2_0100}, 0, 0x1_fffa, CFARegister},
		{"and ends in the next", Range{0x1_ff00, 0x1_fffa}, Range{0x2_0004, 0x2_0100}, 0, 0x2_0003, CFARegister},
		{"a start that goes on in the next", Range{0x1_f000, 0x1_f100}, Range{0x2_0020, 0x2_0100}, 0x1_fff0, 0x2_0010, CFAEnd},
		{"a start that ended before", Range{0x1_fff4, 0x1_fffc}, Range{0x2_0060, 0x2_0100}, 0x1_fff0, 0x2_0020, CFANone},
	} {
		a := gnu(AMD64, "zR")
		for _, r := range []Range{test.before, test.after} {
			a.function(r.Start, r.Limit-r.Start, nil)
		}
		img := a.image(true)
		img.Entry = test.entry
		m := NewModule(img, NewRules(), 0)
		if got := ruleAt(m, test.at); got.CFA != test.want {
			t.Errorf("%s: at %#x %+v, expected form %d", test.name, test.at, got, test.want)
		}
	}
}
