package bpf

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/unwind"
	"pgregory.net/rapid"
)

// encodeWalk writes what stacks.bpf.c would.
func encodeWalk(w *Walked) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, w.IP)
	b = le.AppendUint64(b, w.Space.MM)
	for _, v := range []uint32{w.Space.TGID, w.Space.Exec, w.PID, w.TID} {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint16(b, uint16(len(w.Frames)))
	b = append(b, byte(w.Outcome), byte(w.Missing))
	b = le.AppendUint32(b, w.MissingModule)
	b = le.AppendUint64(b, w.MissingNumber)
	b = le.AppendUint64(b, w.Regs.PC)
	b = le.AppendUint64(b, w.Base)
	b = le.AppendUint32(b, w.Regs.Known)
	first := uint32(0)
	if w.First {
		first = 1
	}
	b = le.AppendUint32(b, first)
	b = le.AppendUint64(b, uint64(len(w.Stack)))
	for _, f := range w.Frames {
		b = le.AppendUint64(b, f)
	}
	if w.Stuck {
		for _, r := range w.Regs.R {
			b = le.AppendUint64(b, r)
		}
		b = append(b, w.Stack...)
	}
	return b
}

// Walks come back as they were written, with the kernel's padding and in a Walked that was used before; any cut is refused.
func TestDecodeWalk(t *testing.T) {
	var got Walked
	rapid.Check(t, func(t *rapid.T) {
		u64, u32 := rapid.Uint64(), rapid.Uint32()
		want := Walked{
			IP: u64.Draw(t, "ip"), PID: u32.Draw(t, "pid"), TID: u32.Draw(t, "tid"),
			Space:   SpaceKey{u64.Draw(t, "mm"), u32.Draw(t, "tgid"), u32.Draw(t, "exec")},
			Frames:  rapid.SliceOfN(u64, 0, 20).Draw(t, "frames"),
			Outcome: unwind.Outcome(rapid.IntRange(0, int(unwind.OtherWidth)).Draw(t, "outcome")),
			Missing: Missing(rapid.IntRange(0, int(MissingChunk)).Draw(t, "missing")),
		}
		if want.Stuck = want.Missing != NothingMissing; want.Stuck {
			want.First = rapid.Bool().Draw(t, "first")
			want.Base, want.Regs.PC = u64.Draw(t, "base"), u64.Draw(t, "pc")
			for _, r := range rapid.SliceOfNDistinct(rapid.Uint8Range(0, 31), 0, 32, rapid.ID).Draw(t, "known") {
				want.Regs.Set(r, u64.Draw(t, "register"))
			}
			want.Stack = rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "stack")
			if want.Missing == MissingChunk {
				want.MissingModule, want.MissingNumber = u32.Draw(t, "module"), u64.Draw(t, "number")
			}
		}
		raw := encodeWalk(&want)
		padded := append(slices.Clone(raw), make([]byte, rapid.IntRange(0, 7).Draw(t, "padding"))...)
		if err := DecodeWalk(padded, &got); err != nil {
			t.Fatal(err)
		}
		if len(want.Frames) == 0 {
			want.Frames = got.Frames[:0]
		}
		if len(want.Stack) == 0 {
			want.Stack = got.Stack
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		if cut := rapid.IntRange(0, len(raw)-1).Draw(t, "cut"); DecodeWalk(raw[:cut], &got) == nil {
			t.Fatalf("%d of %d bytes were taken for a walk", cut, len(raw))
		}
	})
}

func TestDecodeWalkRefuses(t *testing.T) {
	good := func() []byte { return encodeWalk(&Walked{Missing: MissingSpace, Stuck: true}) }
	for _, c := range []struct {
		name, want string
		spoil      func(b []byte) []byte
	}{
		{"more frames than there can be", "1025 frames", func(b []byte) []byte { binary.LittleEndian.PutUint16(b[32:], maxFrames+1); return b }},
		{"an outcome that is none", "outcome 11", func(b []byte) []byte { b[34] = byte(unwind.OtherWidth) + 1; return b }},
		{"something unknown missing", "missing 4", func(b []byte) []byte { b[35] = 4; return b }},
		{"a copy that is too long", "at most 24576", func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b[72:], math.MaxUint64)
			return b
		}},
		{"more than padding", "should have 336", func(b []byte) []byte { return append(b, make([]byte, 8)...) }},
	} {
		if err := DecodeWalk(c.spoil(good()), new(Walked)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func FuzzDecodeWalk(f *testing.F) {
	f.Add([]byte{})
	f.Add(encodeWalk(&Walked{Frames: []uint64{1, 2}, Outcome: unwind.Deep}))
	f.Add(encodeWalk(&Walked{Frames: []uint64{1}, Stuck: true, Missing: MissingChunk, Stack: make([]byte, 24)}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var w Walked
		if err := DecodeWalk(raw, &w); err != nil {
			return
		}
		again := encodeWalk(&w)
		var same Walked
		if err := DecodeWalk(again, &same); err != nil {
			t.Fatalf("what was written of %+v is refused: %v", w, err)
		}
		if w.Stack == nil {
			same.Stack = nil
		}
		if !reflect.DeepEqual(w, same) {
			t.Fatalf("%+v\nbecame %+v", w, same)
		}
	})
}
