package memory

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// twoNodes is a machine of two nodes with two CPUs each.
const twoNodes = `
-- sys/devices/system/cpu/present --
0-3
-- sys/devices/system/cpu/online --
0-3
-- sys/devices/system/cpu/cpu0/topology/physical_package_id --
0
-- sys/devices/system/cpu/cpu0/topology/core_id --
0
-- sys/devices/system/cpu/cpu1/topology/physical_package_id --
0
-- sys/devices/system/cpu/cpu1/topology/core_id --
1
-- sys/devices/system/cpu/cpu2/topology/physical_package_id --
1
-- sys/devices/system/cpu/cpu2/topology/core_id --
0
-- sys/devices/system/cpu/cpu3/topology/physical_package_id --
1
-- sys/devices/system/cpu/cpu3/topology/core_id --
1
-- sys/devices/system/node/online --
0-1
-- sys/devices/system/node/has_memory --
0-1
-- sys/devices/system/node/node0/cpulist --
0-1
-- sys/devices/system/node/node0/meminfo --
Node 0 MemTotal:        1000000 kB
Node 0 MemFree:          500000 kB
-- sys/devices/system/node/node1/cpulist --
2-3
-- sys/devices/system/node/node1/meminfo --
Node 1 MemTotal:        1000000 kB
Node 1 MemFree:          500000 kB
`

// nobody takes nothing of what a Writer passes on.
type nobody struct{}

func (nobody) Record(perfring.Record, int, int) {}
func (nobody) Existing(int) error               { return nil }
func (nobody) Busy(int, int64, int64, int64)    {}
func (nobody) Others(int, int64, int64, int64)  {}
func (nobody) Missed(int, int64, int64, int64)  {}
func (nobody) Energy(int, int64, float64)       {}
func (nobody) Count(int, int64, float64)        {}
func (nobody) Advance(int64)                    {}

const c2cFormat = perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleAddr |
	perfring.SampleCPU | perfring.SamplePeriod | perfring.SampleWeight | perfring.SampleDataSrc | perfring.SamplePhysAddr

