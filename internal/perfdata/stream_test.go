package perfdata

import (
	"encoding/binary"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// The events of the tests: one with every field of a sample, and a plain one.
func testEvents() []builtEvent {
	const everything = perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID | perfring.SampleTime |
		perfring.SampleAddr | perfring.SampleStreamID | perfring.SampleCPU | perfring.SamplePeriod | perfring.SampleCallchain |
		perfring.SampleRead | perfring.SampleRaw | perfring.SampleBranchStack | perfring.SampleRegsUser | perfring.SampleStackUser |
		perfring.SampleWeightStruct | perfring.SampleDataSrc | perfring.SampleTransaction | perfring.SampleRegsIntr |
		perfring.SamplePhysAddr | perfring.SampleCGroup | perfring.SampleDataPageSize | perfring.SampleCodePageSize | perfring.SampleAux
	const plain = perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU | perfring.SamplePeriod
	return []builtEvent{
		{attr: perfring.Attr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: 1e6, SampleFormat: plain,
			Flags:   perfring.FlagSampleIDAll | perfring.FlagMmap | perfring.FlagMmap2 | perfring.FlagComm | perfring.FlagUseClockID,
			ClockID: unix.CLOCK_MONOTONIC}, ids: []uint64{11, 12}},
		{attr: perfring.Attr{Type: unix.PERF_TYPE_HARDWARE, Sample: 1000, PreciseIP: 2, SampleFormat: everything,
			ReadFormat: perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning,
			Flags:      perfring.FlagSampleIDAll | perfring.FlagExcludeKernel | perfring.FlagBuildID | perfring.FlagMmap2,
			RegsUser:   0x101, RegsIntr: 7, StackUser: 16, MaxStack: 100, BranchFormat: 1 << 17, AuxWatermark: 5, SigData: 9, Config3: 3,
			AuxSampleSize: 24, Wakeup: 4, Config1: 1, Config2: 2}, ids: []uint64{21, 22}, size: 144},
	}
}

