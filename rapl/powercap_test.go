package rapl

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zoneTree is a powercap zone as txtar.
func zoneTree(dir, name string, energy, span uint64) string {
	base := "-- sys/class/powercap/" + dir
	return fmt.Sprintf("%s/name --\n%s\n%s/energy_uj --\n%d\n%s/max_energy_range_uj --\n%d\n%s/enabled --\n1\n", base, name, base, energy, base, span, base)
}

const (
	spanESU14 = 262143328850
	spanDRAM  = 65712999613
)

func setEnergy(t testing.TB, m Machine, dir string, energy uint64) {
	put(t, m.sys("class/powercap", dir, "energy_uj"), fmt.Sprintln(energy))
}

// names lists domains as "package 0 0-3 +", with + for those that may be summed.
func names(domains []Domain) []string {
	var out []string
	for _, d := range domains {
		s := fmt.Sprintf("%s %v", d, d.CPUs)
		if d.Sum {
			s += " +"
		}
		out = append(out, s)
	}
	return out
}

func TestPowercapServer(t *testing.T) {
	// The numbers of the directories are in no order: psys lies between the packages.
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x55, "")+cpus("0 0 0", "1 0 0", "0 0 1", "1 0 1")+
		zoneTree("intel-rapl:0", "package-1", 7, spanESU14)+
		zoneTree("intel-rapl:0:0", "dram", 8, spanDRAM)+
		zoneTree("intel-rapl:1", "psys", 9, spanESU14)+
		zoneTree("intel-rapl:2", "package-0", spanESU14-1e6, spanESU14)+
		strings.Replace(zoneTree("intel-rapl:2:0", "core", 0, spanESU14), "\n1\n", "\n0\n", 1)+
		zoneTree("intel-rapl:2:1", "dram", 10, spanDRAM)+
		zoneTree("intel-rapl:2:2", "uncore", 11, spanESU14)+
		zoneTree("intel-rapl-mmio:0", "package-0", 12, spanESU14)+
		zoneTree("intel-rapl-mmio:0:0", "dram", 12, spanESU14)+
		"-- sys/class/powercap/intel-rapl/enabled --\n1\n")
	s := open(t, m, "powercap")
	want := []string{"package 0 [0 2] +", "package 1 [1 3] +", "gpu 0 [0 2]", "dram 0 [0 2] +", "dram 1 [1 3] +", "psys 0 [0 1 2 3]"}
	if d := cmp.Diff(want, names(s.Info().Domains)); d != "" {
		t.Fatalf("domains (-want +got):\n%s", d)
	}
	for _, words := range [][]string{{"intel-rapl-mmio:0 ", "intel-rapl:2"}, {"intel-rapl-mmio:0:0", "intel-rapl:2:1"}, {"intel-rapl:2:0", "zero", "disabled"}} {
		if !noted(s, words...) {
			t.Errorf("%q is not said: %q", words, s.Info().Notes)
		}
	}
	// A wrap: the range is the largest value, one unit of 61.035 µJ before 0.
	setEnergy(t, m, "intel-rapl:2", 2e6)
	setEnergy(t, m, "intel-rapl:0:0", 2000008)
	j, _ := read(t, s)
	if math.Abs(j[0]-3.000061) > 1e-9 || math.Abs(j[4]-2) > 1e-9 || j[1] != 0 {
		t.Errorf("%v J, want 3.000061 J of package 0 over the wrap and 2 J of dram 1", j)
	}
	if u := s.Info().Domains[0].Unit; math.Abs(u-61.035e-6) > 1e-9 {
		t.Errorf("unit %v J", u)
	}
	// Set to zero by a driver: no energy.
	setEnergy(t, m, "intel-rapl:0", 0)
	if j, moment := read(t, s); j[1] != 0 || moment.Dropped != 1 {
		t.Errorf("after a reset %v J and %d drops", j, moment.Dropped)
	}
}

