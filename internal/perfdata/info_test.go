package perfdata

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// All features, from sections and from records, in both byte orders.
func TestInfo(t *testing.T) {
	want := Info{
		Hostname: "host", OSRelease: "6.18", Version: "6.1", Arch: "x86_64", Cmdline: []string{"perf", "record"},
		CPUDesc: "CPU", CPUID: "GenuineIntel,6,85,4", MemoryKiB: 1 << 20, CPUsOnline: 4, CPUsAvailable: 4,
		CPUs:            []CPU{{0, 0, 0}, {0, 0, 1}, {0, 0, 0}, {0, 0, 1}},
		PackageSiblings: []string{"0-3"}, DieSiblings: []string{"0-3"}, ThreadSiblings: []string{"0,2", "1,3"},
		Nodes: []Node{{ID: 0, TotalKiB: 1 << 20, FreeKiB: 1 << 19, CPUs: "0-3", Memory: []MemoryRange{{0, 3 << 27}, {63 << 27, 66 << 27}}},
			{ID: 2, Memory: []MemoryRange{{3 << 27, 4 << 27}}}},
		BuildIDs: []BuildID{{Filename: "[kernel.kallsyms]", PID: -1, Kernel: true,
			ID: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}},
		PMUs:       map[uint32]string{1: "software", 9: "msr"},
		PMUCaps:    map[string]map[string]string{"cpu": {"max_precise": "3"}},
		HybridCPUs: map[string]string{"cpu_core": "0-3"}, Groups: []Group{{"{anon_group}", 0, 2}},
		BranchStack: true, Compressed: true, First: 5, Last: 23,
		Clock: Clock{Known: true, ID: unix.CLOCK_MONOTONIC, Resolution: time.Nanosecond, WallNS: 1e18, ClockNS: 5},
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, pipe := range []bool{false, true} {
			b := smallFile(order).file()
			if pipe {
				b = smallFile(order).piped()
			}
			f, err := NewFile(bytesOf(b))
			must(t, err)
			if diff := cmp.Diff(want, f.Info); diff != "" {
				t.Errorf("%v, pipe %v (-want +got):\n%s", order, pipe, diff)
			}
			if f.Events[0].Name != "event-0:u" || f.Events[1].Name != "event-1:u" || f.Events[1].Leader != 0 ||
				!f.Events[0].Clock || f.Events[1].Clock {
				t.Errorf("events %+v", f.Events)
			}
		}
	}
}

// Old files have no topology but the lists of siblings, and no pid in build ids.
func TestOldFeatures(t *testing.T) {
	f := &built{order: binary.LittleEndian, events: testEvents()[:1]}
	id := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0, 0, 0, 0, 0}
	old := f.enc().u32(uint32(recHeaderBuildID)).u16(perfring.MiscKernel, 32+64).raw(id...).name("[kernel.kallsyms]", 64)
	f.features = map[feature][]byte{
		featNrCPUs:      f.enc().u32(4, 2).b,
		featCPUTopology: f.enc().u32(2).text("0-1").text("3").u32(3).text("0").text("1").text("3").b,
		featBuildID:     append(old.b, old.b...),
	}
	f.round()
	file, err := NewFile(bytesOf(f.file()))
	must(t, err)
	if diff := cmp.Diff([]CPU{{0, -1, 0}, {0, -1, 1}, {-1, -1, -1}, {1, -1, 2}}, file.Info.CPUs); diff != "" {
		t.Errorf("CPUs (-want +got):\n%s", diff)
	}
	b := BuildID{Filename: "[kernel.kallsyms]", PID: -1, Kernel: true, ID: id[:16]}
	if diff := cmp.Diff([]BuildID{b, b}, file.Info.BuildIDs); diff != "" {
		t.Errorf("build ids (-want +got):\n%s", diff)
	}
	if file.Info.CPUsOnline != 2 || file.Info.CPUsAvailable != 4 {
		t.Errorf("%d of %d CPUs", file.Info.CPUsOnline, file.Info.CPUsAvailable)
	}
}

