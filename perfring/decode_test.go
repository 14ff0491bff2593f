package perfring

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRecords(t *testing.T) {
	id := SampleID{PID: 11, TID: 12, Time: 13, ID: 14, StreamID: 15, CPU: 16}
	buildID := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	for _, c := range []struct {
		typ  RecordType
		misc uint16
		body []any
		text bool // ends in text, which may be shorter
		want Record
	}{
		{RecordMmap, MiscUser, []any{uint32(1), uint32(2), []uint64{3, 4, 5}, "/bin/ls"}, true,
			&Mmap{PID: 1, TID: 2, Addr: 3, Len: 4, PgOff: 5, Filename: []byte("/bin/ls")}},
		{RecordLost, 0, []any{[]uint64{1, 2}}, false, &Lost{ID: 1, Lost: 2}},
		{RecordComm, 0, []any{uint32(1), uint32(2), "sh"}, true, &Comm{PID: 1, TID: 2, Name: []byte("sh")}},
		{RecordComm, MiscCommExec, []any{uint32(1), uint32(2), "12345678"}, true,
			&Comm{PID: 1, TID: 2, Name: []byte("12345678"), Exec: true}},
		// A name that fills its field to the end has no NUL in damaged data only.
		{RecordComm, 0, []any{uint32(1), uint32(2), []byte("12345678")}, true, &Comm{PID: 1, TID: 2, Name: []byte("12345678")}},
		{RecordExit, 0, []any{uint32(1), uint32(2), uint32(3), uint32(4), uint64(5)}, false,
			&Exit{PID: 1, PPID: 2, TID: 3, PTID: 4, Time: 5}},
		{RecordThrottle, 0, []any{[]uint64{1, 2, 3}}, false, &Throttle{Time: 1, ID: 2, StreamID: 3}},
		{RecordUnthrottle, 0, []any{[]uint64{1, 2, 3}}, false, &Unthrottle{Time: 1, ID: 2, StreamID: 3}},
		{RecordFork, 0, []any{uint32(1), uint32(2), uint32(3), uint32(4), uint64(5)}, false,
			&Fork{PID: 1, PPID: 2, TID: 3, PTID: 4, Time: 5}},
		{RecordRead, 0, []any{uint32(1), uint32(2), []uint64{3, 4, 5, 6}}, false,
			&Read{PID: 1, TID: 2, Enabled: 4, Running: 5, Values: []ReadValue{{Value: 3, ID: 6}}}},
		{RecordMmap2, 0, []any{uint32(1), uint32(2), []uint64{3, 4, 5}, uint32(6), uint32(7), []uint64{8, 9}, uint32(10), uint32(11), "[vdso]"}, true,
			&Mmap2{PID: 1, TID: 2, Addr: 3, Len: 4, PgOff: 5, Maj: 6, Min: 7, Ino: 8, InoGeneration: 9, Prot: 10, Flags: 11, Filename: []byte("[vdso]")}},
		{RecordMmap2, MiscMmapBuildID, []any{uint32(1), uint32(2), []uint64{3, 4, 5}, []byte{20, 0, 0, 0}, buildID, uint32(10), uint32(11), "/x"}, true,
			&Mmap2{PID: 1, TID: 2, Addr: 3, Len: 4, PgOff: 5, BuildID: buildID, Prot: 10, Flags: 11, Filename: []byte("/x")}},
		{RecordMmap2, MiscMmapBuildID, []any{uint32(1), uint32(2), []uint64{3, 4, 5}, []byte{8, 0, 0, 0}, buildID, uint32(10), uint32(11), "/x"}, true,
			&Mmap2{PID: 1, TID: 2, Addr: 3, Len: 4, PgOff: 5, BuildID: buildID[:8], Prot: 10, Flags: 11, Filename: []byte("/x")}},
		{RecordAux, 0, []any{[]uint64{1, 2, 3}}, false, &Aux{Offset: 1, Length: 2, Flags: 3}},
		{RecordItraceStart, 0, []any{uint32(1), uint32(2)}, false, &ItraceStart{PID: 1, TID: 2}},
		{RecordLostSamples, 0, []any{uint64(1)}, false, &LostSamples{Lost: 1}},
		{RecordSwitch, MiscSwitchOut, nil, false, &Switch{Out: true}},
		{RecordSwitch, 0, nil, false, &Switch{}},
		{RecordSwitchCPUWide, MiscSwitchOut | MiscSwitchOutPreempt, []any{uint32(1), uint32(2)}, false,
			&SwitchCPUWide{NextPrevPID: 1, NextPrevTID: 2, Out: true, Preempt: true}},
		{RecordNamespaces, 0, []any{uint32(1), uint32(2), []uint64{2, 3, 4, 5, 6}}, false,
			&Namespaces{PID: 1, TID: 2, Links: []NamespaceLink{{3, 4}, {5, 6}}}},
		{RecordKSymbol, 0, []any{uint64(1), uint32(2), uint16(1), uint16(1), "bpf_prog_1"}, true,
			&KSymbol{Addr: 1, Len: 2, SymType: 1, Flags: 1, Unregister: true, Name: []byte("bpf_prog_1")}},
		{RecordBPFEvent, 0, []any{uint16(1), uint16(2), uint32(3), []byte("12345678")}, false,
			&BPFEvent{EventType: 1, Flags: 2, ProgID: 3, Tag: [8]byte{'1', '2', '3', '4', '5', '6', '7', '8'}}},
		{RecordCGroup, 0, []any{uint64(1), "/user.slice"}, true, &CGroup{ID: 1, Path: []byte("/user.slice")}},
		{RecordTextPoke, 0, []any{uint64(1), uint16(3), uint16(1), []byte("abcd\x00\x00\x00\x00")}, false,
			&TextPoke{Addr: 1, Old: []byte("abc"), New: []byte("d")}},
		{RecordAuxOutputHWID, 0, []any{uint64(1)}, false, &AuxOutputHWID{HWID: 1}},
		{RecordCallchainDeferred, MiscUser, []any{[]uint64{1, 2, 3, 4}}, false, &CallchainDeferred{Cookie: 1, Callchain: []uint64{3, 4}}},
	} {
		plain := Attr{ReadFormat: ReadTotalTimeEnabled | ReadTotalTimeRunning | ReadID, SampleFormat: SampleTime}
		whole := plain
		whole.SampleFormat = SampleIdentifier | SampleTID | SampleTime | SampleStreamID | SampleCPU
		whole.Flags = FlagSampleIDAll
		for _, a := range []Attr{plain, whole} {
			wantID := id
			if a.Flags == 0 {
				wantID = SampleID{}
			}
			raw := encode(c.typ, c.misc, append(c.body, encodeTrailer(&a, id)...)...)
			setHead(c.want, Header{c.typ, c.misc, uint16(len(raw))}, wantID)
			d := decoderOf(t, &a)
			got, err := d.Decode(raw)
			if err != nil {
				t.Errorf("%v: %v", c.typ, err)
				continue
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%v:\n%s", c.typ, diff)
			}
			if ns, ok := d.Time(raw); a.Flags != 0 && (ns != id.Time || !ok) {
				t.Errorf("%v: time %d, %v", c.typ, ns, ok)
			}
			if !c.text && c.typ != RecordTextPoke {
				refusesEveryCut(t, c.typ.String(), d, raw)
			}
		}
	}
}

