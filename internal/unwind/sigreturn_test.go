package unwind

import (
	"slices"
	"testing"
)

// A thread whose signal handler returns is at the address behind the trampoline: that has the rule of the trampoline, unless a
// function begins there, and what follows has none.
func TestBehindTrampoline(t *testing.T) {
	for _, arch := range []Arch{AMD64, ARM64} {
		a := gnu(arch, "zRS")
		a.function(0x2_0000, 9, nil)
		a.function(0x2_0040, 9, nil)
		m := NewModule(a.image(true), NewRules(), 0)
		in := ruleAt(m, 0x2_0000)
		if in.Flags&FlagSignal == 0 {
			t.Fatalf("%v: the trampoline has rule %+v", arch, in)
		}
		for addr, want := range map[uint64]Rule{0x2_0008: in, 0x2_0009: in, 0x2_000a: {}, 0x2_0049: in, 0x2_004a: {}} {
			if got := ruleAt(m, addr); got != want {
				t.Errorf("%v, %#x: %+v, expected %+v", arch, addr, got, want)
			}
		}
	}
	m := NewModule(Image{}, NewRules(), 0)
	signal, plain := m.number(Rule{CFA: CFARegister, Flags: FlagSignal}), m.number(Rule{CFA: CFARegister})
	got := m.returning(spans{{0, 9, signal}, {9, 12, plain}, {16, 20, plain}, {24, 32, signal}}, 32)
	want := spans{{0, 9, signal}, {9, 12, plain}, {16, 20, plain}, {24, 32, signal}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, expected %v: no change to code that follows, or beyond the chunk", got, want)
	}
}