func TestPowercapKinds(t *testing.T) {
	for _, c := range []struct {
		name, archive string
		want          []string
		note          string
	}{
		{"the twin alone", cpuinfo("GenuineIntel", 6, 0x8e, "") + cpus("0 0 0") + zoneTree("intel-rapl-mmio:0", "package-0", 5, spanESU14),
			[]string{"package 0 [0] +"}, ""},
		{"the twin counts, the other stands", cpuinfo("GenuineIntel", 6, 0x8e, "") + cpus("0 0 0") +
			zoneTree("intel-rapl:0", "package-0", 0, spanESU14) + zoneTree("intel-rapl-mmio:0", "package-0", 5, spanESU14),
			[]string{"package 0 [0] +"}, "intel-rapl:0 is left out"},
		{"Cascade Lake-AP", cpuinfo("GenuineIntel", 6, 0x55, "") + cpus("0 0 0", "0 1 0") +
			zoneTree("intel-rapl:0", "package-0-die-0", 5, spanESU14) + zoneTree("intel-rapl:1", "package-0-die-1", 5, spanESU14),
			[]string{"package 0 [0] +", "package 0 [1] +"}, ""},
		{"AMD's zones of core complexes, and of one core", cpuinfo("AuthenticAMD", 0x19, 0x11, "rapl") + cpus("0 0 0", "0 1 1") +
			zoneTree("intel-rapl:0", "package-0-die-0", 5, 65532610987) + zoneTree("intel-rapl:1", "package-0-die-1", 5, 65532610987) +
			zoneTree("intel-rapl:0:0", "core", 5, 65532610987),
			[]string{"package 0 [0 1] +"}, "energy of one core"},
		{"psys of each package", cpuinfo("GenuineIntel", 6, 0x8f, "") + cpus("0 0 0", "1 0 0") +
			zoneTree("intel-rapl:0", "package-0", 5, spanESU14) + zoneTree("intel-rapl:1", "package-1", 5, spanESU14) +
			zoneTree("intel-rapl:2", "psys-1", 5, spanESU14) + zoneTree("intel-rapl:3", "psys", 5, spanESU14),
			[]string{"package 0 [0] +", "package 1 [1] +", "psys 0 [0 1]"}, "intel-rapl:2 is left out"},
		{"one package counts, one does not", cpuinfo("GenuineIntel", 6, 0x8f, "") + cpus("0 0 0", "1 0 0") +
			zoneTree("intel-rapl:0", "package-0", 0, spanESU14) + zoneTree("intel-rapl:1", "package-1", 5, spanESU14),
			[]string{"package 0 [0] +", "package 1 [1] +"}, "intel-rapl:0 (package 0) stands at zero"},
		{"a package that no CPU is of", cpuinfo("GenuineIntel", 6, 0x8f, "") + cpus("0 0 0") + zoneTree("intel-rapl:0", "package-7", 5, spanESU14),
			[]string{"package 7 [] +"}, "no online CPU"},
		{"two packages, one of which no CPU is of", cpuinfo("GenuineIntel", 6, 0x8f, "") + cpus("0 0 0") +
			zoneTree("intel-rapl:0", "package-0", 5, spanESU14) + zoneTree("intel-rapl:1", "package-1", 5, spanESU14),
			[]string{"package 0 [0] +"}, "intel-rapl:1 (package): no online CPU is of package 1: its energy is left out"},
		{"a name of tomorrow", cpuinfo("GenuineIntel", 6, 0x8f, "") + cpus("0 0 0") + zoneTree("intel-rapl:0", "package-0", 5, spanESU14) +
			zoneTree("intel-rapl:0:0", "npu", 5, spanESU14),
			[]string{"package 0 [0] +"}, `"npu"`},
	} {
		s, err := Open(tree(t, c.archive), "powercap")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		defer s.Close()
		if d := cmp.Diff(c.want, names(s.Info().Domains)); d != "" {
			t.Errorf("%s: domains (-want +got):\n%s", c.name, d)
		}
		if c.note != "" && !noted(s, c.note) {
			t.Errorf("%s: %q is not said: %q", c.name, c.note, s.Info().Notes)
		}
	}
}

