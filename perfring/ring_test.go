package perfring

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fakeRing is the kernel's side of a ring in plain memory.
type fakeRing struct {
	mem  []byte
	data []byte
	head uint64
}

func newFakeRing(size int) *fakeRing {
	page := os.Getpagesize()
	mem := alignedBytes(page + size)
	return &fakeRing{mem: mem, data: mem[page:]}
}

// start puts both ends at pos, as if that many bytes had gone through.
func (k *fakeRing) start(pos uint64) {
	k.head = pos
	binary.NativeEndian.PutUint64(k.mem[pageDataHead:], pos)
	binary.NativeEndian.PutUint64(k.mem[pageDataTail:], pos)
}

func (k *fakeRing) tail() uint64 { return binary.NativeEndian.Uint64(k.mem[pageDataTail:]) }

// write puts a record into the ring as the kernel does: not at all if there
// is no room.
func (k *fakeRing) write(record []byte) bool {
	if uint64(len(record)) > uint64(len(k.data))-(k.head-k.tail()) {
		return false
	}
	for _, c := range record {
		k.data[k.head%uint64(len(k.data))] = c
		k.head++
	}
	binary.NativeEndian.PutUint64(k.mem[pageDataHead:], k.head)
	return true
}

func (k *fakeRing) open(t testing.TB) *Ring {
	t.Helper()
	r, err := NewRing(k.mem)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// plain is a record of size bytes whose payload counts up from seed.
func plain(size int, seed byte) []byte {
	b := alignedBytes(size)
	binary.NativeEndian.PutUint32(b, uint32(RecordComm))
	binary.NativeEndian.PutUint16(b[6:], uint16(size))
	for i := headerSize; i < size; i++ {
		b[i] = seed + byte(i)
	}
	return b
}

func drained(r *Ring) (records [][]byte) {
	r.Drain(func(record []byte) { records = append(records, bytes.Clone(record)) })
	return records
}

func TestRingWrap(t *testing.T) {
	// The second record lies across the end of the ring, and both ends
	// of the ring across the end of 64 bits.
	for _, start := range []uint64{0, 40, 1 << 40, 1<<64 - 64} {
		k := newFakeRing(64)
		k.start(start)
		r := k.open(t)
		want := [][]byte{plain(16, 1), plain(40, 2), plain(8, 3)}
		for _, record := range want {
			if !k.write(record) {
				t.Fatal("no room")
			}
		}
		if got := r.Pending(); got != 64 {
			t.Errorf("start %#x: %d bytes pending, want 64", start, got)
		}
		got := drained(r)
		if len(got) != len(want) {
			t.Fatalf("start %#x: %d records, want %d", start, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("start %#x: record %d is %x, want %x", start, i, got[i], want[i])
			}
		}
		if k.tail() != start+64 || r.Pending() != 0 || r.Bad != 0 {
			t.Errorf("start %#x: tail %#x, pending %d, bad %d", start, k.tail(), r.Pending(), r.Bad)
		}
	}
}

// What arrives during a drain waits for the next, and space is freed at its
// end only: otherwise a busy kernel keeps a drain going for ever.
func TestRingDrainsWhatWasThere(t *testing.T) {
	k := newFakeRing(64)
	r := k.open(t)
	k.write(plain(24, 1))
	k.write(plain(24, 2))
	n := r.Drain(func([]byte) {
		if k.tail() != 0 {
			t.Error("space was freed during the drain")
		}
		k.write(plain(16, 3))
	})
	if n != 2 || k.tail() != 48 || r.Pending() != 16 {
		t.Errorf("%d records, tail %d, pending %d, want 2, 48, 16", n, k.tail(), r.Pending())
	}
	if got := drained(r); len(got) != 1 || !bytes.Equal(got[0], plain(16, 3)) {
		t.Errorf("got %x", got)
	}
}

func TestRingCorruption(t *testing.T) {
	sized := func(size uint16) []byte {
		b := plain(16, 0)
		binary.NativeEndian.PutUint16(b[6:], size)
		return b
	}
	for _, c := range []struct {
		name      string
		corrupt   func(k *fakeRing)
		records   int
		badBytes  uint64
		afterward uint64 // tail
	}{
		{"size 0", func(k *fakeRing) { k.write(sized(0)) }, 1, 16, 40},
		{"size below a header", func(k *fakeRing) { k.write(sized(7)) }, 1, 16, 40},
		{"odd size", func(k *fakeRing) { k.write(sized(12)) }, 1, 16, 40},
		{"size beyond head", func(k *fakeRing) { k.write(sized(24)) }, 1, 16, 40},
		{"good one after a bad one", func(k *fakeRing) { k.write(sized(0)); k.write(plain(8, 0)) }, 1, 24, 48},
		{"head too far", func(k *fakeRing) { binary.NativeEndian.PutUint64(k.mem[pageDataHead:], 72) }, 0, 64, 72},
		{"head before tail", func(k *fakeRing) { binary.NativeEndian.PutUint64(k.mem[pageDataTail:], 128) }, 0, 64, 24},
		{"crooked head", func(k *fakeRing) { binary.NativeEndian.PutUint64(k.mem[pageDataHead:], 20) }, 0, 20, 20},
	} {
		k := newFakeRing(64)
		r := k.open(t)
		k.write(plain(24, 0))
		c.corrupt(k)
		got := drained(r)
		if len(got) != c.records || r.Bad != 1 || r.BadBytes != c.badBytes || k.tail() != c.afterward {
			t.Errorf("%s: %d records, bad %d (%d bytes), tail %d; want %d, 1 (%d bytes), %d",
				c.name, len(got), r.Bad, r.BadBytes, k.tail(), c.records, c.badBytes, c.afterward)
		}
		if r.Drain(func([]byte) {}) != 0 || r.Bad != 1 {
			t.Errorf("%s: an empty ring gave something: bad %d", c.name, r.Bad)
		}
	}
}

func TestNewRingRefuses(t *testing.T) {
	page := uint64(os.Getpagesize())
	for _, c := range []struct {
		size         int
		offset, data uint64
		want         string
	}{
		{100, 0, 0, "no metadata page"},
		{int(page), 0, 0, "power of two"},
		{int(page) + 48, 0, 0, "power of two"},
		{int(page) + 64, 0, 128, "power of two"},
		{int(page) + 64, 0, 4, "power of two"},
		{int(page) + 64, 64, 64, "offset 64 of"},
		{int(page) + 64, page + 4, 32, "data at offset"},
		{int(page) + 64, 1 << 60, 64, "data at offset"},
		{int(page) + 64, page, 1 << 63, "power of two"},
	} {
		mem := alignedBytes(c.size)
		if c.size > pageEnd {
			binary.NativeEndian.PutUint64(mem[pageDataOffset:], c.offset)
			binary.NativeEndian.PutUint64(mem[pageDataSize:], c.data)
		}
		if _, err := NewRing(mem); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
	if _, err := NewRing(alignedBytes(int(page) + 72)[4:]); err == nil || !strings.Contains(err.Error(), "aligned") {
		t.Errorf("crooked memory: got %v", err)
	}
}

// A ring may have an AUX area or anything else behind its data.
func TestRingTakesItsPartOnly(t *testing.T) {
	page := os.Getpagesize()
	mem := alignedBytes(3 * page)
	binary.NativeEndian.PutUint64(mem[pageDataOffset:], uint64(page))
	binary.NativeEndian.PutUint64(mem[pageDataSize:], 64)
	r, err := NewRing(mem)
	if err != nil || r.Size() != 64 {
		t.Errorf("size %d, %v, want 64", r.Size(), err)
	}
}

func TestRingProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k := newFakeRing(8 << rapid.IntRange(3, 12).Draw(rt, "size"))
		k.start(rapid.Uint64().Draw(rt, "start") &^ 7)
		r := k.open(t)
		var want, got [][]byte
		for range rapid.IntRange(1, 20).Draw(rt, "batches") {
			for range rapid.IntRange(0, 20).Draw(rt, "records") {
				size := 8 * rapid.IntRange(1, len(k.data)/8).Draw(rt, "words")
				record := plain(size, rapid.Byte().Draw(rt, "seed"))
				if k.write(record) {
					want = append(want, record)
				}
			}
			got = append(got, drained(r)...)
		}
		if len(got) != len(want) || r.Bad != 0 {
			rt.Fatalf("%d records of %d, bad %d", len(got), len(want), r.Bad)
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				rt.Fatalf("record %d: got %x, want %x", i, got[i], want[i])
			}
		}
	})
}

