package guest

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// levels are those of simpmu's loads, in the order of their addresses: union
// perf_mem_data_src without the bits of TLB, lock and block; cycles; perf 6.1's
// words; and the one place that it is.
var levels = [16]struct {
	source  uint64
	latency uint32
	words   string
	level   string
}{
	{0x200100142, 5, "L1 or L1 hit|SNP None", "L1"},
	{0x1800100242, 12, "LFB/MAB or LFB/MAB hit|SNP None", "LFB"},
	{0x400100442, 16, "L2 or L2 hit|SNP None", "L2"},
	{0x600100842, 45, "L3 or L3 hit|SNP None", "L3"},
	{0x600800842, 80, "L3 or L3 hit|SNP HitM", "L3"},
	{0x1a00201042, 180, "Local RAM or RAM hit|SNP Hit", "DRAM"},
	{0x3a00100042, 300, "Remote RAM hit|SNP None", "remote DRAM"},
	{0x3a00202042, 310, "Remote Remote RAM (1 hop) or RAM hit|SNP Hit", "remote DRAM"},
	{0x2600208042, 250, "Remote Remote Cache (1 hop) or L3 hit|SNP Hit", "remote cache"},
	{0x3600800042, 260, "Remote Any cache hit|SNP HitM", "remote cache"},
	{0x103600200042, 270, "Remote node, same socket Any cache hit|SNP Hit", "remote cache"},
	{0x1c00200042, 400, "PMEM hit|SNP Hit", "PMEM"},
	{0x3c00200042, 600, "Remote PMEM hit|SNP Hit", "remote PMEM"},
	{0x1200100042, 500, "CXL hit|SNP None", "CXL"},
	{0x1e00120042, 900, "I/O or N/A hit|SNP None", "I/O"},
	{0x1e00140042, 950, "Uncached or N/A hit|SNP None", "uncached"},
}

// The bits that say how an access went besides its level.
const (
	tlbHit  = 0x68000000    // in the first or second level
	tlbMiss = 0x50000000    // of the second
	locked  = 0x2000000     // instead of no word on it
	blockNA = 0x10000000000 // nobody says whether it was blocked

	storeHit  = 0x11e05080144 // of the L1 cache; the rest is not known
	storeMiss = 0x11e05080184
	noAccess  = 0x5080021 // in 32 bits: all of it not known; above them kernels differ
)

// access is what simpmu says of an access to an address.
type access struct {
	addr    uint64
	source  uint64
	latency uint32
}

func loadAt(addr uint64) access { return servedBy(int(addr/64%16), addr) }

// servedBy is a load that a level serves, whatever the line.
func servedBy(level int, addr uint64) access {
	line := addr / 64
	l := levels[level]
	a := access{addr, l.source | blockNA, l.latency}
	if line/16%2 == 1 {
		a.source |= tlbMiss
		a.latency += 30
	} else {
		a.source |= tlbHit
	}
	if line/32%2 == 1 {
		a.source |= locked
	}
	return a
}

func storeAt(addr uint64) access {
	if addr/64%2 == 1 {
		return access{addr, storeMiss, 200}
	}
	return access{addr, storeHit, 4}
}

// buffer is memory that accesses are said to go to.
func buffer(t *testing.T, size int) uint64 {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	must(t, err)
	t.Cleanup(func() { unix.Munmap(mem) })
	base := uint64(uintptr(unsafe.Pointer(&mem[0])))
	param(t, "simpmu", "mem_base", strconv.FormatUint(base, 10))
	param(t, "simpmu", "mem_size", strconv.Itoa(size))
	return base
}

// memAttr samples every half millisecond or so.
func memAttr(e pmu.Event) *perfring.Attr {
	return &perfring.Attr{
		Type: e.Type, Config: e.Config, Config1: e.Config1, PreciseIP: e.Precise, Sample: 40_000,
		SampleFormat: perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleAddr |
			perfring.SampleDataSrc | perfring.SampleWeightStruct | perfring.SamplePhysAddr,
		Flags: perfring.FlagDisabled | perfring.FlagExcludeHV,
	}
}

// samplesOf enables the leader of e while the thread spins, and returns copies of the
// samples of e. Nothing else may be in the ring.
func samplesOf(t *testing.T, e, leader *perfring.Event) []perfring.Sample {
	t.Helper()
	ring, err := perfring.MapRing(e, 64)
	must(t, err)
	defer ring.Close()
	must(t, leader.EnableGroup())
	spin(100 * time.Millisecond)
	must(t, leader.DisableGroup())
	d := perfring.NewDecoder()
	must(t, d.Add(&e.Attr, e.ID))
	var samples []perfring.Sample
	ring.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		s, ok := rec.(*perfring.Sample)
		if !ok {
			t.Fatalf("%T in the ring", rec)
		}
		samples = append(samples, *s)
		samples[len(samples)-1].Branches = slices.Clone(s.Branches)
	})
	if len(samples) < 100 {
		t.Fatalf("%d samples in 100 ms, want some 200", len(samples))
	}
	return samples
}

