package perfring

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// Every field alone must land where the kernel's struct has it, in the
// smallest size that reaches it. x/sys generates its struct from the kernel's header.
func TestAttrPlaces(t *testing.T) {
	var k unix.PerfEventAttr
	for _, c := range []struct {
		name   string
		attr   Attr
		size   int
		offset uintptr
		bytes  []byte // little endian, as both architectures are
	}{
		{"type", Attr{Type: 0x01020304}, 64, unsafe.Offsetof(k.Type), []byte{4, 3, 2, 1}},
		{"config", Attr{Config: 0x0102}, 64, unsafe.Offsetof(k.Config), []byte{2, 1}},
		{"sample", Attr{Sample: 0x0102}, 64, unsafe.Offsetof(k.Sample), []byte{2, 1}},
		{"sample format", Attr{SampleFormat: SampleWeightStruct}, 64, unsafe.Offsetof(k.Sample_type), []byte{0, 0, 0, 1}},
		{"read format", Attr{ReadFormat: ReadLost}, 64, unsafe.Offsetof(k.Read_format), []byte{16}},
		{"flags", Attr{Flags: FlagDisabled | FlagMmapData | FlagSigtrap}, 64, unsafe.Offsetof(k.Bits), []byte{1, 0, 2, 0, 0x20}},
		{"defer", Attr{Flags: FlagDeferCallchain | FlagDeferOutput}, 64, unsafe.Offsetof(k.Bits), []byte{0, 0, 0, 0, 0xc0}},
		{"precise_ip", Attr{PreciseIP: 2}, 64, unsafe.Offsetof(k.Bits), []byte{0, 0, 1}},
		{"wakeup", Attr{Wakeup: 5}, 64, unsafe.Offsetof(k.Wakeup), []byte{5}},
		{"bp_type", Attr{BPType: 5}, 64, unsafe.Offsetof(k.Bp_type), []byte{5}},
		{"config1", Attr{Config1: 5}, 64, unsafe.Offsetof(k.Ext1), []byte{5}},
		{"config2", Attr{Config2: 5}, 72, unsafe.Offsetof(k.Ext2), []byte{5}},
		{"branch", Attr{BranchFormat: 5}, 80, unsafe.Offsetof(k.Branch_sample_type), []byte{5}},
		{"regs_user", Attr{RegsUser: 5}, 96, unsafe.Offsetof(k.Sample_regs_user), []byte{5}},
		{"stack_user", Attr{StackUser: 8}, 96, unsafe.Offsetof(k.Sample_stack_user), []byte{8}},
		{"clockid", Attr{ClockID: -2}, 96, unsafe.Offsetof(k.Clockid), []byte{0xfe, 0xff, 0xff, 0xff}},
		{"regs_intr", Attr{RegsIntr: 5}, 104, unsafe.Offsetof(k.Sample_regs_intr), []byte{5}},
		{"aux_watermark", Attr{AuxWatermark: 5}, 112, unsafe.Offsetof(k.Aux_watermark), []byte{5}},
		{"max_stack", Attr{MaxStack: 0x0102}, 112, unsafe.Offsetof(k.Sample_max_stack), []byte{2, 1}},
		{"aux_sample_size", Attr{AuxSampleSize: 5}, 120, unsafe.Offsetof(k.Aux_sample_size), []byte{5}},
		{"aux_action", Attr{AuxAction: 5}, 120, 116, []byte{5}},
		{"sig_data", Attr{SigData: 5}, 128, unsafe.Offsetof(k.Sig_data), []byte{5}},
		{"config3", Attr{Config3: 5}, 136, 128, []byte{5}},
		{"config4", Attr{Config4: 5}, 144, 136, []byte{5}},
	} {
		want := make([]byte, c.size)
		copy(want[unsafe.Offsetof(k.Size):], []byte{byte(c.size)})
		copy(want[c.offset:], c.bytes)
		got, err := c.attr.AppendBinary(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, %v\nwant %x", c.name, got, err, want)
		}
	}
}

