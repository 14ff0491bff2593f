package unwind

import (
	"encoding/binary"
	"testing"
)

// deep is a thread 30 frames deep in functions whose frames are counted from the stack pointer, spread over a module.
func deep(tb testing.TB) (*Walker, *Space, *Registers, []byte, uint64) {
	tb.Helper()
	const frames, size, base, bias = 30, 96, 0x7ffc_0000_0000, 0x5555_5555_0000
	rules := NewRules()
	m := NewModule(Image{Arch: AMD64}, rules, 0)
	body := rules.number(Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: size, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -16, X: AtCFA, XOffset: -24})
	entry := rules.number(Rule{CFA: CFAEnd})
	for n := range uint64(frames) {
		m.chunks[n] = Chunk{{0, body}}
	}
	m.chunks[frames-1] = Chunk{{0, entry}}
	stack := make([]byte, frames*size)
	for n := 1; n < frames; n++ {
		binary.LittleEndian.PutUint64(stack[n*size-8:], bias+uint64(n)<<ChunkShift+uint64(n)*1234)
	}
	var r Registers
	r.PC = bias + 99
	r.Set(amd64RSP, base)
	r.Set(amd64RBP, 0)
	r.Set(amd64RBX, 0)
	return NewWalker(AMD64, rules), NewSpace([]Mapping{{Start: bias, Limit: bias + frames<<ChunkShift, Bias: bias, Module: m}}), &r, stack, base
}

// A walk whose rules are known allocates nothing.
func TestWalkAllocatesNothing(t *testing.T) {
	w, s, r, stack, base := deep(t)
	chain := make([]uint64, 0, 128)
	walk := func() {
		if got, out := w.Walk(chain, s, r, stack, base, 127); len(got) != 30 || out != Complete {
			t.Fatalf("%d frames, %v, want 30, complete", len(got), out)
		}
	}
	if n := testing.AllocsPerRun(100, walk); n != 0 {
		t.Errorf("%v allocations for a walk, want 0", n)
	}
}

// 30 frames, all of whose rules are known: 0.68 us on an AMD EPYC at rest, twice that beside other work.
func BenchmarkWalk30(b *testing.B) {
	w, s, r, stack, base := deep(b)
	chain := make([]uint64, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, out := w.Walk(chain, s, r, stack, base, 127); out != Complete {
			b.Fatal(out)
		}
	}
}

// The same by a walker that remembers nothing: what the first sample of a place costs, without the compilation of chunks.
func BenchmarkWalk30Cold(b *testing.B) {
	w, s, r, stack, base := deep(b)
	chain := make([]uint64, 0, 128)
	for b.Loop() {
		s.id = spaces.Add(1)
		if _, out := w.Walk(chain, s, r, stack, base, 127); out != Complete {
			b.Fatal(out)
		}
	}
}
