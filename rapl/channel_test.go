package rapl

import (
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A package always draws something: a counter of it that stands still is said,
// other than one of a graphics unit.
func TestMeterRest(t *testing.T) {
	for _, c := range []struct {
		name   string
		steady bool
		still  int // readings of 10 ms without growth
		want   string
	}{
		{"steady", true, 80, "stood still for up to 0.8 s, 0.8 s in all"},
		{"steady for a moment", true, 40, ""},
		{"may rest", false, 80, ""},
	} {
		s := newScripted(t, channel{counter: counter{unit: 1e-6}, steady: c.steady})
		for i := range 200 {
			s.pass(10 * time.Millisecond)
			if i < 100 || i >= 100+c.still {
				s.value += 5e5
			}
			read(t, s)
		}
		if said := noted(s, "stood still"); said != (c.want != "") || said && !noted(s, c.want) {
			t.Errorf("%s: notes are %q, want %q", c.name, s.Info().Notes, c.want)
		}
	}
}

// A register that is kept by software moves once a second, by the energy of that
// second: more than 5 kW for 10 ms.
func TestCounterOfSoftware(t *testing.T) {
	c := counter{unit: 1e-6, maxWatts: maxPackageWatts}
	value := uint64(0)
	for i := range 1000 {
		if i%100 == 50 {
			value += 800e6
		}
		if !c.follow(value, 0.01) && i > 100 {
			t.Fatalf("800 J after a second were not followed, %v J so far", c.joules())
		}
	}
}

// A rest is granted at a power that lasts, and explains no step back.
func TestCounterAfterRest(t *testing.T) {
	const joule = 1 << 32
	for _, c := range []struct {
		name     string
		from, to uint64
		ok       bool
		joules   float64
	}{
		{"2 kW for the rest", 0, 2000 * joule, true, 2000},
		{"a leap of 10.4 kJ", 0, 10400 * joule, false, 0},
		{"set to 0 at 12 kJ", 12000 * joule, 0, false, 0},
		{"set to 0 at 15 kJ", 15000 * joule, 0, false, 0},
	} {
		perf := counter{unit: 1.0 / joule, moduli: kernelSlips(), maxWatts: maxPackageWatts}
		for range 300 {
			perf.follow(c.from, 0.01)
		}
		if ok := perf.follow(c.to, 0.01); ok != c.ok || perf.joules() != c.joules {
			t.Errorf("%s: followed %v with %v J, want %v with %v J", c.name, ok, perf.joules(), c.ok, c.joules)
		}
	}
}

// two is a meter of two registers, of which the second may fail.
type two struct {
	*scripted
	second uint64
	failed error
}

func newTwo(t *testing.T) *two {
	s := &two{scripted: newScripted(t, channel{counter: counter{unit: 1e-6}})}
	s.channels = append(s.channels, channel{counter: counter{unit: 1e-6, maxWatts: maxPackageWatts}, read: func() (uint64, error) { return s.second, s.failed }})
	s.info.Domains = append(s.info.Domains, Domain{Name: "package", Package: 1})
	s.started = false
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	return s
}

// The package of a CPU that is gone does not take the other one's energy with it.
func TestMeterFailsInPart(t *testing.T) {
	s := newTwo(t)
	step := func(failed error) []float64 {
		s.pass(time.Second)
		s.value, s.second, s.failed = s.value+10e6, s.second+4000e6, failed
		j, m := read(t, s)
		if m.Dropped != 0 || (failed == nil) != (m.Failed == nil) || failed != nil && (m.Failed[0] != nil || m.Failed[1] != failed) {
			t.Errorf("%+v with the second domain's error %v", m, failed)
		}
		return j
	}
	if j := step(nil); j[0] != 10 || j[1] != 4000 {
		t.Errorf("%v J, want 10 and 4000", j)
	}
	for i := range 3 {
		if j := step(unix.ENXIO); j[0] != 20+10*float64(i) || j[1] != 4000 {
			t.Errorf("%v J, want %d and still 4000", j, 20+10*i)
		}
	}
	// What it counted in four seconds comes at once, and is no leap.
	if j := step(nil); j[0] != 50 || j[1] != 20000 {
		t.Errorf("%v J, want 50 and 20000", j)
	}
	if !noted(s, "package 1", "3 readings of the counter failed", "no such device") {
		t.Errorf("the failures are not said: %q", s.Info().Notes)
	}
}

// gone are registers of a CPU that may be offline.
type gone struct {
	registers
	offline bool
}

func (g *gone) ReadAt(b []byte, register int64) (int, error) {
	if g.offline {
		return 0, unix.ENXIO
	}
	return g.registers.ReadAt(b, register)
}

func TestMSROfflineCPU(t *testing.T) {
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x6a, "")+cpus("0 0 0", "0 0 1"))
	cpu, err := m.processor()
	if err != nil {
		t.Fatal(err)
	}
	online, err := m.online()
	if err != nil {
		t.Fatal(err)
	}
	shared := registers{0x606: 0xa0e03, 0x611: 1 << 20}
	files := []*gone{{registers: shared}, {registers: shared}}
	s := &meter{}
	if err := s.addRegisters(cpu, online, func(id int) (io.ReaderAt, error) { return files[id], nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	for i, offline := range [][2]bool{{true, false}, {false, true}} {
		files[0].offline, files[1].offline = offline[0], offline[1]
		shared[0x611] += 1 << 14
		if j, _ := read(t, s); j[0] != float64(i+1) {
			t.Errorf("%v J with CPUs offline %v, want %d", j, offline, i+1)
		}
	}
	files[0].offline, files[1].offline = true, true
	if _, err := s.Read([]float64{0}); !errors.Is(err, unix.ENXIO) {
		t.Errorf("without any CPU: %v", err)
	}
}
