package unwind

import (
	"encoding/binary"
	"testing"
)

// A long gap between tables has the rule of frame pointers if its functions set them up, and none otherwise.
func TestGeneratedCode(t *testing.T) {
	const start, gap, size = 0x2_0000, 0x40, 0x9000
	for _, test := range []struct {
		arch  Arch
		name  string
		every int
		limit uint64 // of the code
		want  Rule
	}{
		{AMD64, "frames", 4096, size, Rule{CFA: CFAFramePointer}},
		{AMD64, "none", 0, size, Rule{}},
		{AMD64, "few", 0x8000, size, Rule{}},
		{AMD64, "short", 128, 4096, Rule{}},
		{ARM64, "frames", 4096, size, Rule{CFA: CFAFramePointer}},
		{ARM64, "none", 0, size, Rule{}},
	} {
		a := gnu(test.arch, "zR")
		a.function(start, gap, nil)
		img := a.image(true)
		code := make([]byte, test.limit)
		for at := gap; test.every > 0 && at < len(code); at += test.every {
			if test.arch == AMD64 {
				copy(code[at:], "\x55\x48\x89\xe5")
			} else {
				binary.LittleEndian.PutUint32(code[at:], 0x910003fd|16<<10) // add x29, sp, #16
			}
		}
		img.Code = inMemory(start, code)
		m := NewModule(img, NewRules(), 0)
		if got := ruleAt(m, start+gap+0x10); got != test.want {
			t.Errorf("%v, %s: %+v, expected %+v", test.arch, test.name, got, test.want)
		}
		if got := ruleAt(m, start+test.limit); got != (Rule{}) {
			t.Errorf("%v, %s: %+v behind the code", test.arch, test.name, got)
		}
		if err := m.Err(); err != nil {
			t.Errorf("%v, %s: %v", test.arch, test.name, err)
		}
	}
}
