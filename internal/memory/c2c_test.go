package memory

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
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

func TestTryC2C(t *testing.T) {
	var all []perfring.Sample
	add := func(pid, tid, cpu uint32, addr uint64, d pebs.DataSource) {
		all = append(all, perfring.Sample{IP: 0x400100, PID: pid, TID: tid, CPU: cpu, Time: uint64(1000 + len(all)), Addr: addr, Period: 1, Weight: 100, DataSrc: uint64(d)})
	}
	for range 5 {
		add(10, 10, 0, 0x10000000, 0x68800842)
		add(10, 11, 1, 0x10000008, pebs.OpStore|pebs.LvlHit|pebs.LvlL1)
		add(10, 12, 2, 0x10000010, pebs.OpStore|pebs.LvlMiss|pebs.LvlL1)
		add(10, 12, 2, 0x10000010, 0x2600808042)
	}
	add(10, 12, 2, 0x10000050, 0x68100142)
	f := writeC2C(t, all)
	exec.Command("cp", f, "/tmp/w/c2c.data").Run()
	t.Log(runPerf(t, "c2c", "report", "--stdio", "--show-all", "--no-source", "-N", "-i", f))
}
