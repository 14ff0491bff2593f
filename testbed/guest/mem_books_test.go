package guest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// memoryRegister is the counter of a package's memory, MSR_DRAM_ENERGY_STATUS.
const memoryRegister = 0x619

// memoryUnit is the joules of a count of that register.
func memoryUnit() float64 {
	if os.Getenv(guestEnv) == "spr-6.12" {
		return unitIntel
	}
	return unitDRAM
}

// memoryOf reads that register of a package, of the guests of which it is.
func memoryOf(t *testing.T, pkg int) uint32 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/dev/cpu/%d/msr", 2*pkg)) // packages are of two CPUs
	must(t, err)
	defer f.Close()
	var b [8]byte
	_, err = f.ReadAt(b[:], memoryRegister)
	must(t, err)
	return uint32(binary.LittleEndian.Uint64(b[:]))
}

// What functions draw of the memory is in their books, in the package's and in its
// counter, which goes on where its 32 bits end; and in nothing of the package's own.
func TestMemoryBooks(t *testing.T) {
	only(t, "spr-6.12", "icx2s-6.12")
	quiet(t)
	param(t, "simrapl", "dram_mw", "2000")
	reload(t, "simrapl", fmt.Sprintf("count0=%d", uint32(-4/memoryUnit()+1<<32))) // its end is 4 J away
	packages := allPackages()
	functions := "parse=3000,sort=1000:8000,stream=1000:20000:5"
	if len(packages) > 1 {
		functions += ",lookup=1000:30000:6:1" // the memory of package 1, from wherever it runs
	}
	openBooks(t)
	before := map[int]uint32{}
	for _, pkg := range packages {
		before[pkg] = memoryOf(t, pkg)
	}
	_, stderr, code := run(t, "workload", "-threads", "3", "-seconds", "0.5", "-burst", "20ms", "-nap", "5ms", "-functions", functions)
	if code != 0 {
		t.Fatalf("workload: exit code %d\n%s", code, stderr)
	}
	truth := readBooks(t)
	var used, paid float64
	for name, f := range truth.functions {
		watts := map[string]float64{"sort": 8, "stream": 20, "lookup": 30}[name]
		if math.Abs(f.dram-watts*f.seconds) > 1e-8 {
			t.Errorf("%s has %.9f J of the memory in %.9f s, want %v W", name, f.dram, f.seconds, watts)
		}
		used += f.dram
	}
	for _, pkg := range packages {
		p := truth.packages[pkg]
		paid += p.dramFunctions
		after := memoryOf(t, pkg)
		counted := float64(after-before[pkg]) * memoryUnit()
		t.Logf("package %d: the register has %.4f J from %d to %d, the books %.4f J and %.4f J", pkg, counted, before[pkg], after, p.dramStatic, p.dramFunctions)
		if after >= before[pkg] {
			t.Errorf("package %d: the register went from %d to %d, want it to begin anew", pkg, before[pkg], after)
		}
		// Its steps of 1 ms, and what passes between the readings.
		if want := p.dramStatic + p.dramFunctions; math.Abs(counted-want) > 0.05 {
			t.Errorf("package %d: the register has %.4f J, the books %.4f J", pkg, counted, want)
		}
		drew := 0.0
		for _, f := range truth.functions {
			drew += f.joules
		}
		if len(packages) == 1 && math.Abs(p.functions()-drew) > 1e-8 {
			t.Errorf("the package has %.9f J of functions that drew %.9f J: the memory's are its own", p.functions(), drew)
		}
	}
	if math.Abs(used-paid) > 1e-8 || used < 1 {
		t.Errorf("functions used %.9f J of the memory, the packages' memory gave %.9f J", used, paid)
	}
	if len(packages) > 1 {
		if p := truth.packages[1]; p.dramFunctions < truth.functions["lookup"].dram-1e-8 {
			t.Errorf("package 1 gave %.4f J of its memory, want all of lookup's %.4f J", p.dramFunctions, truth.functions["lookup"].dram)
		}
	}
}

