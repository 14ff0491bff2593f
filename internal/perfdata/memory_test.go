package perfdata

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// memoryFormat is what samples of memory accesses carry.
const memoryFormat = writtenFormat | perfring.SampleIP | perfring.SampleAddr | perfring.SamplePeriod |
	perfring.SampleWeightStruct | perfring.SampleDataSrc | perfring.SamplePhysAddr | perfring.SampleDataPageSize

// accesses are loads and stores as processors have told them, on two CPUs that share a line.
func accesses() []perfring.Sample {
	const (
		load, store           = 2, 4                          // mem_op
		hit, miss             = 2 << 5, 4 << 5                // mem_lvl, from bit 5
		l1, lfb, l3           = 8 << 5, 16 << 5, 64 << 5      //
		ram, remoteCache      = 128 << 5, 1024 << 5           //
		snoopNone, snoopHitM  = 2 << 19, 16 << 19             // mem_snoop, from bit 19
		tlbHit, tlbL1, tlbL2  = 2 << 26, 8 << 26, 16 << 26    // mem_dtlb, from bit 26
		unlocked, locked      = 1 << 24, 2 << 24              // mem_lock, from bit 24
		numL1, numLFB, numRAM = 1 << 33, 0xc << 33, 0xd << 33 // mem_lvl_num, from bit 33
		numL3                 = 3 << 33
	)
	sources := []uint64{
		load | l1 | hit | snoopNone | locked | tlbHit | tlbL1 | tlbL2 | numL1,
		load | lfb | hit | snoopNone | unlocked | tlbHit | tlbL1 | tlbL2 | numLFB,
		load | ram | hit | snoopNone | unlocked | tlbHit | tlbL2 | numRAM,
		load | l3 | hit | snoopHitM | unlocked | tlbHit | tlbL1 | tlbL2 | numL3,
		load | remoteCache | hit | snoopHitM | tlbHit | tlbL1, // perf script cuts what is longer
		store | l1 | hit | unlocked | tlbHit | tlbL1 | tlbL2 | numL1,
		store | l1 | miss | unlocked | tlbHit | tlbL1 | tlbL2 | numL1,
	}
	var all []perfring.Sample
	for i, source := range sources {
		all = append(all, perfring.Sample{IP: 0x401000 + uint64(i), PID: 5, TID: uint32(6 + i%2), Time: 1e9 + uint64(i)*1e6, Addr: 0x7f0000001040 + uint64(8*i%64),
			CPU: uint32(i % 2), Period: 1000, WeightVar1: uint32(7 + 100*i), WeightVar2: uint16(3 + i), DataSrc: source,
			PhysAddr: 0x1234040 + uint64(8*i%64), DataPageSize: 4096})
	}
	return all
}

// rawAccess is the sample as the kernel writes it.
func rawAccess(id uint64, s *perfring.Sample) []byte {
	b := make([]byte, recordHeader)
	b = numbers32(numbers64(b, id, s.IP), s.PID, s.TID)
	b = numbers32(numbers64(b, s.Time, s.Addr), s.CPU, 0)
	weight := uint64(s.WeightVar1) | uint64(s.WeightVar2)<<32 | uint64(s.WeightVar3)<<48
	b = numbers64(b, s.Period, weight, s.DataSrc, s.PhysAddr, s.DataPageSize)
	native.PutUint32(b, uint32(perfring.RecordSample))
	native.PutUint16(b[4:], perfring.MiscUser|perfring.MiscExactIP)
	native.PutUint16(b[6:], uint16(len(b)))
	return b
}

