package perfring

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func decoderOf(t testing.TB, a *Attr, ids ...uint64) *Decoder {
	t.Helper()
	d := NewDecoder()
	if err := d.Add(a, ids...); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSampleFields has the bytes of each field by hand, between a field
// before it and one after it.
func TestSampleFields(t *testing.T) {
	const (
		before = uint64(0xb)
		after  = uint64(0xa)
	)
	branches := []uint64{1, 2, 3, 4, 5, 6}
	twoBranches := []Branch{{1, 2, 3}, {4, 5, 6}}
	for _, c := range []struct {
		name string
		attr Attr
		body []any
		want Sample
	}{
		{"addr", Attr{SampleFormat: SampleAddr}, []any{uint64(5)}, Sample{Addr: 5}},
		{"period", Attr{SampleFormat: SamplePeriod}, []any{uint64(5)}, Sample{Period: 5}},
		{"tid", Attr{SampleFormat: SampleTID}, []any{uint32(5), uint32(6)}, Sample{PID: 5, TID: 6}},
		{"cpu", Attr{SampleFormat: SampleCPU}, []any{uint32(5), uint32(99)}, Sample{CPU: 5}},
		{"id", Attr{SampleFormat: FormatID}, []any{uint64(5)}, Sample{ID: 5}},
		{"stream id", Attr{SampleFormat: SampleStreamID}, []any{uint64(5)}, Sample{StreamID: 5}},
		{"read, bare", Attr{SampleFormat: SampleRead}, []any{uint64(5)}, Sample{Read: []ReadValue{{Value: 5}}}},
		{"read, all", Attr{SampleFormat: SampleRead, ReadFormat: ReadTotalTimeEnabled | ReadTotalTimeRunning | ReadID | ReadLost},
			[]any{[]uint64{5, 6, 7, 8, 9}}, Sample{Read: []ReadValue{{5, 8, 9}}, Enabled: 6, Running: 7}},
		{"read, group", Attr{SampleFormat: SampleRead, ReadFormat: ReadGroup},
			[]any{[]uint64{2, 5, 6}}, Sample{Read: []ReadValue{{Value: 5}, {Value: 6}}}},
		{"read, group, all", Attr{SampleFormat: SampleRead, ReadFormat: readEnd - 1},
			[]any{[]uint64{2, 6, 7, 10, 11, 12, 20, 21, 22}},
			Sample{Read: []ReadValue{{10, 11, 12}, {20, 21, 22}}, Enabled: 6, Running: 7}},
		{"read, group, running and lost", Attr{SampleFormat: SampleRead, ReadFormat: ReadGroup | ReadTotalTimeRunning | ReadLost},
			[]any{[]uint64{1, 7, 10, 12}}, Sample{Read: []ReadValue{{Value: 10, Lost: 12}}, Running: 7}},
		{"callchain", Attr{SampleFormat: SampleCallchain}, []any{[]uint64{3, ContextUser, 1, 2}}, Sample{Callchain: []uint64{ContextUser, 1, 2}}},
		{"callchain, empty", Attr{SampleFormat: SampleCallchain}, []any{uint64(0)}, Sample{}},
		{"raw", Attr{SampleFormat: SampleRaw}, []any{uint32(12), []byte("abcdefghijkl")}, Sample{RawData: []byte("abcdefghijkl")}},
		{"branches", Attr{SampleFormat: SampleBranchStack}, []any{uint64(2), branches}, Sample{Branches: twoBranches}},
		{"branches, none", Attr{SampleFormat: SampleBranchStack}, []any{uint64(0)}, Sample{}},
		{"branches, index", Attr{SampleFormat: SampleBranchStack, BranchFormat: unix.PERF_SAMPLE_BRANCH_HW_INDEX},
			[]any{uint64(2), uint64(77), branches}, Sample{Branches: twoBranches, BranchHWIndex: 77}},
		{"branches, none, index", Attr{SampleFormat: SampleBranchStack, BranchFormat: unix.PERF_SAMPLE_BRANCH_HW_INDEX},
			[]any{uint64(0), uint64(77)}, Sample{BranchHWIndex: 77}},
		{"branches, none, index left out", Attr{SampleFormat: SampleBranchStack, BranchFormat: unix.PERF_SAMPLE_BRANCH_HW_INDEX},
			[]any{uint64(0)}, Sample{}},
		{"branches, counters", Attr{SampleFormat: SampleBranchStack, BranchFormat: unix.PERF_SAMPLE_BRANCH_COUNTERS},
			[]any{uint64(2), branches, []uint64{8, 9}}, Sample{Branches: twoBranches, BranchCounters: []uint64{8, 9}}},
		{"user regs", Attr{SampleFormat: SampleRegsUser, RegsUser: 0x8001}, []any{[]uint64{2, 8, 9}}, Sample{UserRegsABI: 2, UserRegs: []uint64{8, 9}}},
		{"user regs of a kernel thread", Attr{SampleFormat: SampleRegsUser, RegsUser: 0x8001}, []any{uint64(0)}, Sample{}},
		{"intr regs", Attr{SampleFormat: SampleRegsIntr, RegsIntr: 7}, []any{[]uint64{1, 8, 9, 10}}, Sample{IntrRegsABI: 1, IntrRegs: []uint64{8, 9, 10}}},
		{"stack", Attr{SampleFormat: SampleStackUser}, []any{uint64(16), []byte("0123456789abcdef"), uint64(5)}, Sample{UserStack: []byte("01234")}},
		{"stack, empty", Attr{SampleFormat: SampleStackUser}, []any{uint64(0)}, Sample{}},
		{"weight", Attr{SampleFormat: SampleWeight}, []any{uint64(1) << 40}, Sample{Weight: 1 << 40}},
		{"weight struct", Attr{SampleFormat: SampleWeightStruct}, []any{uint32(1), uint16(2), uint16(3)},
			Sample{Weight: 1, WeightVar1: 1, WeightVar2: 2, WeightVar3: 3}},
		{"data source", Attr{SampleFormat: SampleDataSrc}, []any{uint64(5)}, Sample{DataSrc: 5}},
		{"transaction", Attr{SampleFormat: SampleTransaction}, []any{uint64(5)}, Sample{Transaction: 5}},
		{"physical address", Attr{SampleFormat: SamplePhysAddr}, []any{uint64(5)}, Sample{PhysAddr: 5}},
		{"cgroup", Attr{SampleFormat: SampleCGroup}, []any{uint64(5)}, Sample{CGroup: 5}},
		{"data page size", Attr{SampleFormat: SampleDataPageSize}, []any{uint64(5)}, Sample{DataPageSize: 5}},
	} {
		c.attr.SampleFormat |= SampleTime | SampleCodePageSize
		// Time comes before all of these fields but the thread.
		parts := append([]any{before}, append(c.body, after)...)
		if c.name == "tid" {
			parts = append(c.body, before, after)
		}
		raw := encode(RecordSample, MiscUser, parts...)
		c.want.Header = Header{RecordSample, MiscUser, uint16(len(raw))}
		c.want.Time, c.want.CodePageSize = before, after
		d := decoderOf(t, &c.attr)
		got, err := d.Decode(raw)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(&c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
		if ns, ok := d.Time(raw); ns != before || !ok {
			t.Errorf("%s: time %d, %v", c.name, ns, ok)
		}
		// Without its last word that one is a sample whose index was left out.
		if c.name != "branches, none, index" {
			refusesEveryCut(t, c.name, d, raw)
		}
	}
}

// refusesEveryCut decodes raw as if it had been cut short by 8 bytes, 16, ....
func refusesEveryCut(t *testing.T, name string, d *Decoder, raw []byte) {
	t.Helper()
	for n := len(raw) - 8; n >= headerSize; n -= 8 {
		cut := alignedBytes(n)
		copy(cut, raw)
		binary.NativeEndian.PutUint16(cut[6:], uint16(n))
		var bad *DecodeError
		if rec, err := d.Decode(cut); !errors.As(err, &bad) || rec != nil {
			t.Errorf("%s: cut to %d of %d bytes: got %v, %v", name, n, len(raw), rec, err)
		}
	}
}

func TestSampleMalformed(t *testing.T) {
	for _, c := range []struct {
		attr   Attr
		body   []any
		field  string
		reason error
	}{
		{Attr{SampleFormat: SampleCallchain}, []any{^uint64(0), uint64(1)}, "callchain", ErrShort},
		{Attr{SampleFormat: SampleCallchain}, []any{uint64(1) << 61, uint64(1)}, "callchain", ErrShort},
		{Attr{SampleFormat: SampleRead, ReadFormat: ReadGroup}, []any{^uint64(0), uint64(1)}, "read", ErrShort},
		{Attr{SampleFormat: SampleRaw}, []any{^uint32(0), uint32(0)}, "raw", ErrShort},
		{Attr{SampleFormat: SampleRaw | SampleRegsUser, RegsUser: 1}, []any{uint32(0), uint64(1), uint64(1)}, "user registers", ErrMalformed},
		{Attr{SampleFormat: SampleBranchStack}, []any{uint64(1)<<62 + 1, uint64(0), uint64(0), uint64(0)}, "branch stack", ErrShort},
		{Attr{SampleFormat: SampleStackUser}, []any{^uint64(7), uint64(0)}, "user stack", ErrShort},
		{Attr{SampleFormat: SampleStackUser}, []any{uint64(8), uint64(0), uint64(9)}, "user stack", ErrMalformed},
		{Attr{SampleFormat: SampleAux}, []any{uint64(9), uint64(0)}, "aux", ErrShort},
		{Attr{SampleFormat: SampleIP | SampleCPU}, []any{uint64(9)}, "fixed fields", ErrShort},
	} {
		raw := encode(RecordSample, 0, c.body...)
		_, err := decoderOf(t, &c.attr).Decode(raw)
		var bad *DecodeError
		if !errors.As(err, &bad) || !errors.Is(err, c.reason) || *bad != (DecodeError{RecordSample, len(raw), c.field, c.reason}) {
			t.Errorf("%s: got %v, want %v", c.field, err, c.reason)
		}
	}
}

func TestBranchFlags(t *testing.T) {
	// mispred, predicted, in_tx, abort, cycles:16, type:4, spec:2, new_type:4, priv:3
	f := BranchFlags(1 | 0<<1 | 1<<2 | 0<<3 | 0xabcd<<4 | 6<<20 | 2<<24 | 9<<26 | 5<<30 | 1<<33)
	got := []any{f.Mispredicted(), f.Predicted(), f.InTransaction(), f.Abort(), f.Cycles(), f.Type(), f.Speculation(), f.NewType(), f.Privilege()}
	want := []any{true, false, true, false, uint16(0xabcd), uint8(6), uint8(2), uint8(9), uint8(5)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if f := BranchFlags(1<<1 | 1<<3); !f.Predicted() || !f.Abort() || f.Mispredicted() || f.InTransaction() {
		t.Error("predicted and abort are at the wrong bits")
	}
}

func drawSampleAttr(t *rapid.T) Attr {
	return Attr{
		SampleFormat: SampleFormat(rapid.Uint64Range(0, uint64(sampleEnd-1)).Draw(t, "format")),
		ReadFormat:   ReadFormat(rapid.Uint64Range(0, uint64(readEnd-1)).Draw(t, "read")),
		BranchFormat: rapid.SampledFrom([]uint64{0, unix.PERF_SAMPLE_BRANCH_HW_INDEX, unix.PERF_SAMPLE_BRANCH_COUNTERS,
			unix.PERF_SAMPLE_BRANCH_HW_INDEX | unix.PERF_SAMPLE_BRANCH_COUNTERS}).Draw(t, "branch"),
		RegsUser: rapid.Uint64Range(0, 255).Draw(t, "regs user"),
		RegsIntr: rapid.Uint64Range(0, 255).Draw(t, "regs intr"),
		Flags:    rapid.SampledFrom([]Flags{0, FlagSampleIDAll}).Draw(t, "flags"),
	}
}

func drawSample(t *rapid.T, a *Attr) Sample {
	n := func(name string) int { return rapid.IntRange(0, 5).Draw(t, name) }
	word := rapid.Uint64()
	// Weight and WeightStruct are one field; the kernel refuses both at once.
	if a.SampleFormat&SampleWeight != 0 {
		a.SampleFormat &^= SampleWeightStruct
	}
	s := Sample{
		IP: word.Draw(t, "ip"), PID: rapid.Uint32().Draw(t, "pid"), TID: 1, Time: word.Draw(t, "time"),
		Addr: 2, ID: word.Draw(t, "id"), StreamID: 3, CPU: rapid.Uint32().Draw(t, "cpu"), Period: 4, Enabled: 5, Running: 6,
		Callchain: counted(n("callchain"), 100), RawData: make([]byte, 4+8*n("raw")),
		BranchHWIndex: word.Draw(t, "hw index"), UserStack: make([]byte, rapid.IntRange(0, 17).Draw(t, "stack")),
		WeightVar1: 7, WeightVar2: 8, WeightVar3: 9, DataSrc: 10, Transaction: 11,
		PhysAddr: 12, CGroup: 13, DataPageSize: 14, CodePageSize: 15, Aux: make([]byte, 8*n("aux")),
		Weight: word.Draw(t, "weight"),
	}
	if a.ReadFormat&ReadGroup == 0 {
		s.Read = []ReadValue{{1, 2, 3}}
	} else {
		for range n("read") {
			s.Read = append(s.Read, ReadValue{word.Draw(t, "value"), 2, 3})
		}
	}
	for range n("branches") {
		s.Branches = append(s.Branches, Branch{1, 2, BranchFlags(word.Draw(t, "flags"))})
		s.BranchCounters = append(s.BranchCounters, 4)
	}
	if s.UserRegsABI = rapid.Uint64Range(0, 2).Draw(t, "user abi"); s.UserRegsABI != 0 {
		s.UserRegs = counted(ones(a.RegsUser), 200)
	}
	if s.IntrRegsABI = rapid.Uint64Range(0, 2).Draw(t, "intr abi"); s.IntrRegsABI != 0 {
		s.IntrRegs = counted(ones(a.RegsIntr), 300)
	}
	return s
}

// Random samples of random events go through a ring in random batches and
// come out as they were, also from memory that is not aligned.
func TestSampleProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := drawSampleAttr(rt)
		var want []Sample
		k := newFakeRing(4096)
		k.start(rapid.Uint64().Draw(rt, "start") &^ 7)
		r := k.open(t)
		for range rapid.IntRange(1, 4).Draw(rt, "samples") {
			s := drawSample(rt, &a)
			raw := encodeSample(&a, &s)
			if k.write(raw) {
				s.Header = Header{RecordSample, 0, uint16(len(raw))}
				want = append(want, clip(&a, s))
			}
		}
		straight, crooked := decoderOf(t, &a), decoderOf(t, &a)
		r.Drain(func(raw []byte) {
			for _, d := range []*Decoder{straight, crooked} {
				b := raw
				if d == crooked {
					b = append(alignedBytes(8)[:4], raw...)[4:]
				}
				got, err := d.Decode(b)
				if err != nil {
					rt.Fatalf("%+v: %v", want[0], err)
				}
				if diff := cmp.Diff(&want[0], got, cmpopts.EquateEmpty()); diff != "" {
					rt.Fatal(diff)
				}
				ns, ok := d.Time(b)
				if ns != want[0].Time || ok != (a.SampleFormat&SampleTime != 0) {
					rt.Fatalf("time %d, %v, want %d", ns, ok, want[0].Time)
				}
			}
			want = want[1:]
		})
		if len(want) != 0 {
			rt.Fatalf("%d samples did not come out", len(want))
		}
	})
}
