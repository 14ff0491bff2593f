package memory

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// Sources of data as kernels give them.
const (
	fromL1     = pebs.OpLoad | pebs.LvlHit | pebs.LvlL1 | pebs.NumL1 | pebs.SnoopNone | pebs.TLBHit | pebs.TLBL1 | pebs.TLBL2
	fromDRAM   = pebs.OpLoad | pebs.LvlHit | pebs.LvlLocalRAM | pebs.NumRAM | pebs.SnoopMiss | pebs.TLBMiss | pebs.TLBL2
	fromFar    = pebs.OpLoad | pebs.LvlHit | pebs.LvlRemoteRAM1 | pebs.NumRAM | pebs.RemoteBit | pebs.SnoopMiss | pebs.TLBMiss | pebs.TLBL2
	fromCXL    = pebs.OpLoad | pebs.LvlHit | pebs.NumCXL | pebs.SnoopNone | pebs.TLBHit | pebs.TLBL1
	storeL1    = pebs.OpStore | pebs.LvlHit | pebs.LvlL1 | pebs.NumL1 | pebs.TLBHit | pebs.TLBL1 | pebs.LockLocked
	prefetched = pebs.OpPrefetch | pebs.LvlHit | pebs.LvlL2 | pebs.NumL2
)

// stack is one of a function of a process.
func stack(process string, pid int, function string, joules ...float64) pprofile.Stack {
	leaf := &pprofile.Location{Address: 0x401000, Mapping: &pprofile.Mapping{Start: 0x400000, Limit: 0x500000, File: "/usr/bin/" + process}}
	if function != "" {
		leaf.Lines = []pprofile.Frame{{Function: function}, {Function: "inlined into"}}
	}
	return pprofile.Stack{Locations: []*pprofile.Location{leaf, {Address: 0x402000}}, Process: process, Thread: process, PID: pid, TID: pid, Joules: joules}
}

// synthetic is a stack of one frame.
func synthetic(name string, joules ...float64) pprofile.Stack {
	return pprofile.Stack{Locations: []*pprofile.Location{{Lines: []pprofile.Frame{{Function: name}}}}, Joules: joules}
}

// machine is a recording of two processes on the machine of testdata/sockets.txtar: one of them walks pages of both
// packages and of CXL, and has hostile names; there are joules of two packages.
func machine(t testing.TB, spool io.ReadWriteSeeker) (*Table, Recorded) {
	nodes := nodesOf(t, "sockets")
	table := New(Options{Nodes: nodes, Samples: spool, Events: []Event{
		{Name: "cpu-clock", Clock: true}, {Name: "cpu/mem-loads,ldlat=30/P", Memory: true}, {Name: "cpu/mem-stores/P", Memory: true}}})
	const start = 5_000_000_000
	add := func(n int, stack int32, s perfring.Sample) {
		for i := range n {
			c := s
			c.Time = start + s.Time + uint64(i)*10_000_000
			c.Weight += uint64(i % 20)
			event := 1
			if pebs.DataSource(s.DataSrc).Stores() {
				event = 2
			}
			table.Add(&c, event, stack)
		}
	}
	sample := func(pid uint32, cpu uint32, address, physical uint64, source pebs.DataSource, latency, period uint64) perfring.Sample {
		return perfring.Sample{PID: pid, TID: pid + 1, CPU: cpu, Addr: address, PhysAddr: physical, DataSrc: uint64(source),
			Weight: latency, WeightVar2: uint16(latency + 7), Period: period, DataPageSize: 4096}
	}
	add(40, 0, sample(100, 1, 0x7f0000001008, 0x1008, fromDRAM, 300, 1000))
	add(20, 0, sample(100, 1, 0x7f0000002010, 2*gib+0x10, fromFar, 500, 1000))
	add(10, 1, sample(100, 1, 0x7f0000003010, 5*gib+0x10, fromCXL, 700, 500))
	add(100, 1, sample(100, 1, 0x7f0000001020, 0x1020, fromL1, 0, 1000))
	add(30, 2, sample(200, 5, 0x559abaa10040, 2*gib+0x9040, storeL1, 0, 2000))
	big := sample(200, 5, 0x7f1234567890, 2*gib+0x34567890, fromDRAM, 400, 1000)
	big.DataPageSize = 2 << 20
	big.Time = 700_000_000
	add(10, 3, big)
	kernel := sample(200, 5, 0xffff888000001000, 0x5000, fromDRAM, 350, 100)
	kernel.DataPageSize = 0
	add(5, 4, kernel)
	add(4, 3, sample(200, 6, 0x7f1234568890, 0, prefetched, 0, 10))
	nowhere := sample(200, 6, 0, 0, fromL1, 5, 1000)
	add(3, 3, nowhere)

	data := &pprofile.Profile{Measured: true, Duration: 1500 * time.Millisecond, Stacks: []pprofile.Stack{
		stack("app", 100, "walk[abi:cxx11]<std::vector<int>>", 3.5, 1.5),
		stack("app", 100, "sum", 0.0625, 0),
		stack("evil\x1b[31m", 200, "put\x1b[2J", 0, 0),
		stack("evil\x1b[31m", 200, "", 0, 2.25),
		stack("evil\x1b[31m", 200, "copy_page", 0, 0.03125),
		stack("app", 100, "asleep", 0.0078125, 0),
		synthetic(pprofile.Prefetch, 0.5, 0.25),
	}, Columns: []pprofile.Column{
		{Domain: "dram", Package: 0, Joules: 3.5 + 0.0625 + 0.0078125 + 0.5 + 2 + 0.125, Synthetic: pprofile.Synthetic{Baseline: 2, Lost: 0.125}},
		{Domain: "dram", Package: 1, Joules: 1.5 + 2.25 + 0.03125 + 0.25 + 1, Synthetic: pprofile.Synthetic{Baseline: 1}},
	}}
	return table, Recorded{Data: data, Source: "perf-power", Books: []perfring.EventBooks{
		{Name: "cpu-clock", Samples: 300, Represented: 1_500_000_000},
		{Name: "cpu/mem-loads,ldlat=30/P", Samples: 199, Represented: 190_540, HasCount: true, Counted: 201_000, Enabled: 1500 * time.Millisecond,
			Running: 1500 * time.Millisecond, HasLost: true, Lost: 7, LostSamples: 2, Throttles: 3, Unthrottles: 3},
		{Name: "cpu/mem-stores/P", Samples: 30, Represented: 60_000, HasCount: true, Counted: 61_234, Enabled: 1500 * time.Millisecond,
			Running: 900 * time.Millisecond, HasLost: true}}}
}