// keepAccesses writes a recording of them beside a clock, and returns its file and what its sink was told. The clock's
// samples have the same fields, or perf script would print them of no event (evsel__do_check_stype in builtin-script.c).
func keepAccesses(t *testing.T, m Machine) (path string, told *asking) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "perf.data"))
	must(t, err)
	defer file.Close()
	told = &asking{}
	w, err := NewWriter(file, m, told)
	must(t, err)
	told.servedBy = w.ServedBy(func(s *perfring.Sample, cpu int) int {
		if pebs.DataSource(s.DataSrc).Remote() {
			return 1 - cpu
		}
		return cpu
	})
	clock := perfring.Attr{Type: 1, Sample: 199, SampleFormat: memoryFormat,
		Flags: perfring.FlagSampleIDAll | perfring.FlagUseClockID | perfring.FlagFreq, ClockID: 1}
	loads := perfring.Attr{Type: 4, Config: 0x1cd, Config1: 30, PreciseIP: 3, Sample: 1000, SampleFormat: memoryFormat,
		ReadFormat: perfring.ReadID | perfring.ReadLost, Flags: clock.Flags &^ perfring.FlagFreq, ClockID: 1}
	events := []Event{{Name: "cpu-clock", Attr: clock, IDs: []uint64{11, 12}}, {Name: "cpu/mem-loads,ldlat=30/ppp", Attr: loads, IDs: []uint64{21, 22, 31}}} // the last of the leader
	decoder := perfring.NewDecoder()
	for _, e := range events {
		must(t, decoder.Add(&e.Attr, e.IDs...))
	}
	w.now, w.cpu = 1, 0
	w.write(tokRecords, w.comm(&perfring.Comm{Header: perfring.Header{Type: perfring.RecordComm}, PID: 5, TID: 5, Name: []byte("walk")}))
	for _, s := range accesses() {
		raw := rawAccess(21+uint64(s.CPU), &s)
		rec, err := decoder.Decode(raw)
		must(t, err)
		w.Tap(raw)
		w.Record(rec, int(s.CPU), 1)
	}
	throttle := numbers64(make([]byte, recordHeader), 2e9, 31, 31)
	throttle = numbers64(numbers32(numbers64(numbers32(throttle, 5, 6), 2e9), 1, 0), 31)
	native.PutUint32(throttle, uint32(perfring.RecordThrottle))
	native.PutUint16(throttle[6:], uint16(len(throttle)))
	rec, err := decoder.Decode(throttle)
	must(t, err)
	w.Tap(throttle)
	w.Record(rec, 1, 1)
	w.Advance(3e9)
	own := &Own{Tool: "energyprof 1.2", Events: []OwnEvent{{Name: "cpu-clock", Clock: true}, {Name: events[1].Name, Memory: true}},
		Memory: &OwnMemory{Weigh: true}, Books: []perfring.EventBooks{{Name: "cpu-clock"}, {Name: events[1].Name, Samples: 7, Represented: 7000, HasCount: true, Counted: 7500, Throttles: 1}}}
	must(t, w.Finish(events, own))
	return file.Name(), told
}

// TestReplayMemory reads a recording of memory accesses back: the same samples, whose memory served them, and the books.
func TestReplayMemory(t *testing.T) {
	path, want := keepAccesses(t, machineTree(t))
	f, err := Open(path)
	must(t, err)
	defer f.Close()
	if f.Own == nil || !f.Own.Events[1].Memory {
		t.Fatalf("section %+v", f.Own)
	}
	got := &asking{servedBy: f.Own.ServedBy}
	r, err := f.Read(got)
	must(t, err)
	if diff := cmp.Diff(want.list, got.list); diff != "" {
		t.Errorf("(-recorded +replayed):\n%s", diff)
	}
	if !slices.Contains(got.list, fmt.Sprintf("%d by 1", 0x401004)) {
		t.Errorf("%q do not have the load that the other CPU's memory served", got.list)
	}
	if !slices.Equal(r.Events, f.Own.Books) || r.Samples[1] != 7 {
		t.Errorf("books %+v, %d samples; want those of the recording", r.Events, r.Samples[1])
	}
	f.Close()

	// Without the section the records tell what they can.
	b, err := os.ReadFile(path)
	must(t, err)
	i := strings.Index(string(b), ownMagic)
	b[i] = 'x'
	must(t, os.WriteFile(path, b, 0o600))
	f, err = Open(path)
	must(t, err)
	defer f.Close()
	r, err = f.Read(&calls{})
	must(t, err)
	if b := r.Events[1]; b != (perfring.EventBooks{Name: "cpu/mem-loads,ldlat=30/ppp", Samples: 7, Represented: 7000, HasLost: true, Throttles: 1}) {
		t.Errorf("books %+v of a file of perf", b)
	}
}

// TestPerfReadsMemory holds that perf reads our recordings of memory accesses, and says of them what we do.
func TestPerfReadsMemory(t *testing.T) {
	needPerf(t)
	path, _ := keepAccesses(t, machineTree(t))
	out, err := runPerf("script", "-i", path, "-G", "-F", "event,addr,weight,data_src,phys_addr,data_page_size")
	must(t, err)
	var got, want []string
	for line := range strings.Lines(out) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	for _, s := range accesses() {
		want = append(want, strings.Join(strings.Fields(fmt.Sprintf("cpu/mem-loads,ldlat=30/ppp: %x %x %s %d %x 4K",
			s.Addr, s.DataSrc, pebs.DataSource(s.DataSrc), s.WeightVar1, s.PhysAddr)), " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +perf script):\n%s", diff)
	}
	for _, c := range []struct {
		args []string
		want []string // words of one line
	}{
		{[]string{"mem", "-i", path, "report", "--stdio"}, []string{"RAM", "207"}},
		{[]string{"c2c", "report", "-i", path, "--stdio"}, []string{"0x7f0000001040"}},
	} {
		out, err := runPerf(c.args...)
		must(t, err)
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			return !slices.ContainsFunc(c.want, func(word string) bool { return !strings.Contains(line, word) })
		}) {
			t.Errorf("perf %s has no line with %q:\n%s", strings.Join(c.args, " "), c.want, out)
		}
	}
}
