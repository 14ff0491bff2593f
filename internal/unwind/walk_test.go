package unwind

import (
	"encoding/binary"
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

// How walks end that do not go through: the second of two frames, or the first, has no caller to be found.
func TestWalkEnds(t *testing.T) {
	const base = 0x7ffc_0000_0000
	jit := Mapping{Start: 0x10000, Limit: 0x20000}
	bad := Mapping{Start: 0x20000, Limit: 0x30000, Err: true}
	framed := Rule{CFA: CFARegister, CFAReg: amd64RBP, CFAOffset: 16, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -16}
	bySP := Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: 16, RA: AtCFA, RAOffset: -8}
	for _, c := range []struct {
		name  string
		arch  Arch
		pc    uint64
		rules [2]Rule // of 0x40000 and of 0x50000
		stack []uint64
		fp    uint64
		want  []uint64
		out   Outcome
	}{
		{"zero above", AMD64, 0x40000, [2]Rule{bySP}, []uint64{0, 0}, 0, []uint64{0x40000}, Complete},
		{"no rule", AMD64, 0x40000, [2]Rule{bySP}, []uint64{0, 0x50004}, 0, []uint64{0x40000, 0x50004}, NoInformation},
		{"expression", AMD64, 0x40000, [2]Rule{bySP, {CFA: CFAUnsupported}}, []uint64{0, 0x50004}, 0, []uint64{0x40000, 0x50004}, Unsupported},
		{"no file", AMD64, 0x40000, [2]Rule{bySP}, []uint64{0, 0x20004}, 0, []uint64{0x40000, 0x20004}, NoBinary},
		{"no mapping", AMD64, 0x40000, [2]Rule{bySP}, []uint64{0, 0x990000}, 0, []uint64{0x40000}, NoMapping},
		{"nowhere", AMD64, 0x990000, [2]Rule{}, []uint64{0, 0}, 0, []uint64{0x990000}, NoMapping},
		{"no stack", AMD64, 0x40000, [2]Rule{bySP}, nil, 0, []uint64{0x40000}, NoStack},
		{"cut", AMD64, 0x40000, [2]Rule{bySP}, []uint64{0}, 0, []uint64{0x40000}, Truncated},
		{"below", AMD64, 0x40000, [2]Rule{framed}, []uint64{0, 0}, base - 4096, []uint64{0x40000}, BadFrame},
		{"on another stack below", AMD64, 0x40000, [2]Rule{framed}, []uint64{0, 0}, base - 8192, []uint64{0x40000}, Truncated},
		{"far above", AMD64, 0x40000, [2]Rule{framed}, []uint64{0, 0}, 1 << 60, []uint64{0x40000}, Unreadable},
		{"below a new stack", AMD64, 0x40000, [2]Rule{{CFA: CFAFramePointer, Flags: FlagSwitch}}, []uint64{0, 0}, base - 4096, []uint64{0x40000}, Truncated},
		{"the frame does not rise", AMD64, 0x40000, [2]Rule{{CFA: CFARegister, CFAReg: amd64RSP, RA: AtSP}}, []uint64{0x40004, 0}, 0, []uint64{0x40000}, BadFrame},
		{"register of another frame", AMD64, 0x40000, [2]Rule{bySP, {CFA: CFARegister, CFAReg: 12, CFAOffset: 16, RA: AtCFA, RAOffset: -8}}, []uint64{0, 0x50004}, 0, []uint64{0x40000, 0x50004}, NoInformation},
		{"rbx behind code without tables", AMD64, 0x10000, [2]Rule{{}, {CFA: CFARegister, CFAReg: amd64RBX, CFAOffset: 16, RA: AtCFA, RAOffset: -8}}, []uint64{0, 0x50004}, base, []uint64{0x10000, 0x50004}, NoInformation},
		{"no frame pointer at first", AMD64, 0x10000, [2]Rule{}, []uint64{0, 0}, 0, []uint64{0x10000}, BadFrame},
		{"no frame pointer any more", AMD64, 0x10000, [2]Rule{}, []uint64{0, 0x10004}, base, []uint64{0x10000, 0x10004}, Complete},
		{"no frame pointer by the runtime", AMD64, 0x40000, [2]Rule{{CFA: CFAFramePointer, Flags: FlagSwitch}}, []uint64{0, 0}, 0, []uint64{0x40000}, Complete},
		{"not aligned", AMD64, 0x10000, [2]Rule{}, []uint64{0, 0x10004}, base + 4, []uint64{0x10000}, BadFrame},
		{"frame pointer to no code", AMD64, 0x10000, [2]Rule{}, []uint64{0, 0x990000}, base, []uint64{0x10000}, BadFrame},
		{"leaf called by leaf", ARM64, 0x40000, [2]Rule{{CFA: CFARegister, CFAReg: arm64SP}, {CFA: CFARegister, CFAReg: arm64SP, CFAOffset: 16}}, []uint64{0, 0}, 0, []uint64{0x40000, 0x50008}, NoInformation},
	} {
		rules := NewRules()
		m := NewModule(Image{Arch: c.arch}, rules, 0)
		m.chunks[4] = Chunk{{0, rules.number(c.rules[0])}}
		m.chunks[5] = Chunk{{0, rules.number(c.rules[1])}}
		s := NewSpace([]Mapping{jit, bad, {Start: 0x40000, Limit: 0x60000, Module: m}})
		r := Registers{PC: c.pc, Known: 1<<32 - 1}
		r.R[c.arch.stackPointer()], r.R[c.arch.framePointer()], r.R[c.arch.x()], r.R[12] = base, c.fp, 0x50008, base
		if c.arch == AMD64 {
			r.R[amd64RBX] = base
		}
		var stack []byte
		for _, v := range c.stack {
			stack = binary.LittleEndian.AppendUint64(stack, v)
		}
		got, out := NewWalker(c.arch, rules).Walk(nil, s, &r, stack, base, 10)
		if !slices.Equal(got, c.want) || out != c.out {
			t.Errorf("%s: %#x, %v, want %#x, %v", c.name, got, out, c.want, c.out)
		}
	}
}

// An address whose rule says so is an entry, from within and from behind the call that returns to it.
func TestIsEntry(t *testing.T) {
	rules := NewRules()
	m := NewModule(Image{}, rules, 0)
	m.chunks[4] = Chunk{{}, {0x10, rules.number(Rule{CFA: CFAEnd})}, {0x20, RuleFramePointer}}
	s := NewSpace([]Mapping{{Start: 0x40000, Limit: 0x50000, Module: m}})
	w := NewWalker(AMD64, rules)
	for addr, want := range map[uint64]bool{0x40010: false, 0x40011: true, 0x40020: true, 0x40021: false, 0x50010: false, 0: false} {
		if got := w.IsEntry(s, addr); got != want {
			t.Errorf("%#x: %v, want %v", addr, got, want)
		}
	}
}