// faults is a recording of page faults and of a breakpoint, without joules and nodes.
func faults(spool io.ReadWriteSeeker) (*Table, Recorded) {
	table := New(Options{Samples: spool, Events: []Event{{Name: "cpu-clock", Clock: true}, {Name: "page-faults", Period: 1}, {Name: "mem:0x404020/4:w", Period: 1}}})
	for i := range uint64(12) {
		table.Add(&perfring.Sample{Time: i * 100_000, PID: 100, TID: 100, CPU: uint32(i % 2), Addr: 0x7f0000000000 + i/4*4096 + i, Period: 1 + i%2}, 1, int32(i%2))
	}
	for i := range uint64(5) {
		table.Add(&perfring.Sample{Time: 2_000_000 + i, PID: 100, TID: 101, Addr: 0x404020}, 2, 2)
	}
	return table, Recorded{Data: &pprofile.Profile{Duration: 2 * time.Millisecond, Stacks: []pprofile.Stack{
		stack("app", 100, "touch"), stack("app", 100, "memset"), stack("app", 100, "count")}}}
}

// results are results of all kinds, by the name of their golden files.
func results(t testing.TB) map[string]*Result {
	table, recorded := machine(t, nil)
	whole := table.Result(recorded)
	whole.Command = &Command{Args: []string{"./app", "\x1b[2J"}}
	short := table.Result(recorded)
	short.Keep(2)
	recorded.Data.Measured, recorded.Source = false, "model"
	estimate := table.Result(recorded)
	faulting, faulted := faults(nil)
	few := New(Options{Events: []Event{{Name: "cpu/mem-loads/P", Memory: true}}, MaxPages: 2, MaxLatencies: 1})
	for i := range uint64(5) {
		few.Add(&perfring.Sample{PID: 1, Addr: (i + 1) << 12, DataSrc: uint64(fromDRAM), Weight: 100 + 9*i}, 0, 0)
	}
	code := 3
	full := few.Result(Recorded{Data: &pprofile.Profile{Stacks: []pprofile.Stack{stack("app", 1, "walk")}}})
	full.Command = &Command{Args: []string{"app"}, ExitCode: &code}
	return map[string]*Result{
		"machine": whole, "short": short, "estimate": estimate, "faults": faulting.Result(faulted), "full": full,
		"nothing": New(Options{Events: []Event{{Name: "ibs_op//", Memory: true}}}).Result(Recorded{Data: &pprofile.Profile{}}),
	}
}

