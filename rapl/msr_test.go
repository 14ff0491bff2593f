package rapl

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// putMSR writes registers into a sparse file in the place of /dev/cpu/N/msr.
func putMSR(t testing.TB, m Machine, cpu int, registers map[int64]uint64) {
	t.Helper()
	path := m.msrPath(cpu)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for register, value := range registers {
		if _, err := f.WriteAt(binary.LittleEndian.AppendUint64(nil, value), register); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMSRIntel(t *testing.T) {
	// Ice Lake-X, two packages of two CPUs; PSYS and PP1 stand at zero.
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x6a, "")+cpus("0 0 0", "0 0 1", "1 0 0", "1 0 1"))
	registers := map[int64]uint64{
		0x606: 0x000a0e03, 0x611: 0xdead_0000_ffff_f000, 0x619: 1 << 20, 0x639: 5, 0x641: 0, 0x64d: 0, 0x64d + 8: 0,
	}
	putMSR(t, m, 0, registers)
	putMSR(t, m, 2, registers)
	s := open(t, m, "msr")
	var got []string
	for _, d := range s.Info().Domains {
		got = append(got, d.String())
	}
	if want := "[package 0 package 1 cores 0 cores 1 dram 0 dram 1]"; want != "["+strings.Join(got, " ")+"]" {
		t.Fatalf("domains are %v, want %s", got, want)
	}
	if d := s.Info().Domains[3]; d.Sum || d.CPUs[0] != 2 {
		t.Errorf("cores of package 1 are %+v", d)
	}
	if !noted(s, "gpu 0", "zero") || !noted(s, "psys 0", "zero") {
		t.Errorf("zero counters are not said: %q", s.Info().Notes)
	}
	putMSR(t, m, 0, map[int64]uint64{0x611: 0xbeef_0000_0000_1000, 0x619: 1<<20 + 1<<16})
	j, moment := read(t, s)
	if j[0] != 0.5 || j[1] != 0 || j[4] != 1 || moment.Dropped != 0 {
		t.Errorf("%v J, %+v; want 0.5 J over the wrap and 1 J of dram at 2^-16", j, moment)
	}
	if moment.Before > moment.After || moment.Before == 0 {
		t.Errorf("read at %+v", moment)
	}
}

// registers stand for the files of AMD, whose register numbers are neighbours, so
// that their 8 bytes would overlap in a plain file.
type registers map[int64]uint64

func (r registers) ReadAt(b []byte, register int64) (int, error) {
	value, ok := r[register]
	if !ok {
		return 0, unix.EIO
	}
	return copy(b, binary.LittleEndian.AppendUint64(nil, value)), nil
}

func TestMSRAMD(t *testing.T) {
	// One package of two core complexes, two cores of two threads: the package is
	// read once, each core once.
	m := tree(t, cpuinfo("AuthenticAMD", 0x19, 0x11, "rapl")+cpus("0 0 0", "0 1 1", "0 0 0", "0 1 1"))
	cpu, err := m.processor()
	if err != nil {
		t.Fatal(err)
	}
	online, err := m.online()
	if err != nil {
		t.Fatal(err)
	}
	files := map[int]registers{}
	s := &meter{}
	err = s.addRegisters(cpu, online, func(id int) (io.ReaderAt, error) {
		files[id] = registers{0xc0010299: 0xa1000, 0xc001029a: 77 + uint64(id), 0xc001029b: 0xffff_0000_0000_1000}
		return files[id], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	domains := s.Info().Domains
	if len(domains) != 3 || domains[0].Name != "package" || len(domains[0].CPUs) != 4 || domains[1].Name != "core" ||
		domains[1].Sum || len(domains[2].CPUs) != 2 || domains[2].CPUs[1] != 3 {
		t.Fatalf("domains are %+v", domains)
	}
	if len(files) != 2 {
		t.Errorf("%d files are open for one package and two cores", len(files))
	}
	files[0][0xc001029b] += 1 << 16
	files[1][0xc001029a] += 1 << 15
	if j, _ := read(t, s); j[0] != 1 || j[1] != 0 || j[2] != 0.5 {
		t.Errorf("%v J, want 1, 0 and 0.5", j)
	}
	err = (&meter{}).addRegisters(cpu, online, func(int) (io.ReaderAt, error) { return registers{}, nil })
	if !errors.Is(err, ErrNoHardware) {
		t.Errorf("registers that fault gave %v", err)
	}
}

func TestMSRUnusable(t *testing.T) {
	for _, c := range []struct {
		name, archive string
		want          error
	}{
		{"no msr module", cpuinfo("GenuineIntel", 6, 0x6a, ""), ErrNoDriver},
		{"virtual machine", cpuinfo("AuthenticAMD", 0x19, 1, "hypervisor"), ErrNoHardware},
		{"old", cpuinfo("GenuineIntel", 6, 0x0f, ""), ErrNoHardware},
	} {
		if _, err := Open(tree(t, c.archive+cpus("0 0 0")), "msr"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x6a, "")+cpus("0 0 0"))
	putMSR(t, m, 0, map[int64]uint64{0x606: 0xa0e03, 0x700: 0})
	if _, err := Open(m, "msr"); !errors.Is(err, ErrNotCounting) {
		t.Errorf("registers of zero: %v, want %v", err, ErrNotCounting)
	}
}