// What the devices of the modules do not understand they refuse, and it changes
// nothing.
func TestStatementsRefused(t *testing.T) {
	simulated(t)
	long := strings.Repeat("x", 64)
	for device, statements := range map[string]map[string]unix.Errno{
		simrapl: {
			"": unix.EINVAL, "parse": unix.EINVAL, "parse ": unix.EINVAL, "parse 1 2 0 0": unix.EINVAL, "parse 1  2": unix.EINVAL,
			"parse 1 x": unix.EINVAL, "parse -1": unix.EINVAL, long + " 1": unix.EINVAL, long[:63] + " 1000001": unix.ERANGE,
			"parse 1 1000001": unix.ERANGE, "parse 1 2 2": unix.ENXIO, "parse 1 2 8": unix.ENXIO,
		},
		simpmu: {
			"": unix.EINVAL, "0x1000": unix.EINVAL, "0x1000 0": unix.EINVAL, "0x1000 100": unix.EINVAL, "0x1000 64 1 1 1": unix.EINVAL,
			"0x1000 64 x": unix.EINVAL, "0x1000 64 16": unix.ERANGE, "0x1000 64 -1": unix.ERANGE, "0x1000 64 - x": unix.EINVAL, "0x1000 64 - 10000001": unix.ERANGE, long: unix.EINVAL,
		},
	} {
		f, err := os.OpenFile(device, os.O_WRONLY, 0)
		must(t, err)
		defer f.Close()
		for text, want := range statements {
			// An empty write never gets to the device.
			if _, err := f.WriteString(text + "\n"); !errors.Is(err, want) {
				t.Errorf("%s: %q: %v, want %v", device, text, err, want)
			}
		}
	}
}

// simpmu is where threads say what memory they walk.
const simpmu = "/dev/simpmu"

// What a thread walks is its own and goes with it to another CPU, until it says
// something else or closes the file.
func TestWalks(t *testing.T) {
	only(t, "icx-6.1", "spr-6.12")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	param(t, "simpmu", "mem_base", "0x20000000")
	param(t, "simpmu", "mem_size", "64")
	f, err := os.OpenFile(simpmu, os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	say := func(text string) {
		t.Helper()
		_, err := f.WriteString(text)
		must(t, err)
	}
	var was, mask unix.CPUSet
	must(t, unix.SchedGetaffinity(0, &was))
	defer unix.SchedSetaffinity(0, &was)

	// k goes on from one statement to the next.
	var loads, stores uint64
	walk := func(what, event string, k *uint64, base, size uint64, at func(addr uint64) access) {
		t.Helper()
		e := open(t, memAttr(parse(t, event)), 0, -1, nil)
		for i, s := range samplesOf(t, e, e) {
			want := at(base + *k*64%size)
			*k++
			if got := (access{s.Addr, s.DataSrc, s.WeightVar1}); got != want {
				t.Fatalf("%s: sample %d: %#x, want %#x", what, i, got, want)
			}
		}
		must(t, e.Close())
	}
	level := func(n int) func(uint64) access {
		return func(addr uint64) access { return servedBy(n, addr) }
	}
	say("0x30000040 1024 5")
	for cpu := range 2 {
		mask.Zero()
		mask.Set(cpu)
		must(t, unix.SchedSetaffinity(0, &mask))
		walk(fmt.Sprintf("DRAM on CPU %d", cpu), "cpu/mem-loads/p", &loads, 0x30000040, 1024, level(5))
	}
	walk("stores", "cpu/mem-stores/p", &stores, 0x30000040, 1024, storeAt)
	say("0x40000000 4096\n")
	walk("another buffer", "cpu/mem-loads/p", &loads, 0x40000000, 4096, loadAt)

	// Another thread has said nothing.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and it ends with the goroutine
		var k uint64
		walk("another thread", "cpu/mem-loads/p", &k, 0x20000000, 64, loadAt)
	}()
	<-done

	say("-")
	var k uint64
	walk("after leaving", "cpu/mem-loads/p", &k, 0x20000000, 64, loadAt)
	say("0x30000000 64 3")
	walk("again", "cpu/mem-loads/p", &loads, 0x30000000, 64, level(3))
	must(t, f.Close())
	walk("with the file closed", "cpu/mem-loads/p", &k, 0x20000000, 64, loadAt)
}
