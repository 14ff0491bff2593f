package perfdata

import (
	"encoding/binary"
	"math/bits"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/perfring"
)

// anyEvent is an event with any fields in its samples, but its id where perf has it.
func anyEvent(t *rapid.T, id uint64) builtEvent {
	word := rapid.Uint64()
	a := perfring.Attr{
		Type: rapid.Uint32Range(0, 8).Draw(t, "type"), Config: word.Draw(t, "config"), Sample: 1 + word.Draw(t, "period")>>1,
		SampleFormat: perfring.SampleFormat(word.Draw(t, "fields"))&(1<<25-1) | perfring.SampleIdentifier | perfring.SampleTime,
		ReadFormat:   perfring.ReadFormat(word.Draw(t, "read")) & 31 &^ perfring.ReadID,
		Flags:        perfring.Flags(word.Draw(t, "flags"))&(1<<40-1)&^(3<<15)&^perfring.FlagFreq | perfring.FlagSampleIDAll,
		PreciseIP:    uint8(rapid.IntRange(0, 3).Draw(t, "precise")),
		RegsUser:     word.Draw(t, "user registers"), RegsIntr: word.Draw(t, "registers"),
		StackUser: rapid.Uint32().Draw(t, "stack"), ClockID: rapid.Int32().Draw(t, "clock"), MaxStack: rapid.Uint16().Draw(t, "depth"),
	}
	if a.SampleFormat&perfring.SampleWeight != 0 {
		a.SampleFormat &^= perfring.SampleWeightStruct
	}
	if rapid.Bool().Draw(t, "branch index") {
		a.BranchFormat = 1 << 17
	}
	return builtEvent{attr: a, ids: []uint64{id, id + 1}, size: 144}
}

// anySample is a sample of such an event.
func anySample(t *rapid.T, e *builtEvent, time uint64) perfring.Sample {
	word := rapid.Uint64()
	words := func(name string, n int) []uint64 { return rapid.SliceOfN(word, n, n).Draw(t, name) }
	some := func(name string) []uint64 { return rapid.SliceOfN(word, 0, 5).Draw(t, name) }
	blob := func(name string, n int) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name) }
	f := words("fields", 16)
	s := perfring.Sample{Header: perfring.Header{Misc: uint16(f[0] & 7)}, ID: e.ids[f[1]&1], Time: time, IP: f[2], PID: uint32(f[3]), TID: uint32(f[3] >> 32),
		Addr: f[4], StreamID: f[5], CPU: uint32(f[6] & 3), Period: f[7], Enabled: f[8], Running: f[9], Callchain: some("callchain"),
		RawData: blob("raw", 4+8*int(f[10]&3)), BranchHWIndex: f[10], UserRegsABI: 2, IntrRegsABI: f[11] & 1, UserStack: blob("stack", 8*int(f[11]&3)),
		Weight: f[12], WeightVar1: uint32(f[12]), WeightVar2: uint16(f[13]), WeightVar3: uint16(f[13] >> 16), DataSrc: f[13], Transaction: f[14],
		PhysAddr: f[15], CGroup: f[0], DataPageSize: f[1], CodePageSize: f[2], Aux: blob("aux", 8*int(f[12]&3))}
	s.UserRegs = words("user registers", bits.OnesCount64(e.attr.RegsUser))
	if s.IntrRegsABI != 0 {
		s.IntrRegs = words("registers", bits.OnesCount64(e.attr.RegsIntr))
	}
	n := 1
	if e.attr.ReadFormat&perfring.ReadGroup != 0 {
		n = int(f[14] & 3)
	}
	for range n {
		v := words("counter", 3)
		s.Read = append(s.Read, perfring.ReadValue{Value: v[0], ID: v[1], Lost: v[2]})
	}
	for range f[15] & 3 {
		v := words("branch", 3)
		s.Branches = append(s.Branches, perfring.Branch{From: v[0], To: v[1], Flags: perfring.BranchFlags(v[2])})
	}
	return s
}

// Whatever events take samples of, both byte orders, pipe and compression give
// the same stream, and every sample comes out.
func TestAnyForm(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		events := []builtEvent{anyEvent(r, 10), anyEvent(r, 20)}
		type one struct {
			event int
			s     perfring.Sample
		}
		var all []one
		for i := range rapid.IntRange(1, 10).Draw(r, "samples") {
			event := rapid.IntRange(0, 1).Draw(r, "event")
			all = append(all, one{event, anySample(r, &events[event], uint64(100+i))})
		}
		build := func(order binary.ByteOrder) *built {
			f := &built{order: order, events: events}
			for _, o := range all {
				f.sample(o.event, o.s)
			}
			return f
		}
		var want, got transcript
		_, result := readFile(t, build(binary.LittleEndian).file(), &want)
		if total := result.Books.Total(); total.Samples != uint64(len(all)) || total.Bad != 0 {
			r.Fatalf("%d samples: %+v", len(all), total)
		}
		for name, b := range map[string][]byte{
			"file": build(binary.BigEndian).file(),
			"pipe": build(binary.BigEndian).piped(),
			"compressed": func() []byte {
				f := build(binary.LittleEndian)
				f.compress(t, 0, 2, rapid.IntRange(5, 500).Draw(r, "piece"), false)
				return f.file()
			}(),
		} {
			got = transcript{}
			readFile(t, b, &got)
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				r.Fatalf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// A compressor may end its frame at every flush, with the length and a checksum.
func TestFrames(t *testing.T) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true), zstd.WithSingleSegment(true))
	must(t, err)
	var want, got transcript
	plain := testFile(binary.LittleEndian)
	plain.records = plain.records[:8]
	readFile(t, plain.file(), &want)
	packed := testFile(binary.LittleEndian)
	packed.records = nil
	for i, rec := range plain.records {
		frame := w.EncodeAll(rec, nil)
		if i == 3 { // one without content
			frame = append(frame, 0x28, 0xb5, 0x2f, 0xfd, 0, 0x38, 1, 0, 0)
		}
		if i == 4 { // and a block without
			at := 4 + 1 + 1 // magic, descriptor, length
			frame = append(append(frame[:at:at], 0, 0, 0), frame[at:]...)
		}
		packed.record(recCompressed, 0, packed.enc().raw(frame[:5]...))
		packed.record(recCompressed, 0, packed.enc().raw(frame[5:]...))
	}
	_, r := readFile(t, packed.file(), &got)
	if diff := cmp.Diff(want.String(), got.String()); diff != "" || r.Truncated != -1 {
		t.Errorf("%+v (-want +got):\n%s", r, diff)
	}
	for name, spoil := range map[string]func([]byte){
		"magic": func(b []byte) { b[recordHeader]++ },
		"block": func(b []byte) { b[recordHeader+6] |= 6 },
	} {
		broken := testFile(binary.LittleEndian)
		broken.records = broken.records[:8]
		broken.record(recCompressed, 0, broken.enc().raw(w.EncodeAll(plain.records[5], nil)...))
		spoil(broken.records[8])
		_, r := readFile(t, broken.file(), &counter{})
		if r.Truncated < 0 || r.Reason == nil || r.Books.Total().Samples != 3 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