// printable stands in for the command's own.
func printable(s string) string { return strings.ReplaceAll(s, "\x1b", `\x1b`) }

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestFormats holds every format to its golden file.
func TestFormats(t *testing.T) {
	for name, r := range results(t) {
		var text bytes.Buffer
		if err := r.WriteJSON(&text); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", text.Bytes())
		text.Reset()
		for _, by := range Bys {
			text.WriteString("== by " + string(by) + "\n")
			if err := (Text{By: by, Width: 160, Printable: printable}).Write(&text, r); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, name+".txt", text.Bytes())
	}
}

// TestSamples: the list of samples is what was added, and more can be added behind it.
func TestSamples(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "samples"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, recorded := machine(t, file)
	var text bytes.Buffer
	if err := table.WriteSamples(&text, recorded.Data, printable); err != nil {
		t.Fatal(err)
	}
	golden(t, "machine.samples", text.Bytes())
	before := text.Len()
	table.spool.max = table.spool.kept + 1
	for range 3 {
		table.Add(&perfring.Sample{PID: 4711, Addr: 8, DataSrc: uint64(fromL1)}, 1, 0)
	}
	text.Reset()
	if err := table.WriteSamples(&text, recorded.Data, printable); err != nil {
		t.Fatal(err)
	}
	more := strings.Split(strings.TrimSuffix(text.String()[before:], "\n"), "\n")
	if len(more) != 2 || !strings.Contains(more[0], "4711/0") || more[1] != "(2 more samples came after these)" {
		t.Errorf("after one sample more, and two beyond the limit, there are the lines %q", more)
	}
	if err := New(Options{}).WriteSamples(&text, recorded.Data, printable); err == nil {
		t.Error("a table that keeps no samples lists them")
	}
}

// TestWidth: names are shortened to the width of the terminal.
func TestWidth(t *testing.T) {
	r := results(t)["machine"]
	r.Notes = nil
	r.Functions[0].Function = strings.Repeat("long::", 50)
	r.Events = nil
	for _, by := range []By{ByFunction, ByNode} {
		var text bytes.Buffer
		if err := (Text{By: by, Width: 120, Printable: printable}).Write(&text, r); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 120 {
				t.Errorf("by %s: a line of %d characters: %q", by, n, line)
			}
		}
		if by == ByFunction && !strings.Contains(text.String(), "long::long...") {
			t.Errorf("the long name is not shortened:\n%s", text.String())
		}
	}
	if err := (Text{By: "street", Printable: printable}).Write(io.Discard, r); err == nil {
		t.Error("a table by street is written")
	}
}

// TestHuge: a file can have periods, latencies and addresses of any size.
func TestHuge(t *testing.T) {
	table := New(Options{Events: []Event{{Name: "loads", Memory: true}}})
	for _, s := range []perfring.Sample{
		{Time: 1 << 63, Addr: math.MaxUint64, Period: 1 << 63, Weight: math.MaxUint64, DataSrc: uint64(fromDRAM)},
		{Time: 1, Addr: math.MaxUint64 - 1, PhysAddr: math.MaxUint64, Period: math.MaxUint64, Weight: math.MaxUint64, DataSrc: uint64(fromL1), DataPageSize: 1 << 63},
		{Time: math.MaxUint64, Addr: 1 << 63, Period: 3, Weight: 1, DataSrc: uint64(fromDRAM), DataPageSize: 1 << 63, CPU: math.MaxUint32},
		{PID: math.MaxUint32, TID: math.MaxUint32, Addr: 1, Period: 1, DataSrc: uint64(fromL1)}, // of a task that had ended
	} {
		table.Add(&s, 0, 0)
	}
	r := table.Result(Recorded{Data: &pprofile.Profile{Measured: true, Stacks: []pprofile.Stack{stack("app", 1, "f", 5)},
		Columns: []pprofile.Column{{Domain: "dram", Joules: 5}}}})
	total := r.Total
	if total.Loads != math.MaxUint64 || total.MemoryBytes != math.MaxUint64 || *total.P95Latency != math.MaxUint64 || *total.Joules != 5 {
		t.Errorf("loads %d, bytes %d, 95th percentile %v and joules %v, want the largest numbers that there are and 5 J",
			total.Loads, total.MemoryBytes, *total.P95Latency, *total.Joules)
	}
	if p, l := r.Pages[len(r.Pages)-1], r.Lines[len(r.Lines)-1]; p.PID != -1 || l.PID != -1 || l.Offsets[0].Threads[0] != (Thread{-1, -1}) {
		t.Errorf("what had ended is process %d of a page, process %d and thread %v of a line, want -1", p.PID, l.PID, l.Offsets[0].Threads)
	}
	if err := r.WriteJSON(io.Discard); err != nil {
		t.Error(err)
	}
	for _, by := range Bys {
		if err := (Text{By: by, Printable: strings.ToUpper}).Write(io.Discard, r); err != nil {
			t.Errorf("by %s: %v", by, err)
		}
	}
}