// setHead fills what the encoder chose into the expected record.
func setHead(rec Record, h Header, id SampleID) {
	switch r := rec.(type) {
	case *Mmap:
		r.Header, r.SampleID = h, id
	case *Lost:
		r.Header, r.SampleID = h, id
	case *Comm:
		r.Header, r.SampleID = h, id
	case *Exit:
		r.Header, r.SampleID = h, id
	case *Throttle:
		r.Header, r.SampleID = h, id
	case *Unthrottle:
		r.Header, r.SampleID = h, id
	case *Fork:
		r.Header, r.SampleID = h, id
	case *Read:
		r.Header, r.SampleID = h, id
	case *Mmap2:
		r.Header, r.SampleID = h, id
	case *Aux:
		r.Header, r.SampleID = h, id
	case *ItraceStart:
		r.Header, r.SampleID = h, id
	case *LostSamples:
		r.Header, r.SampleID = h, id
	case *Switch:
		r.Header, r.SampleID = h, id
	case *SwitchCPUWide:
		r.Header, r.SampleID = h, id
	case *Namespaces:
		r.Header, r.SampleID = h, id
	case *KSymbol:
		r.Header, r.SampleID = h, id
	case *BPFEvent:
		r.Header, r.SampleID = h, id
	case *CGroup:
		r.Header, r.SampleID = h, id
	case *TextPoke:
		r.Header, r.SampleID = h, id
	case *AuxOutputHWID:
		r.Header, r.SampleID = h, id
	case *CallchainDeferred:
		r.Header, r.SampleID = h, id
	case *Unknown:
		r.Header, r.SampleID = h, id
	}
}

