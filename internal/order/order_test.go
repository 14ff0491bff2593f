package order

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// item is a record in the tests: what was added, in order of arrival.
type item struct {
	Stream  int
	Time    uint64
	Arrival int
}

// bytes is a record whose content and length identify it.
func (it item) bytes() []byte {
	b := make([]byte, 24+8*(it.Arrival%5))
	binary.LittleEndian.PutUint64(b, it.Time)
	binary.LittleEndian.PutUint64(b[8:], uint64(it.Arrival))
	return b
}

func collectInto(t interface{ Fatalf(string, ...any) }, got *[]item) func(int, []byte) {
	return func(stream int, b []byte) {
		if uintptr(unsafe.Pointer(&b[0]))%8 != 0 {
			t.Fatalf("record of stream %d is not 8-byte aligned", stream)
		}
		it := item{stream, binary.LittleEndian.Uint64(b), int(binary.LittleEndian.Uint64(b[8:]))}
		if want := it.bytes(); !slices.Equal(b, want) {
			t.Fatalf("record %+v was delivered as % x, want % x", it, b, want)
		}
		*got = append(*got, it)
	}
}

// sorted is the specification: all items by time, then stream, then arrival.
func sorted(items []item) []item {
	s := slices.Clone(items)
	slices.SortStableFunc(s, func(a, b item) int {
		if a.Time != b.Time {
			if a.Time < b.Time {
				return -1
			}
			return 1
		}
		return a.Stream - b.Stream
	})
	return s
}

func TestFlushOrder(t *testing.T) {
	m := New(0)
	var got []item
	deliver := collectInto(t, &got)
	add := func(stream int, time uint64, arrival int) {
		m.Add(stream, time, item{stream, time, arrival}.bytes())
	}
	add(1, 10, 0)
	add(1, 10, 1) // equal times of one stream keep their arrival
	add(0, 10, 2) // and go behind a smaller stream
	add(0, 30, 3)
	add(0, 20, 4) // an inversion inside a ring
	add(2, 25, 5)
	m.Flush(25, deliver)
	want := []item{{0, 10, 2}, {1, 10, 0}, {1, 10, 1}, {0, 20, 4}}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("Flush(25) (-want +got):\n%s", d)
	}

	got = got[:0]
	add(2, 24, 6) // before the horizon: late
	add(2, 25, 7) // at the horizon: not
	m.Flush(26, deliver)
	if d := cmp.Diff([]item{{2, 24, 6}, {2, 25, 5}, {2, 25, 7}}, got); d != "" {
		t.Errorf("Flush(26) (-want +got):\n%s", d)
	}
	got = got[:0]
	add(0, math.MaxUint64, 8)
	m.Flush(math.MaxUint64, deliver)
	if d := cmp.Diff([]item{{0, 30, 3}, {0, math.MaxUint64, 8}}, got); d != "" {
		t.Errorf("last flush (-want +got):\n%s", d)
	}
	if m.Late != 1 || m.Forced != 0 || m.Bytes() != 0 {
		t.Errorf("late %d, forced %d, bytes %d; want 1, 0, 0", m.Late, m.Forced, m.Bytes())
	}
}

// Rounds of adds and flushes deliver exactly what a stable sort of everything gives, as long as no
// record is older than the horizon of its round; those that are get counted and delivered.
func TestFlushIsAStableSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := New(0)
		late := rapid.Bool().Draw(t, "late")
		var all, got []item
		var wantLate, horizon uint64
		deliver := collectInto(t, &got)
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			for range rapid.IntRange(0, 120).Draw(t, "records") {
				low := horizon
				if late {
					low = 0
				}
				it := item{
					Stream:  rapid.IntRange(0, 5).Draw(t, "stream"),
					Time:    rapid.Uint64Range(low, horizon+50).Draw(t, "time"),
					Arrival: len(all),
				}
				if it.Time < horizon {
					wantLate++
				}
				all = append(all, it)
				m.Add(it.Stream, it.Time, it.bytes())
			}
			horizon += rapid.Uint64Range(0, 40).Draw(t, "advance")
			m.Flush(horizon, deliver)
		}
		m.Flush(math.MaxUint64, deliver)

		want := sorted(all)
		if m.Late != wantLate {
			t.Fatalf("late %d, want %d", m.Late, wantLate)
		}
		if late {
			got = sorted(got) // each record exactly once is all that can be asked for
			slices.SortStableFunc(got, func(a, b item) int { return a.Arrival - b.Arrival })
			want = all
		}
		if len(got) != len(want) {
			t.Fatalf("delivered %d of %d records", len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("record %d is %+v, want %+v", i, got[i], want[i])
			}
		}
		if m.Bytes() != 0 {
			t.Fatalf("%d bytes held after the last flush", m.Bytes())
		}
	})
}

