package unwind

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The walk gives back the calls that a thread made: all of them, from any frame on, as many as are asked for, and as many as the
// copy of the stack has.
func TestWalkGivesBackTheCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawSynthetic(t)
		th := drawThread(t, p, rapid.IntRange(0, 40).Draw(t, "depth"))
		var want []uint64
		for _, f := range slices.Backward(th.frames) {
			want = append(want, f.PC)
		}
		w := NewWalker(p.arch, p.rules)
		walk := func(n, max int, stack []byte) ([]uint64, Outcome) {
			i := len(th.frames) - 1 - n
			regs := th.frames[i]
			if n > 0 { // another walk knows these alone
				regs.Known = 1<<p.arch.stackPointer() | 1<<p.arch.framePointer()
				if p.arch == AMD64 || th.exact[i] {
					regs.Known |= 1 << p.arch.x()
				}
			}
			return w.Resume([]uint64{7}, p.space, &regs, stack, th.base, max, th.exact[i])
		}
		check := func(what string, got []uint64, out Outcome, want []uint64, wantOut Outcome) {
			t.Helper()
			if want = append([]uint64{7}, want...); !slices.Equal(got, want) || out != wantOut {
				t.Fatalf("%s: %#x, %v, want %#x, %v", what, got, out, want, wantOut)
			}
		}
		got, out := walk(0, 1000, th.memory)
		check("whole", got, out, want, Complete)
		n := rapid.IntRange(0, len(want)-1).Draw(t, "from")
		got, out = walk(n, len(want)-n, th.memory)
		check("resumed", got, out, want[n:], Complete)
		got, out = walk(0, n, th.memory)
		check("cut", got, out, want[:n], Deep)
		got, out = walk(0, 1000, th.memory[:rapid.IntRange(8, len(th.memory)).Draw(t, "copied")])
		switch {
		case len(got) > len(want)+1 || !slices.Equal(got[1:], want[:len(got)-1]):
			t.Fatalf("of a part: %#x, want the first of %#x", got, want)
		case out == Complete && len(got) < len(want)+1 || out != Complete && out != Truncated:
			t.Fatalf("of a part: %d frames of %d, %v", len(got)-1, len(want), out)
		}
	})
}

// Whatever memory holds, the walk ends within the frames asked for and gives addresses of code alone.
func TestWalkOfGarbageEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawSynthetic(t)
		th := drawThread(t, p, 10)
		for range rapid.IntRange(1, 200).Draw(t, "faults") {
			from := *th.sp() - th.base
			at := from + rapid.Uint64Range(0, (uint64(len(th.memory))-from)/8-1).Draw(t, "at")*8
			v := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(th.base-64, th.base+uint64(len(th.memory))+64),
				rapid.SampledFrom([]uint64{0, th.base, *th.sp(), *th.fp(), p.functions[jit][0].start, p.functions[bySP][0].start + bodyAt})).Draw(t, "value")
			th.store(at+th.base, v)
		}
		w := NewWalker(p.arch, p.rules)
		got, out := w.Walk(nil, p.space, &th.regs, th.memory, th.base, 50)
		if len(got) == 0 || len(got) > 50 || out >= outcomes {
			t.Fatalf("%d frames, %v", len(got), out)
		}
		for _, a := range got {
			if p.space.find(a) == nil && p.space.find(a-1) == nil {
				t.Fatalf("%#x is in no mapping: %#x, %v", a, got, out)
			}
		}
	})
}