// Whatever the memory holds, every byte between tail and head is either in a
// record or counted as bad, and the ring is empty afterwards.
func FuzzRing(f *testing.F) {
	f.Add(uint64(0), uint64(24), append(plain(16, 1), plain(8, 2)...))
	f.Add(uint64(56), uint64(88), append(plain(16, 1), plain(24, 2)...))
	f.Add(uint64(1), uint64(24), []byte{})
	f.Fuzz(func(t *testing.T, tail, head uint64, data []byte) {
		k := newFakeRing(256)
		k.start(tail)
		binary.NativeEndian.PutUint64(k.mem[pageDataHead:], head)
		copy(k.data, data)
		r := k.open(t)
		total := uint64(0)
		n := r.Drain(func(record []byte) {
			if len(record) < headerSize || len(record) != int(binary.NativeEndian.Uint16(record[6:])) {
				t.Fatalf("record of %d bytes: %x", len(record), record)
			}
			total += uint64(len(record))
		})
		if want := min(head-tail, 256); total+r.BadBytes != want || r.Bad > 1 || n > 32 {
			t.Fatalf("%d bytes of records and %d bad ones of %d", total, r.BadBytes, want)
		}
		if k.tail() != head {
			t.Fatalf("tail %d, want %d", k.tail(), head)
		}
	})
}