// A stream in reverse order is the worst case for insertion and must take the sorting path.
func TestReversedStream(t *testing.T) {
	m := New(1 << 24)
	var all, got []item
	for i := range 5000 {
		it := item{0, uint64(5000-i) / 2, i}
		all = append(all, it)
		m.Add(0, it.Time, it.bytes())
	}
	m.Flush(math.MaxUint64, collectInto(t, &got))
	if d := cmp.Diff(sorted(all), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestRelieveBoundsMemory(t *testing.T) {
	const limit = 1 << 20
	m := New(limit)
	var delivered, last uint64
	deliver := func(_ int, b []byte) {
		time := binary.LittleEndian.Uint64(b)
		if time < last {
			t.Fatalf("time %d after %d", time, last)
		}
		delivered, last = delivered+1, time
	}
	record := make([]byte, 4096)
	const n = 5000
	for i := range uint64(n) {
		binary.LittleEndian.PutUint64(record, i)
		m.Add(int(i%3), i, record)
		if m.Full() {
			m.Relieve(deliver)
			if m.Bytes() > limit/2 {
				t.Fatalf("%d bytes held after Relieve, limit %d", m.Bytes(), limit)
			}
		}
	}
	if m.Forced == 0 || m.Forced != delivered || m.Late != 0 {
		t.Errorf("forced %d, delivered %d, late %d", m.Forced, delivered, m.Late)
	}
	if chunks := len(m.arena.chunks); chunks*chunkBytes > limit+chunkBytes {
		t.Errorf("%d chunks taken, limit %d", chunks, limit/chunkBytes)
	}
	m.Add(0, last-1, record)
	if m.Late != 1 {
		t.Errorf("late %d after a record older than a forced one, want 1", m.Late)
	}
	m.Flush(math.MaxUint64, func(int, []byte) { delivered++ })
	if delivered != n+1 {
		t.Errorf("delivered %d of %d", delivered, n+1)
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	round := newRounds(8)
	for range 4 {
		round.run()
	}
	if n := testing.AllocsPerRun(20, round.run); n != 0 {
		t.Errorf("%v allocations per round of %d records", n, round.records())
	}
}

// rounds feeds a Merge as the session does: every ring once a round, flushed one round behind.
type rounds struct {
	m       *Merge
	streams int
	now     uint64
	sum     uint64
	record  []byte
}

const perRing = 250 // 1 kHz for a tick of 250 ms

func newRounds(streams int) *rounds {
	return &rounds{m: New(64 << 20), streams: streams, now: 1 << 30, record: make([]byte, 328)}
}

func (r *rounds) records() int { return r.streams * perRing }

func (r *rounds) run() {
	const period = 1_000_000
	for s := range r.streams {
		for i := range uint64(perRing) {
			time := r.now + i*period + uint64(s)*1237
			if i%50 == 49 {
				time -= period + 10 // an inversion now and then
			}
			r.m.Add(s, time, r.record)
		}
	}
	r.m.Flush(r.now-2*period, func(s int, b []byte) { r.sum += uint64(s) + uint64(len(b)) })
	r.now += perRing * period
}

func BenchmarkMerge(b *testing.B) {
	for _, bench := range []struct {
		name    string
		streams int
	}{{"1ring", 1}, {"8rings", 8}, {"128rings", 128}} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRounds(bench.streams)
			r.run()
			r.run()
			b.ReportAllocs()
			b.SetBytes(int64(r.records() * len(r.record)))
			for b.Loop() {
				r.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*r.records()), "ns/record")
		})
	}
}
