package perfdata

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// held is a record in the tests: its time, and its place among all.
type held struct{ Time, Arrival uint64 }

// put writes a record into the window, as a source does, and gives it to h.
func (h *hold) put(w *window, r held, size int) {
	b := w.room(size)
	binary.NativeEndian.PutUint64(b, uint64(size)<<48)
	binary.NativeEndian.PutUint64(b[8:], r.Time)
	binary.NativeEndian.PutUint64(b[16:], r.Arrival)
	w.end += size
	w.start += size
	h.add(r.Time, w.at, w.start-size)
}

func take(into *[]held) func([]byte) {
	return func(b []byte) {
		*into = append(*into, held{binary.NativeEndian.Uint64(b[8:]), binary.NativeEndian.Uint64(b[16:])})
	}
}

func byTime(a, b held) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Arrival, b.Arrival))
}

// A flush delivers what is due in the order of time, equal times in the order of
// arrival, and the rest stays; in the end nothing is held and no memory is lost.
func TestHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &pool{size: 256}
		h := hold{pool: p, max: math.MaxInt}
		w := window{pool: p}
		var all, got, want []held
		arrival := uint64(0)
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			base := rapid.Uint64Range(1, 50).Draw(t, "base")
			for range rapid.IntRange(0, 3).Draw(t, "rings") {
				at := base
				for range rapid.IntRange(0, 60).Draw(t, "records") {
					// A ring is nearly in order, or not at all.
					at = uint64(max(1, int64(at)+rapid.Int64Range(-3, 9).Draw(t, "step")))
					arrival++
					all = append(all, held{at, arrival})
					h.put(&w, held{at, arrival}, 24+8*int(arrival%3))
				}
			}
			until := rapid.Uint64Range(1, 100).Draw(t, "until")
			h.flush(until, take(&got))
			slices.SortFunc(all, byTime)
			due, _ := slices.BinarySearchFunc(all, until+1, func(r held, t uint64) int { return cmp.Compare(r.Time, t) })
			want, all = append(want, all[:due]...), slices.Clone(all[due:])
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("until %d (-want +got):\n%s", until, diff)
			}
		}
		h.flush(math.MaxUint64, take(&got))
		slices.SortFunc(all, byTime)
		if diff := gocmp.Diff(append(want, all...), got); diff != "" {
			t.Fatalf("in the end (-want +got):\n%s", diff)
		}
		w.done()
		if p.used != 0 || len(h.entries) != 0 || len(h.runs) != 0 {
			t.Fatalf("%d bytes in use, %d entries, %d runs", p.used, len(h.entries), len(h.runs))
		}
	})
}

// Without rounds the oldest go first when there is no more room, each once, and
// memory stays within the limit.
func TestRelieve(t *testing.T) {
	const limit = 1 << 16
	rapid.Check(t, func(t *rapid.T) {
		p := &pool{size: 4096}
		h := hold{pool: p, max: limit}
		w := window{pool: p}
		var got []held
		n := rapid.IntRange(1, 5000).Draw(t, "records")
		spread := rapid.Uint64Range(1, 1000).Draw(t, "spread")
		rnd := rapid.Uint64().Draw(t, "seed")
		for i := range n {
			rnd = rnd*6364136223846793005 + 1442695040888963407
			h.put(&w, held{uint64(i) + rnd>>33%spread + 1, uint64(i)}, 64)
			if h.full() {
				h.relieve(take(&got))
			}
			if b := h.bytes(); b > limit+4096 {
				t.Fatalf("%d bytes are held", b)
			}
		}
		h.flush(math.MaxUint64, take(&got))
		if len(got) != n {
			t.Fatalf("%d of %d records came out", len(got), n)
		}
		sorted := slices.IsSortedFunc(got, func(a, b held) int { return cmp.Compare(a.Time, b.Time) })
		if sorted != (h.late == 0) {
			t.Fatalf("sorted: %v, late: %d", sorted, h.late)
		}
		slices.SortFunc(got, func(a, b held) int { return cmp.Compare(a.Arrival, b.Arrival) })
		for i, r := range got {
			if r.Arrival != uint64(i) {
				t.Fatalf("record %d came out as %d", i, r.Arrival)
			}
		}
	})
}
