package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// smallFile is as testFile in little, with features of all kinds.
func smallFile(order binary.ByteOrder) *built {
	f := &built{order: order, events: testEvents()}
	for i := range uint64(4) {
		f.kernel(perfring.RecordComm, 0, f.enc().u32(7, uint32(i)).name("c", 8), 0, perfring.SampleID{Time: 10 + i, ID: 11, CPU: 1})
		f.sample(0, perfring.Sample{Time: 20 + i, ID: 12, CPU: 1})
		f.sample(1, perfring.Sample{Time: 5 + i, ID: 21, Read: []perfring.ReadValue{{Value: 1}}, Callchain: []uint64{1, 2}, RawData: []byte("....")})
		f.round()
	}
	f.features = testFeatures(f)
	return f
}

func testFeatures(f *built) map[feature][]byte {
	buildID := f.enc().u32(uint32(recHeaderBuildID)).u16(perfring.MiscKernel|miscBuildIDSize, 36+64).u32(0xffffffff).
		raw(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20).raw(20, 0, 0, 0).name("[kernel.kallsyms]", 64)
	eventDesc := f.enc().u32(uint32(len(f.events)), 136)
	for i, e := range f.events {
		eventDesc.raw(make([]byte, 136)...).u32(uint32(len(e.ids))).text(fmt.Sprintf("event-%d:u", i)).u64(e.ids...)
	}
	return map[feature][]byte{
		featBuildID:        buildID.b,
		featHostname:       f.enc().text("host").b,
		featOSRelease:      f.enc().text("6.18").b,
		featVersion:        f.enc().text("6.1").b,
		featArch:           f.enc().text("x86_64").b,
		featNrCPUs:         f.enc().u32(4, 4).b,
		featCPUDesc:        f.enc().text("CPU").b,
		featCPUID:          f.enc().text("GenuineIntel,6,85,4").b,
		featTotalMem:       f.enc().u64(1 << 20).b,
		featCmdline:        f.enc().u32(2).text("perf").text("record").b,
		featEventDesc:      eventDesc.b,
		featCPUTopology:    f.enc().u32(1).text("0-3").u32(2).text("0,2").text("1,3").u32(0, 0, 1, 0, 0, 0, 1, 0).u32(1).text("0-3").u32(0, 0, 0, 0).b,
		featNUMATopology:   f.enc().u32(1).u32(0).u64(1<<20, 1<<19).text("0-3").b,
		featMemTopology:    f.enc().u64(1, 1<<27, 2, 0, 66, 66, 1<<63|7, 3, 2, 4, 4, 8).b,
		featBranchStack:    {},
		featPMUMappings:    f.enc().u32(2).u32(1).text("software").u32(9).text("msr").b,
		featGroupDesc:      f.enc().u32(1).text("{anon_group}").u32(0, 2).b,
		featSampleTime:     f.enc().u64(5, 23).b,
		featClockID:        f.enc().u64(1).b,
		featClockData:      f.enc().u32(1, 1).u64(1e18, 5).b,
		featCompressed:     f.enc().u32(1, 1, 1, 3, 1<<19).b,
		featCPUPMUCaps:     f.enc().u32(1).text("branches").text("32").b,
		featHybridTopology: f.enc().u32(1).text("cpu_core").text("0-3").b,
		featPMUCaps:        f.enc().u32(1).u32(1).text("max_precise").text("3").text("cpu").b,
	}
}

func hostileForms(t testing.TB) map[string][]byte {
	zip := smallFile(binary.LittleEndian)
	zip.compress(t, 0, 3, 60, true)
	return map[string][]byte{
		"file":       smallFile(binary.LittleEndian).file(),
		"big-endian": smallFile(binary.BigEndian).file(),
		"pipe":       smallFile(binary.LittleEndian).piped(),
		"compressed": zip.piped(),
	}
}

// try reads what may be anything. It must end, without a panic, and give a reason
// for what it does not read.
func try(t testing.TB, b []byte, pipe bool) (samples int, err error) {
	var f *File
	if pipe {
		f, err = NewReader(bytes.NewBuffer(b), "test")
	} else {
		f, err = NewFile(bytes.NewReader(b), int64(len(b)), "test")
	}
	if err != nil {
		return 0, err
	}
	sink := ordered{t: t, file: f}
	r, err := f.Read(&sink)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading memory fails: %v", err)
	}
	if r.Truncated >= 0 && r.Reason == nil {
		t.Errorf("truncated at %d without a reason", r.Truncated)
	}
	return sink.samples, nil
}

// Whatever a file is cut to: what is whole is read.
func TestTruncated(t *testing.T) {
	for name, whole := range hostileForms(t) {
		t.Run(name, func(t *testing.T) {
			all, err := try(t, whole, false)
			must(t, err)
			if all != 8 {
				t.Fatalf("%d samples", all)
			}
			most, refused := 0, 0
			for n := range whole {
				got, err := try(t, whole[:n:n], n%2 == 0 && name == "pipe")
				if err != nil {
					refused++
					continue
				}
				if got < most {
					t.Fatalf("%d samples of the first %d bytes, %d of fewer", got, n, most)
				}
				most = got
			}
			// What is in one compressed record is lost with its end.
			if most < all-2 || most < all && name != "compressed" || refused == 0 {
				t.Errorf("at most %d samples, %d times refused", most, refused)
			}
		})
	}
}