// intel_rapl_common.c counts the dram of Broadwell-D in the package's unit, four
// times the register's.
func TestPowercapBroadwellD(t *testing.T) {
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x56, "")+cpus("0 0 0")+
		zoneTree("intel-rapl:0", "package-0", 5, spanESU14)+zoneTree("intel-rapl:0:0", "dram", 5, spanESU14))
	s := open(t, m, "powercap")
	setEnergy(t, m, "intel-rapl:0:0", 4000005)
	if j, _ := read(t, s); math.Abs(j[1]-1) > 1e-5 {
		t.Errorf("%v J of dram, want 1", j[1])
	}
}

func TestPowercapUnusable(t *testing.T) {
	bare := cpuinfo("GenuineIntel", 6, 0x55, "") + cpus("0 0 0")
	for _, c := range []struct {
		name, archive string
		want          error
	}{
		{"no driver", bare, ErrNoDriver},
		{"virtual", cpuinfo("GenuineIntel", 6, 0x55, "hypervisor") + cpus("0 0 0"), ErrNoHardware},
		{"stands at zero", bare + zoneTree("intel-rapl:0", "package-0", 0, spanESU14), ErrNotCounting},
	} {
		if _, err := Open(tree(t, c.archive), "powercap"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	t.Run("permission", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may read every file")
		}
		m := tree(t, bare+zoneTree("intel-rapl:0", "package-0", 1, spanESU14))
		if err := os.Chmod(m.sys("class/powercap/intel-rapl:0/energy_uj"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(m, "powercap"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v, want %v", err, fs.ErrPermission)
		}
	})
	m := tree(t, bare+zoneTree("intel-rapl:0", "package-0", 1, spanESU14)+"-- sys/class/powercap/intel-rapl:0/energy_uj --\nnonsense\n")
	if _, err := Open(m, "powercap"); err == nil || !strings.Contains(err.Error(), "intel-rapl:0/energy_uj") {
		t.Errorf("nonsense in energy_uj gave %v", err)
	}
}

// captured puts a captured tree below sys/class of a machine.
func captured(t testing.TB, m Machine, from, to string) {
	t.Helper()
	if err := os.CopyFS(m.sys("class", to), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestPowercapCapturedProcfs(t *testing.T) {
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x9e, "")+cpus("0 0 0", "0 0 1", "10 0 0"))
	captured(t, m, corpus(t, "sysfs", "powercap-procfs", "powercap"), "powercap")
	s := open(t, m, "powercap")
	if d := cmp.Diff([]string{"package 0 [0 1] +", "package 10 [2] +", "cores 0 [0 1]"}, names(s.Info().Domains)); d != "" {
		t.Errorf("domains (-want +got):\n%s", d)
	}
	setEnergy(t, m, "intel-rapl:a", 240422366267+2e6)
	if j, _ := read(t, s); math.Abs(j[1]-2) > 1e-9 || j[0] != 0 {
		t.Errorf("%v J, want 2 J of package 10 alone", j)
	}
}

// untar unpacks the captures of Kepler and gives their sysfs.
func untar(t testing.TB) string {
	t.Helper()
	f, err := os.Open(corpus(t, "sysfs", "kepler-device-testdata.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return filepath.Join(dir, "internal/device/testdata/sys")
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && filepath.IsLocal(h.Name) {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, h.Name), string(b))
		}
	}
}

func TestPowercapCapturedKepler(t *testing.T) {
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x9e, "")+cpus("0 0 0", "10 0 0"))
	captured(t, m, filepath.Join(untar(t), "class/powercap"), "powercap")
	s := open(t, m, "powercap")
	if d := cmp.Diff([]string{"package 0 [0] +", "package 10 [1] +", "cores 0 [0]"}, names(s.Info().Domains)); d != "" {
		t.Errorf("domains (-want +got):\n%s", d)
	}
	if !noted(s, "intel-rapl-mmio:0 is left out") {
		t.Errorf("the twin is not said: %q", s.Info().Notes)
	}
}