// writeC2C writes the samples into a perf.data file, as of a loads and a stores event, in which
// perf finds the code and the data of each process.
func writeC2C(t *testing.T, samples []perfring.Sample) string {
	t.Helper()
	root := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(twoNodes)), root); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(root, "perf.data"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := perfdata.NewWriter(file, perfdata.Machine{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc")}, nobody{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]bool{}
	for _, s := range samples {
		if !seen[s.PID] {
			seen[s.PID] = true
			w.Found(&perfring.Comm{Header: perfring.Header{Misc: perfring.MiscUser}, PID: s.PID, TID: s.PID, Name: []byte("app")})
			w.Found(&perfring.Mmap2{Header: perfring.Header{Misc: perfring.MiscUser}, PID: s.PID, TID: s.PID, Addr: 0x400000, Len: 0x100000,
				Prot: 5, Flags: 2, Filename: []byte("/bin/app")})
			w.Found(&perfring.Mmap2{Header: perfring.Header{Misc: perfring.MiscUser}, PID: s.PID, TID: s.PID, Addr: 0x10000000, Len: 0x1000000,
				Prot: 7, Flags: 2, Filename: []byte("//anon")})
		}
		const id = 7
		native := binary.NativeEndian
		raw := native.AppendUint32(nil, uint32(perfring.RecordSample))
		raw = native.AppendUint16(raw, perfring.MiscUser)
		raw = native.AppendUint16(raw, 8+8*10)
		for _, word := range []uint64{id, s.IP, uint64(s.PID) | uint64(s.TID)<<32, s.Time, s.Addr, uint64(s.CPU), s.Period, s.Weight, s.DataSrc, s.PhysAddr} {
			raw = native.AppendUint64(raw, word)
		}
		s.Header = perfring.Header{Type: perfring.RecordSample, Misc: perfring.MiscUser, Size: uint16(len(raw))}
		w.Tap(raw)
		w.Record(&s, int(s.CPU), 0)
	}
	w.Advance(int64(samples[len(samples)-1].Time))
	attr := perfring.Attr{Type: 4, Config: 0x1cd, Config1: 30, Sample: 1, SampleFormat: c2cFormat, Flags: perfring.FlagSampleIDAll, PreciseIP: 2}
	if err := w.Finish([]perfdata.Event{{Name: "cpu/mem-loads,ldlat=30/P", Attr: attr, IDs: []uint64{7}}}, &perfdata.Own{Tool: "test"}); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func runPerf(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "perf", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PERF_CONFIG=/dev/null")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("perf %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// c2cSources are accesses of all kinds that perf 6.1 has columns for.
var c2cSources = []pebs.DataSource{
	0x68100142, 0x6a100142, 0x68100242, 0x68100442, // L1, L1 locked, line fill buffer, L2
	0x600100842, 0x600400842, 0x600200842, 0x600800842, 0x600800842, 0x600800842, // L3: none, missed, hit, modified
	0x2600208042, 0x2600808042, 0x2600808042, // another node's cache: hit, modified
	0x1a00201042, 0x1a00501042, 0x2600202042, 0x3a00502042, // DRAM, shared and not; another node's
	pebs.OpStore | pebs.LvlHit | pebs.LvlL1, pebs.OpStore | pebs.LvlMiss | pebs.LvlL1, pebs.OpStore | pebs.LvlNA,
	pebs.OpStore | pebs.LvlHit | pebs.LvlL1 | pebs.LockLocked,
}

// c2cSamples are accesses of three processes to some lines; two processes have one address each of their own.
func c2cSamples() (all []perfring.Sample) {
	random := rand.New(rand.NewPCG(3, 5))
	for i := range 3000 {
		pid := uint32(10 * (1 + random.IntN(3)))
		line := uint64(random.IntN(6))
		if pid == 10 {
			line += 100 // apart from those of the others
		}
		all = append(all, perfring.Sample{IP: 0x400100, PID: pid, TID: pid + uint32(random.IntN(4)), CPU: uint32(random.IntN(4)),
			Time: uint64(1000 + i), Addr: 0x10000000 + 64*line + uint64(8*random.IntN(4)), Period: 1, Weight: 100,
			DataSrc: uint64(c2cSources[random.IntN(len(c2cSources))])})
	}
	return all
}

// c2cTable is what the table says of samples of one event of memory accesses.
func c2cTable(samples []perfring.Sample) *Result {
	table := New(Options{Events: []Event{{Name: "loads", Memory: true}}})
	for i := range samples {
		table.Add(&samples[i], 0, 0)
	}
	return table.Result(Recorded{Data: &pprofile.Profile{Stacks: []pprofile.Stack{{Process: "app"}}}})
}

// fieldsOf are the numbers of the lines of perf's that begin with one.
func fieldsOf(out string, columns int) (rows [][]string) {
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= columns && f[0] != "#" {
			rows = append(rows, f)
		}
	}
	return rows
}

// TestPerfC2C holds the counts of each line and offset against perf c2c's.
func TestPerfC2C(t *testing.T) {
	skipWithoutPerf(t)
	samples := c2cSamples()
	result := c2cTable(samples)
	out := runPerf(t, "c2c", "report", "--stdio", "--show-all", "--no-source", "-i", writeC2C(t, samples))
	_, out, _ = strings.Cut(out, "Shared Data Cache Line Table")
	shared, pareto, ok := strings.Cut(out, "Shared Cache Line Distribution Pareto")
	if !ok {
		t.Fatalf("perf c2c printed\n%s", out)
	}

	// perf 6.1 counts a load with mem_remote as one of remote DRAM and, with a hit, as one of a remote cache,
	// whatever else is said of it.
	type lineOf struct {
		pid  int
		addr string
	}
	dram, cache := map[lineOf]int{}, map[lineOf]int{}
	for i := range samples {
		s, d := &samples[i], pebs.DataSource(samples[i].DataSrc)
		of := lineOf{int(s.PID), fmt.Sprintf("%#x", s.Addr&^63)}
		if d&pebs.RemoteBit != 0 && d.Level() == pebs.RemoteCache {
			dram[of]++
		}
		if d&pebs.RemoteBit != 0 && d.Level() == pebs.RemoteRAM && d&pebs.SnoopHit != 0 {
			cache[of]++
		}
	}
	var got, want []string
	for _, f := range fieldsOf(shared, 23) {
		// index, address, node, physical addresses, share of HITM, HITM, local, remote, records, loads, stores, L1 hits, misses,
		// unknown, LFB, L1, L2, L3, local HITM, remote hits, remote HITM, DRAM, remote DRAM
		got = append(got, strings.Join(slices.Concat(f[1:2], f[6:8], f[10:]), " "))
	}
	for i := range result.Lines {
		l := &result.Lines[i]
		of := lineOf{l.PID, l.Address}
		want = append(want, fmt.Sprintln(l.Address, l.LocalHitM, l.RemoteHitM, l.SampledStores, l.StoreHits, l.StoreMisses, l.StoreUnknown,
			l.Levels["LFB"], l.Levels["L1"], l.Levels["L2"], l.Levels["L3"]-l.LocalHitM, l.LocalHitM,
			int(l.Levels["remote cache"]-l.RemoteHitM)+cache[of], l.RemoteHitM, l.Levels["DRAM"], int(l.Levels["remote DRAM"])+dram[of]))
	}
	compareRows(t, "lines", got, want)
	if len(want) != 18 {
		t.Errorf("%d lines, want 18", len(want))
	}

	got, want = nil, nil
	for _, f := range fieldsOf(pareto, 16) {
		// remote HITM, local HITM, L1 hits, misses, unknown (all in percent of the line), address, node, physical
		// addresses, code, cycles of three kinds, records, CPUs
		got = append(got, strings.Join(append(f[:6:6], f[13]), " "))
	}
	for i := range result.Lines {
		l := &result.Lines[i]
		percent := func(part, all uint64) string { return fmt.Sprintf("%.2f%%", 100*float64(part)/float64(all)) }
		for _, o := range l.Offsets {
			want = append(want, fmt.Sprintln(percent(o.RemoteHitM, l.RemoteHitM), percent(o.LocalHitM, l.LocalHitM),
				percent(o.StoreHits, l.StoreHits), percent(o.StoreMisses, l.StoreMisses), percent(o.StoreUnknown, l.StoreUnknown),
				fmt.Sprintf("%#x", o.Offset), len(onlineCPUs(t, o.CPUs))))
		}
	}
	compareRows(t, "offsets", got, want)
}

func onlineCPUs(t *testing.T, list string) []int {
	t.Helper()
	cpus, err := pmu.ParseCPUList(list)
	if err != nil {
		t.Fatal(err)
	}
	return cpus
}

// compareRows compares without order: perf's differs among lines that are as hot.
func compareRows(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range want {
		want[i] = strings.TrimSpace(want[i])
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("%s: %d, perf has %d (-want +perf):\n%s", what, len(want), len(got), diff)
	}
}

func skipWithoutPerf(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("perf"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if version := runPerf(t, "--version"); !strings.HasPrefix(version, "perf version 6.1") {
		t.Skipf("%s has other columns than perf 6.1", strings.TrimSpace(version))
	}
}