// testFile has every kind of record, in rounds.
func testFile(order binary.ByteOrder) *built {
	f := &built{order: order, events: testEvents()}
	id := func(t uint64) perfring.SampleID {
		return perfring.SampleID{PID: 7, TID: 8, Time: t, ID: 11, CPU: 1}
	}
	k := func(kind perfring.RecordType, misc uint16, t uint64, body *enc) { f.kernel(kind, misc, body, 0, id(t)) }
	f.kernel(perfring.RecordMmap, 1, f.enc().u32(math.MaxUint32, 0).u64(0xffffffff81000000, 1<<24, 0).name("[kernel.kallsyms]_text", 8), 0, perfring.SampleID{})
	k(perfring.RecordComm, perfring.MiscCommExec, 100, f.enc().u32(7, 7).name("true", 8))
	k(perfring.RecordMmap2, 2, 110, f.enc().u32(7, 7).u64(0x400000, 0x1000, 0x2000).u32(8, 1).u64(99, 5).u32(5, 2).name("/bin/true", 8))
	f.kernel(perfring.RecordMmap2, 2|perfring.MiscMmapBuildID, f.enc().u32(7, 7).u64(0x500000, 0x1000, 0).
		raw(20, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20).u32(5, 2).name("/lib/ld.so", 8),
		1, perfring.SampleID{PID: 7, TID: 7, Time: 105, ID: 22, StreamID: 23, CPU: 0})
	k(perfring.RecordFork, 0, 120, f.enc().u32(9, 7, 9, 7).u64(120))
	s := perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, IP: 0x400123, PID: 7, TID: 8, Time: 130, ID: 12, CPU: 1, Period: 1000000}
	f.sample(0, s)
	s.Time, s.ID, s.CPU = 90, 11, 0 // another ring
	f.sample(0, s)
	full := perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser | perfring.MiscExactIP}, IP: 0x400124, PID: 7, TID: 8, Time: 125, Addr: 0xdeadbeef,
		ID: 21, StreamID: 25, CPU: 3, Period: 1000, Read: []perfring.ReadValue{{Value: 5}}, Enabled: 50, Running: 40,
		Callchain: []uint64{perfring.ContextUser, 0x400124, 0x400200}, RawData: []byte("raw, not a number..."),
		Branches:      []perfring.Branch{{From: 0x400110, To: 0x400120, Flags: 1 | 77<<4 | 5<<20 | 2<<24}, {From: 1, To: 2, Flags: 2 | 3<<30}},
		BranchHWIndex: 3, UserRegsABI: 2, UserRegs: []uint64{1, 0x400124}, UserStack: []byte("0123456789abcdef"),
		WeightVar1: 1000, WeightVar2: 20, WeightVar3: 3, DataSrc: 0x1234567890, Transaction: 6, IntrRegsABI: 2, IntrRegs: []uint64{4, 5, 6},
		PhysAddr: 0x1000, CGroup: 17, DataPageSize: 4096, CodePageSize: 1 << 21, Aux: []byte("trace of hardware here..")}
	f.sample(1, full)
	f.round()
	full.Time, full.Callchain, full.UserRegsABI, full.UserRegs, full.UserStack, full.Branches = 128, nil, 0, nil, nil, nil
	f.sample(1, full)
	k(perfring.RecordLost, 0, 140, f.enc().u64(11, 3))
	k(perfring.RecordThrottle, 0, 150, f.enc().u64(150, 12, 12))
	k(perfring.RecordUnthrottle, 0, 155, f.enc().u64(155, 12, 12))
	k(perfring.RecordRead, 0, 156, f.enc().u32(7, 8).u64(5))
	k(perfring.RecordAux, 0, 157, f.enc().u64(0, 4096, 1))
	k(perfring.RecordItraceStart, 0, 158, f.enc().u32(7, 8))
	f.records = append(f.records, f.enc().u32(uint32(recAndroid)+1).u16(1, 12).raw(make([]byte, 1<<16+4)...).b) // of simpleperf
	f.record(recAuxtrace, 0, f.enc().u64(24, 0, 0).u32(0, 7, 1, 0), []byte("24 bytes that are opaque")...)
	f.round()
	k(perfring.RecordLostSamples, 0, 159, f.enc().u64(4))
	k(perfring.RecordSwitch, perfring.MiscSwitchOut, 160, f.enc())
	k(perfring.RecordSwitchCPUWide, 0, 161, f.enc().u32(1, 2))
	k(perfring.RecordNamespaces, 0, 162, f.enc().u32(7, 8).u64(2, 1, 2, 3, 4))
	k(perfring.RecordKSymbol, 0, 163, f.enc().u64(0xffffffffc0000000).u32(100).u16(1, 0).name("bpf_prog_x", 8))
	k(perfring.RecordBPFEvent, 0, 164, f.enc().u16(1, 0).u32(42).raw(1, 2, 3, 4, 5, 6, 7, 8))
	k(perfring.RecordCGroup, 0, 165, f.enc().u64(77).name("/user.slice", 8))
	k(perfring.RecordTextPoke, 0, 166, f.enc().u64(0xffffffff81000010).u16(2, 2).raw(1, 2, 3, 4, 0, 0, 0, 0))
	k(perfring.RecordAuxOutputHWID, 0, 167, f.enc().u64(88))
	k(perfring.RecordCallchainDeferred, 0, 168, f.enc().u64(99, 2, 0x400000, 0x400010))
	k(63, 0, 169, f.enc().u64(1, 2)) // of a kernel to come
	f.round()
	k(perfring.RecordExit, 0, 170, f.enc().u32(9, 7, 9, 7).u64(170))
	s.Time, s.ID = 135, 11 // a round too late
	f.sample(0, s)
	return f
}