func TestAttrRefused(t *testing.T) {
	for _, c := range []struct {
		attr Attr
		want string
	}{
		{Attr{PreciseIP: 4}, "precise_ip 4"},
		{Attr{Flags: 1 << 16}, "0x10000 overlap precise_ip"},
	} {
		got, err := c.attr.AppendBinary([]byte("kept"))
		if err == nil || !strings.Contains(err.Error(), c.want) || string(got) != "kept" {
			t.Errorf("got %q, %v, want an error with %q", got, err, c.want)
		}
	}
	for _, c := range []struct {
		raw  []byte
		want string
	}{
		{make([]byte, 63), "63 bytes"},
		{append([]byte{0, 0, 0, 0, 63}, make([]byte, 100)...), "says 63"},
		{append([]byte{0, 0, 0, 0, 128}, make([]byte, 122)...), "says 128"},
	} {
		kept := Attr{Config: 7}
		err := kept.UnmarshalBinary(c.raw)
		if err == nil || !strings.Contains(err.Error(), c.want) || kept != (Attr{Config: 7}) {
			t.Errorf("%d bytes: got %v, want an error with %q", len(c.raw), err, c.want)
		}
	}
}

// A struct from a later kernel or an older one keeps what both know.
func TestAttrOtherVersions(t *testing.T) {
	full := Attr{Config: 1, Config4: 4, ClockID: 1, RegsIntr: 3}
	raw, err := full.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	later := append(bytes.Clone(raw), 1, 2, 3, 4, 5, 6, 7, 8)
	later[4] = byte(len(later))
	var got Attr
	if err := got.UnmarshalBinary(later); err != nil || got != full {
		t.Errorf("152 bytes: got %+v, %v, want %+v", got, err, full)
	}
	// The size field rules: what lies after it belongs to something else.
	raw[4] = 96
	want := Attr{Config: 1, ClockID: 1}
	if err := got.UnmarshalBinary(raw); err != nil || got != want {
		t.Errorf("96 bytes of 144: got %+v, %v, want %+v", got, err, want)
	}
	raw[4] = 0
	want.ClockID = 0
	if err := got.UnmarshalBinary(raw); err != nil || got != want {
		t.Errorf("size 0: got %+v, %v, want %+v", got, err, want)
	}
}

func drawAttr(t *rapid.T) Attr {
	word := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64())
	half := rapid.OneOf(rapid.Just(uint32(0)), rapid.Uint32())
	return Attr{
		Type: half.Draw(t, "type"), Config: word.Draw(t, "config"),
		Config1: word.Draw(t, "config1"), Config2: word.Draw(t, "config2"),
		Config3: word.Draw(t, "config3"), Config4: word.Draw(t, "config4"),
		Sample:       word.Draw(t, "sample"),
		SampleFormat: SampleFormat(word.Draw(t, "sample format")),
		ReadFormat:   ReadFormat(word.Draw(t, "read format")),
		Flags:        Flags(word.Draw(t, "flags")) &^ preciseMask,
		PreciseIP:    rapid.Uint8Range(0, 3).Draw(t, "precise"),
		Wakeup:       half.Draw(t, "wakeup"), BPType: half.Draw(t, "bp type"),
		BranchFormat: word.Draw(t, "branch"), RegsUser: word.Draw(t, "regs user"),
		RegsIntr: word.Draw(t, "regs intr"), SigData: word.Draw(t, "sig data"),
		StackUser: half.Draw(t, "stack"), AuxWatermark: half.Draw(t, "aux watermark"),
		AuxSampleSize: half.Draw(t, "aux sample"), AuxAction: half.Draw(t, "aux action"),
		ClockID:  int32(half.Draw(t, "clock")),
		MaxStack: uint16(half.Draw(t, "max stack")),
	}
}

func TestAttrRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawAttr(t)
		raw, err := want.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got Attr
		if err := got.UnmarshalBinary(raw); err != nil || got != want {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
	})
}

func FuzzAttr(f *testing.F) {
	for _, a := range []Attr{{}, {Config4: 1}, {PreciseIP: 3, Flags: FlagDisabled, ClockID: 1}} {
		raw, err := a.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a, again Attr
		if a.UnmarshalBinary(raw) != nil {
			return
		}
		out, err := a.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%+v came from bytes and does not go back: %v", a, err)
		}
		if err := again.UnmarshalBinary(out); err != nil || a != again {
			t.Fatalf("got %+v, %v\nwant %+v", again, err, a)
		}
	})
}
