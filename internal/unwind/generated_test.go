package unwind

import (
	"encoding/binary"
	"testing"
)

// A long gap between tables has the rule of frame pointers, from its first address to the last but one, if its functions set them up, and
// none otherwise.
func TestGeneratedCode(t *testing.T) {
	const start, gap, size = 0x2_fff0, 0x40, 0x5_0020 // in a bit of the first and of the last chunk
	for _, test := range []struct {
		arch  Arch
		name  string
		every int
		limit uint64 // of the gap
		want  Rule
	}{
		{AMD64, "frames", 4096, size, Rule{CFA: CFAFramePointer}},
		{AMD64, "none", 0, size, Rule{}},
		{AMD64, "few", 0x4000, size, Rule{}},
		{AMD64, "as much as of assembler", 128, 0x1_8000, Rule{}},
		{ARM64, "frames", 4096, size, Rule{CFA: CFAFramePointer}},
		{ARM64, "none", 0, size, Rule{}},
	} {
		a := gnu(test.arch, "zR")
		a.function(start, gap, nil)
		a.function(start+test.limit, gap, nil)
		img := a.image(true)
		code := make([]byte, size+gap)
		for at := gap; test.every > 0 && at < len(code); at += test.every {
			if test.arch == AMD64 {
				copy(code[at:], "\x55\x48\x89\xe5")
			} else {
				binary.LittleEndian.PutUint32(code[at:], 0x910003fd|16<<10) // add x29, sp, #16
			}
		}
		img.Code = inMemory(start, code)
		m := NewModule(img, NewRules(), 0)
		for _, at := range []uint64{gap, 0x1_0020, test.limit - 2} {
			if got := ruleAt(m, start+at); got != test.want {
				t.Errorf("%v, %s: at +%#x %+v, expected %+v", test.arch, test.name, at, got, test.want)
			}
		}
		if got := ruleAt(m, start+size+gap); got != (Rule{}) {
			t.Errorf("%v, %s: %+v behind the code", test.arch, test.name, got)
		}
		if err := m.Err(); err != nil {
			t.Errorf("%v, %s: %v", test.arch, test.name, err)
		}
	}
}