func TestRecordsMalformed(t *testing.T) {
	a := Attr{SampleFormat: SampleTime | SampleIdentifier, Flags: FlagSampleIDAll, ReadFormat: ReadGroup}
	trailer := []uint64{1, 2}
	long := make([]byte, 24)
	long[0] = 21
	for _, c := range []struct {
		typ    RecordType
		misc   uint16
		body   []any
		field  string
		reason error
	}{
		{RecordSwitch, 0, []any{uint64(1)}, "sample id", ErrShort},
		{RecordLost, 0, []any{uint64(1), trailer}, "fixed fields", ErrShort},
		{RecordRead, 0, []any{uint64(1), ^uint64(0), trailer}, "values", ErrShort},
		{RecordNamespaces, 0, []any{uint64(1), uint64(1) << 60, uint64(1), trailer}, "links", ErrShort},
		{RecordMmap2, MiscMmapBuildID, []any{make([]byte, 32), long, uint64(0), trailer}, "build id", ErrMalformed},
		{RecordTextPoke, 0, []any{uint64(1), uint16(3), uint16(6), uint32(0), trailer}, "code", ErrShort},
		{RecordCallchainDeferred, 0, []any{uint64(1), uint64(3), uint64(0), trailer}, "callchain", ErrShort},
	} {
		raw := encode(c.typ, c.misc, c.body...)
		_, err := decoderOf(t, &a).Decode(raw)
		var bad *DecodeError
		if !errors.As(err, &bad) || *bad != (DecodeError{c.typ, len(raw), c.field, c.reason}) {
			t.Errorf("%v: got %v, want %s: %v", c.typ, err, c.field, c.reason)
		}
	}
	for _, size := range []uint16{0, 7, 24} {
		raw := encode(RecordSwitch, 0, trailer[:1])
		binary.NativeEndian.PutUint16(raw[6:], size)
		if _, err := decoderOf(t, &a).Decode(raw); !errors.Is(err, ErrShort) {
			t.Errorf("size %d in %d bytes: got %v", size, len(raw), err)
		}
	}
	if _, err := decoderOf(t, &a).Decode([]byte{9, 0, 0}); !errors.Is(err, ErrShort) {
		t.Errorf("3 bytes: got %v", err)
	}
}

func TestUnknownRecords(t *testing.T) {
	a := Attr{SampleFormat: SampleTime | SampleIdentifier, Flags: FlagSampleIDAll}
	for _, c := range []struct {
		typ  RecordType
		body []uint64
		id   SampleID
	}{
		{23, []uint64{7, 8, 9}, SampleID{Time: 8, ID: 9}},
		{23, []uint64{7}, SampleID{}},
		{0, []uint64{8, 9}, SampleID{Time: 8, ID: 9}},
		{68, []uint64{8, 9}, SampleID{}}, // perf's own records have no identity
		{1 << 31, []uint64{8, 9}, SampleID{}},
	} {
		raw := encode(c.typ, 3, c.body)
		want := &Unknown{Header: Header{c.typ, 3, uint16(len(raw))}, SampleID: c.id, Payload: raw[8:]}
		got, err := decoderOf(t, &a).Decode(raw)
		if diff := cmp.Diff(Record(want), got); err != nil || diff != "" {
			t.Errorf("type %d: %v\n%s", c.typ, err, diff)
		}
	}
}