// allocated runs f and returns the bytes that it allocated.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// No number in a small file makes the reader take much memory, or long.
func TestHostileNumbers(t *testing.T) {
	const limit = 64 << 20
	for name, whole := range hostileForms(t) {
		step := 20
		if name == "file" {
			step = 4
		}
		t.Run(name, func(t *testing.T) {
			for _, bad := range [][]byte{
				{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0x7f}, {0, 0, 0, 0x10}, {0x7f, 0xff, 0xff, 0xff}, {0, 0},
			} {
				n := allocated(func() {
					for at := 8; at+len(bad) <= len(whole); at += step {
						b := bytes.Clone(whole)
						copy(b[at:], bad)
						each := uint64(0)
						if at%80 == 0 { // stopping the world takes its time
							each = allocated(func() { try(t, b, false) })
						} else {
							try(t, b, false)
						}
						if each > limit {
							t.Fatalf("% x at %#x: %d bytes allocated", bad, at, each)
						}
					}
				})
				if per := n / uint64(len(whole)/step); per > limit/8 {
					t.Errorf("% x: %d bytes allocated for each file", bad, per)
				}
			}
		})
	}
}

// Small files that were made to take much memory.
func TestBombs(t *testing.T) {
	zipped := func(frame ...byte) []byte {
		f := &built{order: binary.LittleEndian, events: testEvents()[:1]}
		f.record(recCompressed, 0, f.enc().raw(frame...))
		return f.file()
	}
	header := func(descriptor byte, rest ...byte) []byte {
		return append([]byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}, rest...)
	}
	rle := func(size int, last byte, b byte) []byte {
		return []byte{last | 1<<1 | byte(size<<3), byte(size >> 5), byte(size >> 13), b}
	}
	var zeros []byte
	for range 200 {
		zeros = append(zeros, rle(maxZstdBlock, 0, 0)...)
	}
	ranges := &built{order: binary.LittleEndian, events: testEvents()[:1]}
	for range 20 {
		ranges.record(recEventUpdate, 0, ranges.enc().u64(updateCPUs, 11).u16(cpuMapRange, 0, 0, 0xffff, 0))
	}
	topology := &built{order: binary.LittleEndian, events: testEvents()[:1], features: map[feature][]byte{}}
	lists := topology.enc().u32(30)
	for range 30 {
		lists.u32(8).name("0-65535", 8)
	}
	topology.features[featCPUTopology] = append(lists.b, lists.b...)
	ids := &built{order: binary.LittleEndian}
	for range 6 {
		ids.events = append(ids.events, builtEvent{attr: perfring.Attr{Sample: 1}, ids: make([]uint64, 20), size: 64})
	}
	for name, b := range map[string][]byte{
		"window of 3.75 TB":     zipped(append(header(0, 0xff), rle(100, 1, 0)...)...),
		"window of 128 MB":      zipped(append(header(0, 17<<3), rle(100, 1, 0)...)...),
		"segment of 4 GB":       zipped(append(header(0xa0, 0xff, 0xff, 0xff, 0xff), rle(100, 1, 0)...)...),
		"segment of 2^64 bytes": zipped(append(header(0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), rle(100, 1, 0)...)...),
		"zeros":                 zipped(append(header(0, 7<<3), zeros...)...),
		"trace of 2^63 bytes": func() []byte {
			f := &built{order: binary.LittleEndian, events: testEvents()[:1]}
			f.record(recAuxtrace, 0, f.enc().u64(1<<63, 0, 0, 0, 0))
			return f.piped()
		}(),
		"formats of 4 GB": func() []byte {
			f := &built{order: binary.LittleEndian, events: testEvents()[:1]}
			f.record(recHeaderTracingData, 0, f.enc().u32(0xfffffff0))
			f.sample(0, perfring.Sample{Time: 1})
			return f.piped()
		}(),
		"ranges of CPUs":   ranges.piped(),
		"lists of CPUs":    topology.file(),
		"overlapping ids":  ids.file(),
		"many descriptors": append([]byte(magic2), bytes.Repeat([]byte{16, 0, 0, 0, 0, 0, 0, 0}, 126)...),
	} {
		t.Run(name, func(t *testing.T) {
			if n := allocated(func() { try(t, b, false) }); n > 64<<20 {
				t.Errorf("a file of %d bytes makes it allocate %d", len(b), n)
			}
			if n := allocated(func() { try(t, b, true) }); n > 64<<20 {
				t.Errorf("a pipe of %d bytes makes it allocate %d", len(b), n)
			}
		})
	}
}
