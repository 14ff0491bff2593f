package perfdata

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// machineTree is a made-up machine: two packages, of which the second has a CPU that is offline.
func machineTree(t *testing.T) Machine {
	t.Helper()
	root := t.TempDir()
	m := Machine{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc")}
	files := map[string]string{
		"proc/cpuinfo":  "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon\nstepping\t: 8\n\nprocessor\t: 1\nmodel name\t: other\n",
		"proc/meminfo":  "MemTotal:       24684084 kB\nMemFree: 5 kB\n",
		"proc/kallsyms": "0000000000000000 A fixed_percpu_data\nffffffff81000000 T _stext\nffffffff81000000 T _text\nffffffff81000100 t f\nffffffff82000000 T _etext\n",
		"proc/modules":  "ext4 1000 2 - Live 0xffffffffc0000000\nhidden 1000 0 - Live 0x0000000000000000\n",

		"sys/devices/system/cpu/present":                           "0-3\n",
		"sys/devices/system/cpu/online":                            "0-2\n",
		"sys/bus/event_source/devices/software/type":               "1\n",
		"sys/bus/event_source/devices/power/type":                  "9\n",
		"sys/devices/system/memory/block_size_bytes":               "8000000\n",
		"sys/devices/system/node/node0/cpulist":                    "0-1\n",
		"sys/devices/system/node/node0/meminfo":                    "Node 0 MemTotal:       1048576 kB\nNode 0 MemFree:        5 kB\n",
		"sys/devices/system/node/node0/memory0/state":              "online\n",
		"sys/devices/system/node/node0/memory7/state":              "online\n",
		"sys/devices/system/node/node0/memory64/state":             "online\n",
		"sys/devices/system/node/node10/cpulist":                   "\n",
		"sys/devices/system/node/node10/memory8/state":             "online\n",
		"sys/devices/system/cpu/cpu0/topology/physical_package_id": "0\n",
		"sys/devices/system/cpu/cpu1/topology/physical_package_id": "0\n",
		"sys/devices/system/cpu/cpu2/topology/physical_package_id": "1\n",
		"sys/devices/system/cpu/cpu0/topology/core_id":             "4\n",
		"sys/devices/system/cpu/cpu1/topology/core_id":             "4\n",
		"sys/devices/system/cpu/cpu2/topology/core_id":             "5\n",
		"sys/devices/system/cpu/cpu0/topology/die_id":              "0\n",
		"sys/devices/system/cpu/cpu1/topology/die_id":              "0\n",
		"sys/devices/system/cpu/cpu2/topology/die_id":              "0\n",
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestWrittenFeatures reads back what a file says of its machine and events.
func TestWrittenFeatures(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := NewWriter(file, machineTree(t), &calls{})
	if err != nil {
		t.Fatal(err)
	}
	clock := perfring.Attr{Type: 1, Sample: 1, SampleFormat: writtenFormat | perfring.SampleCallchain, Flags: perfring.FlagSampleIDAll | perfring.FlagUseClockID, ClockID: 1}
	other := clock
	other.Config, other.Config3 = 9, 7 // the last makes the struct larger: all must have one size
	other.SampleFormat = writtenFormat
	const id = "00112233445566778899aabbccddeeff00112233"
	place := func(file, id string) *pprofile.Location {
		return &pprofile.Location{Mapping: &pprofile.Mapping{File: file, BuildID: id}}
	}
	own := &Own{Tool: "energyprof 1.2", Locations: []*pprofile.Location{
		place("/bin/"+strings.Repeat("x", 59), id), place("/bin/go", id[:16]), place("[kernel.kallsyms]", id), place("[vdso]", id), place("/bin/none", ""), {},
	}}
	events := []Event{{Name: "cpu-clock", Attr: clock, IDs: []uint64{7, 8}}, {Name: "dummy", Attr: other, IDs: []uint64{9}}}
	if err := w.Finish(events, own); err != nil {
		t.Fatal(err)
	}
	f, err := Open(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, e := range f.Events {
		if e.Name != events[i].Name || !slices.Equal(e.IDs, events[i].IDs) || e.Attr != events[i].Attr {
			t.Errorf("event %d: %+v, want %+v", i, e, events[i])
		}
	}
	var ids []string
	for _, b := range f.Info.BuildIDs {
		ids = append(ids, b.Filename+" "+hex.EncodeToString(b.ID))
		if b.Kernel != (b.Filename == "[kernel.kallsyms]") {
			t.Errorf("%s: of the kernel %v", b.Filename, b.Kernel)
		}
	}
	slices.Sort(ids)
	i := f.Info
	host, release, arch := uname()
	for _, check := range []struct{ got, want any }{
		{ids, []string{"/bin/go " + id[:16], "/bin/" + strings.Repeat("x", 59) + " " + id, "[kernel.kallsyms] " + id}},
		{[]string{i.Hostname, i.OSRelease, i.Arch}, []string{host, release, arch}},
		{i.Version, "energyprof 1.2"},
		{i.CPUDesc, "Xeon"},
		{i.CPUID, "GenuineIntel,6,143,8"},
		{i.MemoryKiB, uint64(24684084)},
		{i.CPUsOnline, 3},
		{i.CPUsAvailable, 4},
		{i.CPUs, []CPU{{0, 0, 4}, {0, 0, 4}, {1, 0, 5}, {-1, -1, -1}}},
		{i.PackageSiblings, []string{"0-1", "2"}},
		{i.DieSiblings, []string{"0-1", "2"}},
		{i.ThreadSiblings, []string{"0-1", "2"}},
		{i.Nodes, []Node{{ID: 0, TotalKiB: 1 << 20, FreeKiB: 5, CPUs: "0-1", Memory: []MemoryRange{{0, 1 << 27}, {7 << 27, 8 << 27}, {64 << 27, 65 << 27}}},
			{ID: 10, Memory: []MemoryRange{{8 << 27, 9 << 27}}}}},
		{i.PMUs, map[uint32]string{1: "software", 9: "power"}},
		{i.Cmdline, os.Args},
		{i.Clock.String(), "CLOCK_MONOTONIC"},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("got %v, want %v", check.got, check.want)
		}
	}
	// The kernel's mappings are for perf; a replay passes them over.
	replayed := &calls{}
	if _, err := f.Read(replayed); err != nil || len(replayed.list) != 0 {
		t.Errorf("%v, %v", err, replayed.list)
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"[kernel.kallsyms]_text": true, "[ext4]": true, "[hidden]": false} {
		if bytes.Contains(data, []byte(text+"\x00")) != want {
			t.Errorf("%s: there is %v", text, !want)
		}
	}
}

// TestWriteRefuses holds that what no reader could tell apart is no file.
func TestWriteRefuses(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	other := []Event{{Name: "odd", Attr: perfring.Attr{SampleFormat: perfring.SampleTime}}}
	for _, test := range []struct {
		events []Event
		tapped bool
		want   string
	}{
		{nil, true, "describes no event"},
		{other, true, "event odd"},
		{other, false, "without its bytes"},
	} {
		w, err := NewWriter(file, Machine{}, &calls{})
		if err != nil {
			t.Fatal(err)
		}
		if !test.tapped {
			w.Record(&perfring.Exit{}, 0, -1)
		}
		if err := w.Finish(test.events, &Own{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	pipe, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer end.Close()
	if _, err := NewWriter(end, Machine{}, &calls{}); err == nil {
		t.Error("a pipe is no file whose header can come last")
	}
}

// BenchmarkWriter is what keeping a sample with 16 frames costs the recording.
func BenchmarkWriter(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "perf.data"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w, err := NewWriter(file, Machine{}, &nothing{})
	if err != nil {
		b.Fatal(err)
	}
	raw := make([]byte, 192)
	rec := &perfring.Sample{Header: perfring.Header{Type: perfring.RecordSample, Size: uint16(len(raw))}}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		rec.Time++
		w.Tap(raw)
		w.Record(rec, 1, 0)
	}
}

type nothing struct{ calls }

func (nothing) Record(perfring.Record, int, int) {}