// Each sample has the access that is due, with all that follows from its address.
func TestMemSamples(t *testing.T) {
	simulated(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const size = 4096
	base := buffer(t, size)
	for _, test := range []struct {
		event string
		at    func(addr uint64) access
		least uint32 // cycles
		exact bool
	}{
		{"cpu/mem-loads/pp", loadAt, 4, true},
		{"cpu/mem-loads/p", loadAt, 4, false},
		{"cpu/mem-loads,ldlat=250/ppp", loadAt, 251, true},
		{"cpu/mem-stores/ppp", storeAt, 0, true},
	} {
		t.Run(test.event, func(t *testing.T) {
			runtime.LockOSThread() // a goroutine of its own
			defer runtime.UnlockOSThread()
			e := open(t, memAttr(parse(t, test.event)), 0, -1, nil)
			offset, passed := uint64(0), map[uint64]bool{}
			for i, s := range samplesOf(t, e, e) {
				want := test.at(base + offset)
				for ; want.latency < test.least; want = test.at(base + offset) {
					offset = (offset + 64) % size
				}
				offset = (offset + 64) % size
				passed[want.source] = true
				if got := (access{s.Addr, s.DataSrc, s.WeightVar1}); got != want || s.WeightVar2 != uint16(want.latency+10) || s.WeightVar3 != 3 {
					t.Fatalf("sample %d: %#x with %d, %d and 3 cycles, want %#x", i, got, s.WeightVar2, s.WeightVar3, want)
				}
				if exact := s.Misc&perfring.MiscExactIP != 0; exact != test.exact {
					t.Fatalf("sample %d: exact address %v, want %v", i, exact, test.exact)
				}
				if s.PhysAddr == 0 || s.PhysAddr%4096 != s.Addr%4096 || int(s.PID) != os.Getpid() {
					t.Fatalf("sample %d: physical address %#x of %#x in process %d", i, s.PhysAddr, s.Addr, s.PID)
				}
			}
			t.Logf("%d kinds of access", len(passed))
		})
	}

	// An event that is not precise knows nothing of the access.
	e := open(t, memAttr(parse(t, "cpu/mem-loads/")), 0, -1, nil)
	for _, s := range samplesOf(t, e, e) {
		if s.Addr != 0 || uint32(s.DataSrc) != noAccess || s.WeightVar1 != 0 || s.Misc&perfring.MiscExactIP != 0 {
			t.Fatalf("not precise: %+v", s)
		}
	}
	// The older form of weights is the latency alone.
	a := memAttr(parse(t, "cpu/mem-loads/p"))
	a.SampleFormat ^= perfring.SampleWeightStruct | perfring.SampleWeight
	e = open(t, a, 0, -1, nil)
	for _, s := range samplesOf(t, e, e) {
		if want := uint64(loadAt(s.Addr).latency); s.Weight != want {
			t.Fatalf("weight %d of %#x, want %d", s.Weight, s.Addr, want)
		}
	}
}

// As on a Sapphire Rapids, loads have no source without mem-loads-aux before them
// in their group.
func TestMemLoadsAux(t *testing.T) {
	simulated(t)
	fs := pmu.NewFS("", "")
	if _, err := fs.Parse("cpu/mem-loads-aux/"); !errors.Is(err, pmu.ErrNoEvent) {
		t.Errorf("mem-loads-aux where it is not needed: %v", err)
	}
	reload(t, "simpmu", "aux=1")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	base := buffer(t, 4096)
	loads := memAttr(parse(t, "cpu/mem-loads/pp"))
	if _, err := perfring.Open(loads, 0, -1, nil); !errors.Is(err, unix.ENODATA) {
		t.Errorf("alone: %v, want ENODATA", err)
	}
	for _, spec := range []string{"cpu/mem-loads,ldlat=3/ppp", "cpu/event=0xcd,umask=0x1,ldlat=3/P"} {
		samplers, err := pebs.Machine{}.Try(spec, pebs.Options{})
		if err != nil || len(samplers) != 1 || samplers[0].AuxSpec != "cpu/mem-loads-aux/" || samplers[0].Precise != 3 {
			t.Errorf("%s: %+v, %v, want mem-loads-aux before it", spec, samplers, err)
		}
	}
	chosen := choose(t, pebs.Options{Loads: true, Latency: 3})[0]
	if chosen.Spec != "cpu/mem-loads,ldlat=3/ppp" || chosen.AuxSpec != "cpu/mem-loads-aux/" || len(chosen.Refused) > 0 {
		t.Errorf("chosen is %+v, want mem-loads with mem-loads-aux before it and nothing refused", chosen)
	}
	aux := attrOf(parse(t, "cpu/mem-loads-aux/"))
	aux.Flags = perfring.FlagDisabled
	leader := open(t, aux, 0, -1, nil)
	loads.Flags &^= perfring.FlagDisabled
	e := open(t, loads, 0, -1, leader)
	for i, s := range samplesOf(t, e, leader) {
		if want := loadAt(base + uint64(i)*64%4096); s.Addr != want.addr || s.DataSrc != want.source {
			t.Fatalf("sample %d: %#x from %#x, want %#x", i, s.Addr, s.DataSrc, want)
		}
	}
	must(t, e.Close()) // or the module stays
	must(t, leader.Close())
}

// Branches come with the sample that they lead to.
func TestBranchStack(t *testing.T) {
	simulated(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a := attrOf(parse(t, "cycles:u"))
	a.Sample, a.ReadFormat = 1_200_000, 0
	a.SampleFormat = perfring.SampleIP | perfring.SampleBranchStack
	a.BranchFormat = unix.PERF_SAMPLE_BRANCH_ANY | unix.PERF_SAMPLE_BRANCH_USER
	a.Flags = perfring.FlagDisabled | perfring.FlagExcludeKernel | perfring.FlagExcludeHV
	e := open(t, a, 0, -1, nil)
	for _, s := range samplesOf(t, e, e) {
		if len(s.Branches) != 4 {
			t.Fatalf("%d branches, want 4", len(s.Branches))
		}
		for i, b := range s.Branches {
			to := s.IP - uint64(16*i)
			if b.To != to || b.From != to-8 || int(b.Flags.Cycles()) != 10+i || !b.Flags.Predicted() || b.Flags.Mispredicted() {
				t.Fatalf("branch %d of the sample at %#x: %#x", i, s.IP, b)
			}
		}
	}
}
