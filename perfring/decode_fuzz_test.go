package perfring

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDecodeAllocatesNothing(t *testing.T) {
	a := Attr{
		SampleFormat: SampleIdentifier | SampleIP | SampleTID | SampleTime | SampleRead | SampleCallchain | SampleBranchStack,
		ReadFormat:   ReadGroup | ReadID,
		Flags:        FlagSampleIDAll,
	}
	b := a
	b.SampleFormat &^= SampleCallchain
	s := Sample{ID: 1, Callchain: counted(64, 1), Read: make([]ReadValue, 4), Branches: make([]Branch, 4)}
	first := encodeSample(&a, &s)
	s.ID = 2
	second := encodeSample(&b, &s)
	comm := encode(RecordComm, 0, append([]any{uint32(1), uint32(2), "sh"}, encodeTrailer(&a, SampleID{ID: 1})...)...)
	d := decoderOf(t, &a, 1)
	if err := d.Add(&b, 2); err != nil {
		t.Fatal(err)
	}
	k := newFakeRing(1 << 16)
	r := k.open(t)
	n := testing.AllocsPerRun(50, func() {
		for _, raw := range [][]byte{first, second, comm, first} {
			k.write(raw)
		}
		r.Drain(func(raw []byte) {
			if _, err := d.Decode(raw); err != nil {
				t.Fatal(err)
			}
		})
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// No bytes and no event make the decoder panic, read beyond the record or
// depend on what it decoded before.
func FuzzDecode(f *testing.F) {
	a := Attr{SampleFormat: SampleIdentifier | SampleIP | SampleTime | SampleCallchain, Flags: FlagSampleIDAll}
	add := func(a Attr, records ...[]byte) {
		attr, err := a.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		var ring []byte
		for _, raw := range records {
			ring = append(ring, raw...)
		}
		f.Add(attr, ring)
	}
	add(a, encode(RecordSample, 0, []uint64{1, 2, 3, 2, 4, 5}), encode(RecordLost, 0, []uint64{1, 2, 3, 4}))
	a.SampleFormat = sampleEnd - 1 - SampleWeight
	a.BranchFormat = 5 << 17 // hardware index and counters
	a.RegsUser, a.RegsIntr = 3, 3
	a.ReadFormat = readEnd - 1
	add(a, encodeSample(&a, &Sample{Callchain: counted(3, 1), Read: make([]ReadValue, 2), UserStack: make([]byte, 8)}))
	f.Fuzz(func(t *testing.T, attr, ring []byte) {
		var a Attr
		if a.UnmarshalBinary(attr) != nil {
			return
		}
		// Alone, and beside an event of another shape if the two can go together.
		for _, beside := range []bool{false, true} {
			fuzzRecords(t, ring, func() *Decoder {
				d := NewDecoder()
				if d.Add(&a, 0, 1, 2, 3) != nil {
					return nil
				}
				other := Attr{SampleFormat: SampleIdentifier | SampleCPU | SampleRead | SampleRaw, Flags: FlagSampleIDAll}
				if beside && d.Add(&other, 4, 5, 6, 7) != nil {
					return nil
				}
				return d
			})
		}
	})
}

func fuzzRecords(t *testing.T, ring []byte, newDecoder func() *Decoder) {
	d := newDecoder()
	if d == nil {
		return
	}
	k := newFakeRing(1 << 12)
	copy(k.data, ring)
	binary.NativeEndian.PutUint64(k.mem[pageDataHead:], uint64(min(len(ring), len(k.data))&^7))
	k.open(t).Drain(func(raw []byte) {
		got, err := d.Decode(raw)
		d.Time(raw)
		want, freshErr := newDecoder().Decode(raw)
		if (err == nil) != (freshErr == nil) || (err == nil) != (got != nil) {
			t.Fatalf("got %v, %v; alone %v, %v", got, err, want, freshErr)
		}
		var bad *DecodeError
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("error %v is no DecodeError", err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err == nil && diff != "" {
			t.Fatal(diff)
		}
	})
}
