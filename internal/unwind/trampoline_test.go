package unwind

import (
	"bytes"
	"testing"
)

// Memory full of trampolines, one behind another (Python 3.12) or aligned (3.13), is recognised, and has in each of them the rules of
// what it has pushed.
func TestTrampolines(t *testing.T) {
	for _, every := range []int{11, 16} {
		arena := make([]byte, arenaSize)
		for at := 0; at+len(pythonCode) <= len(arena); at += every {
			copy(arena[at:], pythonCode)
		}
		if got := Trampolines(arena[:TrampolineCode]); got != every {
			t.Fatalf("a trampoline takes %d bytes, expected %d", got, every)
		}
		m := NewModule(Image{Trampolines: every}, NewRules(), 0)
		for _, n := range []int{0, 1, 4000} {
			for at, want := range map[int]int32{0: 8, 4: 16, 9: 16, 10: 8} {
				addr := uint64(n*every + at)
				r := ruleAt(m, addr)
				if r.CFA != CFARegister || r.CFAReg != amd64RSP || r.CFAOffset != want || r.RA != AtCFA || r.RAOffset != -8 {
					t.Errorf("%d bytes each, at %#x: %+v, expected %d bytes from the stack pointer", every, addr, r, want)
				}
			}
		}
	}
	for name, code := range map[string][]byte{
		"nothing":      nil,
		"one":          pythonCode,
		"not at start": append([]byte{0x90}, bytes.Repeat(pythonCode, 2)...),
	} {
		if got := Trampolines(code); got != 0 {
			t.Errorf("%s: taken for trampolines of %d bytes", name, got)
		}
	}
}