// Events of different shapes in one stream are told apart by their id.
func TestDecoderChoosesByID(t *testing.T) {
	const all = FlagSampleIDAll
	for _, c := range []struct {
		name          string
		first, second Attr
		one, two      []byte // a sample of each
		lost          []byte // of the second
	}{
		{"identifier",
			Attr{SampleFormat: SampleIdentifier | SampleIP | SampleTime, Flags: all},
			Attr{SampleFormat: SampleIdentifier | SampleTime | SampleCPU, Flags: all},
			encode(RecordSample, 0, []uint64{70, 1, 2}), encode(RecordSample, 0, []uint64{71, 2, 3}),
			encode(RecordLost, 0, []uint64{71, 9, 2, 3, 71}),
		},
		{"id at one place",
			Attr{SampleFormat: SampleIP | SampleTime | FormatID, Flags: all},
			Attr{SampleFormat: SampleTID | SampleTime | FormatID | SamplePeriod, Flags: all},
			encode(RecordSample, 0, []uint64{1, 2, 70}), encode(RecordSample, 0, []uint64{1, 2, 71, 3}),
			encode(RecordLost, 0, []uint64{71, 9, 5, 2, 71}),
		},
	} {
		d := decoderOf(t, &c.first, 70)
		if err := d.Add(&c.second, 71, 72); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for range 2 {
			for _, sample := range []struct {
				raw []byte
				a   *Attr
			}{{c.one, &c.first}, {c.two, &c.second}} {
				want, err := decoderOf(t, sample.a).Decode(sample.raw)
				if err != nil {
					t.Fatal(err)
				}
				got, err := d.Decode(sample.raw)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s: %v\n%s", c.name, err, diff)
				}
			}
		}
		rec, err := d.Decode(c.lost)
		if lost, ok := rec.(*Lost); err != nil || !ok || lost.SampleID.ID != 71 || lost.SampleID.Time != 2 || lost.Lost != 9 {
			t.Errorf("%s: got %+v, %v", c.name, rec, err)
		}

		stranger := encode(RecordSample, 0, []uint64{99, 99, 99, 99})
		if _, err := d.Decode(stranger); !errors.Is(err, ErrUnknownID) {
			t.Errorf("%s: unknown id: got %v", c.name, err)
		}
		if _, ok := d.Time(stranger); ok {
			t.Errorf("%s: unknown id has a time", c.name)
		}
		// What perf puts into a file is shaped like the first event's records and has no id.
		comm := encode(RecordComm, 0, append([]any{uint32(1), uint32(2), "sh"}, encodeTrailer(&c.first, SampleID{})...)...)
		if rec, err := d.Decode(comm); err != nil || string(rec.(*Comm).Name) != "sh" {
			t.Errorf("%s: id 0: got %v, %v", c.name, rec, err)
		}
	}
}

// Events of one shape need no id, nor do records without identity.
func TestDecoderWithoutID(t *testing.T) {
	a := Attr{SampleFormat: SampleIP | SampleTime}
	b := a
	b.Config = 1
	d := decoderOf(t, &a)
	if err := d.Add(&b); err != nil {
		t.Fatal(err)
	}
	rec, err := d.Decode(encode(RecordSample, 0, []uint64{5, 6}))
	if s, ok := rec.(*Sample); err != nil || !ok || s.IP != 5 || s.Time != 6 {
		t.Errorf("got %+v, %v", rec, err)
	}
	fork := encode(RecordFork, 0, []uint64{1, 2, 6})
	if ns, ok := d.Time(fork); ns != 6 || !ok {
		t.Errorf("time of a fork without identity: %d, %v", ns, ok)
	}
	throttle := encode(RecordThrottle, 0, []uint64{6, 1, 2})
	if ns, ok := d.Time(throttle); ns != 6 || !ok {
		t.Errorf("time of a throttle without identity: %d, %v", ns, ok)
	}
	if _, ok := d.Time(encode(RecordLost, 0, []uint64{6, 1, 2})); ok {
		t.Error("a lost record without identity has a time")
	}
	if _, err := NewDecoder().Decode(fork); !errors.Is(err, ErrUnknownID) {
		t.Errorf("no event added: got %v", err)
	}
}

func TestAddRefuses(t *testing.T) {
	for _, c := range []struct {
		first, second Attr
		want          string
	}{
		{Attr{SampleFormat: SampleIP}, Attr{SampleFormat: SampleIdentifier}, "need SampleIdentifier or FormatID"},
		{Attr{SampleFormat: SampleIdentifier}, Attr{SampleFormat: SampleIP}, "need SampleIdentifier or FormatID"},
		{Attr{SampleFormat: FormatID}, Attr{SampleFormat: FormatID | SampleIP}, "different places"},
		{Attr{SampleFormat: FormatID, Flags: FlagSampleIDAll}, Attr{SampleFormat: FormatID | SampleCPU, Flags: FlagSampleIDAll}, "different places"},
		{Attr{SampleFormat: SampleIdentifier}, Attr{SampleFormat: SampleIdentifier, Flags: FlagSampleIDAll}, "not all events"},
		{Attr{}, Attr{SampleFormat: sampleEnd}, "unknown sample format 0x2000000"},
		{Attr{}, Attr{ReadFormat: readEnd}, "unknown read format 0x20"},
		{Attr{}, Attr{SampleFormat: SampleBranchStack, BranchFormat: 1<<20 | 1}, "unknown branch format 0x100000"},
	} {
		d := decoderOf(t, &c.first, 1)
		if err := d.Add(&c.second, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if _, ok := d.byID[2]; ok || len(d.layouts) != 1 {
			t.Errorf("%s: a refused event was added", c.want)
		}
	}
}