// One recording has many forms. All give the same stream.
func TestForms(t *testing.T) {
	var want transcript
	little := testFile(binary.LittleEndian)
	_, result := readFile(t, little.file(), &want)
	golden(t, "stream.txt", want.String())
	if got := result.Books.Total(); got != (perfring.Counts{Samples: 5, Lost: 3, LostSamples: 4, Throttles: 1, Unthrottles: 1, Unknown: 1}) {
		t.Errorf("books %+v", got)
	}
	books := []perfring.EventBooks{{Name: "cpu-clock", Samples: 3, Represented: 3_000_000, LostSamples: 4, Throttles: 1, Unthrottles: 1},
		{Name: "cycles:uhpp", Samples: 2, Represented: 2000}}
	if !slices.Equal(result.Events, books) {
		t.Errorf("books %+v of the events, want %+v", result.Events, books)
	}
	if result.First != 90 || result.Last != 135 || !slices.Equal(result.Samples, []uint64{3, 2}) ||
		result.Truncated != -1 || result.Late != 1 || result.Aux != 24 || result.AuxRecords != 1 || want.advanced != math.MaxInt64 {
		t.Errorf("result %+v, advanced to %d", result, want.advanced)
	}

	big := testFile(binary.BigEndian)
	compressed := func(from, flush, cut int, padded bool) *built {
		f := testFile(binary.LittleEndian)
		// What follows a trace cannot be compressed with it.
		f.records = slices.DeleteFunc(f.records, func(b []byte) bool { return b[0] == byte(recAuxtrace) })
		f.compress(t, from, flush, cut, padded)
		return f
	}
	tests := []struct {
		name string
		b    []byte
		read func(testing.TB, []byte, Sink) (*File, *Result)
	}{
		{"file", big.file(), readFile},
		{"little-endian pipe", little.piped(), readPipe},
		{"big-endian pipe", big.piped(), readPipe},
		{"pipe in a file", little.piped(), readFile},
		{"compressed", compressed(1, 100, 1<<15, false).file(), readFile},
		{"compressed pipe", compressed(1, 7, 1<<15, false).piped(), readPipe},
		{"compressed in small pieces", compressed(1, 3, 7, false).piped(), readPipe},
		{"compressed2 in small pieces", compressed(1, 3, 11, true).piped(), readPipe},
		{"from the first record on", compressed(0, 5, 100, true).file(), readFile},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got transcript
			f, result := test.read(t, test.b, &got)
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if result.Truncated != -1 || len(result.Notes) > 0 {
				t.Errorf("result %+v", result)
			}
			for i, e := range testEvents() {
				if diff := cmp.Diff(e.attr, f.Events[i].Attr); diff != "" {
					t.Errorf("event %d (-want +got):\n%s", i, diff)
				}
			}
			if err := f.CheckClock(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Kernels before 2.6.38 gave only samples a time and a CPU, and perf before 3.3
// wrote another magic.
func TestOldFile(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		f := &built{order: order, events: []builtEvent{{attr: perfring.Attr{Sample: 1,
			SampleFormat: perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU}, size: 64}}}
		sample := func(t uint64, cpu uint32) {
			f.sample(0, perfring.Sample{Time: t, CPU: cpu, TID: uint32(t)})
		}
		f.record(perfring.RecordComm, 0, f.enc().u32(1, 1).name("first", 8))
		sample(20, 1)
		f.record(perfring.RecordComm, 0, f.enc().u32(2, 2).name("at 20", 8))
		sample(10, 0)
		f.record(perfring.RecordComm, 0, f.enc().u32(3, 3).name("at 10", 8))
		sample(30, 0)
		b := f.file()
		copy(b, magic1)
		var got transcript
		file, _ := readFile(t, b, &got)
		var order []string
		for _, line := range got.lines {
			for _, part := range []string{"Time:10", "Time:20", "Time:30", "[102 105 114 115 116]", "[97 116 32 50 48]", "[97 116 32 49 48]"} {
				if strings.Contains(line, part) {
					order = append(order, part)
				}
			}
		}
		want := []string{"[102 105 114 115 116]", "Time:10", "[97 116 32 49 48]", "Time:20", "[97 116 32 50 48]", "Time:30"}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if name := file.Events[0].Name; name != "cycles" {
			t.Errorf("event %q", name)
		}
		if file.CheckClock() == nil {
			t.Error("perf's own clock passes for CLOCK_MONOTONIC")
		}
	}
}
