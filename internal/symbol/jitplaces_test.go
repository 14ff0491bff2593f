package symbol

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestJITPlaces holds the blocks against a function for each address.
func TestJITPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const room = 4 * jitBlock
		var places jitPlaces
		var plain [room]*JITFunction
		put := func(start, size int) {
			f := &JITFunction{Range: Range{uint64(start), uint64(min(start+size, room))}}
			old := plain[f.Start:f.Limit]
			want := slices.ContainsFunc(old, func(f *JITFunction) bool { return f != nil })
			if got := places.put(f); got != want {
				t.Fatalf("%#x-%#x takes others' places: %v, want %v", f.Start, f.Limit, got, want)
			}
			for i := range old {
				old[i] = f
			}
		}
		if rapid.Bool().Draw(t, "full") { // several blocks, which only small pieces make
			for i := range room {
				put(room-1-i, 1)
			}
		}
		for range rapid.IntRange(0, 50).Draw(t, "n") {
			put(rapid.IntRange(0, room-1).Draw(t, "start"), rapid.IntRange(1, room).Draw(t, "size"))
		}
		for i, want := range plain {
			if got := places.find(uint64(i)); got != want {
				t.Fatalf("%#x: %v, want %v", i, got, want)
			}
		}
		end := uint64(0)
		for _, b := range places.blocks {
			if len(b) == 0 || len(b) >= jitBlock {
				t.Fatalf("a block of %d pieces", len(b))
			}
			for _, p := range b {
				if p.Start < end || p.Limit <= p.Start {
					t.Fatalf("%+v after %#x", p, end)
				}
				end = p.Limit
			}
		}
	})
}