// Names of events of which the file has none.
func TestNames(t *testing.T) {
	const (
		noKernel = perfring.FlagExcludeKernel | perfring.FlagExcludeHV
		noUser   = perfring.FlagExcludeUser
	)
	tests := []struct {
		attr perfring.Attr
		want string
	}{
		{perfring.Attr{Type: unix.PERF_TYPE_HARDWARE, Flags: noKernel}, "cycles:u"},
		{perfring.Attr{Type: unix.PERF_TYPE_HARDWARE, Config: 1, Flags: noUser, PreciseIP: 2}, "instructions:khpp"},
		{perfring.Attr{Type: unix.PERF_TYPE_HARDWARE, Config: 9, Flags: perfring.FlagExcludeGuest}, "ref-cycles"},
		{perfring.Attr{Type: unix.PERF_TYPE_HARDWARE, Config: 99}, "unknown-hardware"},
		{perfring.Attr{Type: unix.PERF_TYPE_HARDWARE, Config: 9<<32 | 1}, "msr/instructions/"},
		{perfring.Attr{Type: unix.PERF_TYPE_SOFTWARE, Config: 1}, "task-clock"},
		{perfring.Attr{Type: unix.PERF_TYPE_SOFTWARE, Config: 9}, "dummy"},
		{perfring.Attr{Type: unix.PERF_TYPE_SOFTWARE, Config: 50}, "unknown-software"},
		{perfring.Attr{Type: unix.PERF_TYPE_TRACEPOINT, Config: 314}, "tracepoint:314"},
		{perfring.Attr{Type: unix.PERF_TYPE_HW_CACHE}, "L1-dcache-loads"},
		{perfring.Attr{Type: unix.PERF_TYPE_HW_CACHE, Config: 1 << 16}, "L1-dcache-load-misses"},
		{perfring.Attr{Type: unix.PERF_TYPE_HW_CACHE, Config: 2<<8 | 2}, "LLC-prefetches"},
		{perfring.Attr{Type: unix.PERF_TYPE_HW_CACHE, Config: 7}, "invalid-cache"},
		{perfring.Attr{Type: unix.PERF_TYPE_RAW, Config: 0x1c2, PreciseIP: 1}, "raw 0x1c2:p"},
		{perfring.Attr{Type: unix.PERF_TYPE_BREAKPOINT, Config1: 0x4000, BPType: 3}, "mem:0x4000:rw"},
		{perfring.Attr{Type: 9, Config: 0x10, Flags: noKernel}, "msr/config=0x10/u"},
		{perfring.Attr{Type: 77}, "unknown attr type: 77"},
	}
	f := File{Info: Info{PMUs: map[uint32]string{9: "msr"}}}
	for _, test := range tests {
		if got := f.nameOf(&test.attr); got != test.want {
			t.Errorf("%+v is %q, want %q", test.attr, got, test.want)
		}
	}
}

// Names of tracepoints where attributes have only their ids: records of pipes
// before Linux 3.4, and what simpleperf says of its events.
func TestTracepoints(t *testing.T) {
	f := &built{order: binary.BigEndian, events: testEvents()[:1]}
	f.events[0].attr.Type, f.events[0].attr.Config = unix.PERF_TYPE_TRACEPOINT, 47
	f.record(recHeaderEventType, 0, f.enc().u64(47).name("sched:sched_switch", 64))
	f.round()
	for _, b := range [][]byte{f.piped(), f.file(), func() []byte {
		g := *f
		g.records = f.records[1:]
		g.features = map[feature][]byte{featAndroidMeta: []byte("clockid\x00monotonic\x00event_type_info\x00cycles,0,0\nsched:sched_switch,2,47\nodd,2\x00\x00")}
		return g.file()
	}()} {
		file, err := NewFile(bytesOf(b))
		must(t, err)
		if name := file.Events[0].Name; name != "sched:sched_switch" {
			t.Errorf("the event is %q", name)
		}
	}
}
