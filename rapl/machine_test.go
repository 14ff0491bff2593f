package rapl

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/internal/pmu"
)

func TestScopes(t *testing.T) {
	cpu := func(id, pkg, die, core int) pmu.CPU {
		return pmu.CPU{ID: id, Package: pkg, Die: die, Core: core, Online: true}
	}
	// Two packages of two dies of two CPUs.
	machine := []pmu.CPU{
		cpu(0, 0, 0, 0), cpu(1, 0, 0, 1), cpu(2, 0, 1, 0), cpu(3, 0, 1, 1),
		cpu(4, 1, 0, 0), cpu(5, 1, 0, 1), cpu(6, 1, 1, 0), cpu(7, 1, 1, 1),
	}
	for _, c := range []struct {
		name  string
		among []int
		dies  bool
		want  []scope
	}{
		{"AMD's cpumask of one CPU per core complex", []int{0, 2, 4, 6}, false,
			[]scope{{0, 0, 0, []int{0, 1, 2, 3}}, {1, 0, 4, []int{4, 5, 6, 7}}}},
		{"Intel, dies with registers of their own", []int{0, 2, 4, 6}, true,
			[]scope{{0, 0, 0, []int{0, 1}}, {0, 1, 2, []int{2, 3}}, {1, 0, 4, []int{4, 5}}, {1, 1, 6, []int{6, 7}}}},
		{"TPMI, one CPU per package of two dies", []int{3, 5}, true,
			[]scope{{0, 1, 3, []int{0, 1, 2, 3}}, {1, 0, 5, []int{4, 5, 6, 7}}}},
		{"no cpumask", nil, false,
			[]scope{{0, 0, 0, []int{0, 1, 2, 3}}, {1, 0, 4, []int{4, 5, 6, 7}}}},
		{"the cpumask's CPU is not the first", []int{1, 7}, false,
			[]scope{{0, 0, 1, []int{0, 1, 2, 3}}, {1, 1, 7, []int{4, 5, 6, 7}}}},
		{"none of the cpumask is online", []int{99}, true, nil},
	} {
		if d := cmp.Diff(c.want, scopes(machine, c.among, c.dies), cmp.AllowUnexported(scope{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestHasRAPL(t *testing.T) {
	for _, c := range []struct {
		vendor        string
		family, model int
		flags         string
		want          bool
	}{
		{"GenuineIntel", 6, 0x2a, "", true},            // Sandy Bridge
		{"GenuineIntel", 6, 0x1e, "", false},           // Nehalem
		{"GenuineIntel", 6, 0x36, "", false},           // Saltwell
		{"GenuineIntel", 6, 0x8f, "", true},            // Sapphire Rapids
		{"GenuineIntel", 6, 0x8f, "hypervisor", false}, // a virtual one
		{"AuthenticAMD", 0x16, 0, "", false},
		{"AuthenticAMD", 0x19, 0x11, "rapl", true},
		{"AuthenticAMD", 0x19, 0x11, "hypervisor", false},
		{"AuthenticAMD", 0x19, 0x11, "rapl hypervisor", true},
		{"HygonGenuine", 0x18, 0, "", true},
		{"CentaurHauls", 7, 0x3b, "", false},
	} {
		p, err := tree(t, cpuinfo(c.vendor, c.family, c.model, c.flags)).processor()
		if err != nil {
			t.Fatal(err)
		}
		if p.hasRAPL() != c.want {
			t.Errorf("%+v has RAPL: %v", c, p.hasRAPL())
		}
	}
}

func TestProcessorOfArm(t *testing.T) {
	p, err := tree(t, "-- proc/cpuinfo --\nprocessor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n").processor()
	if err != nil || p.vendor != "" || p.hasRAPL() {
		t.Errorf("an arm64 processor is %+v, %v", p, err)
	}
}

func TestUnits(t *testing.T) {
	intel := func(model int) processor { return processor{vendor: "GenuineIntel", family: 6, model: model} }
	for _, c := range []struct {
		name   string
		cpu    processor
		domain string
		esu    uint
		want   float64
	}{
		{"Ice Lake-X package", intel(0x6a), "package", 14, 6.103515625e-05},
		{"Ice Lake-X dram", intel(0x6a), "dram", 14, 1.52587890625e-05},
		{"Haswell-X dram", intel(0x3f), "dram", 14, 1.52587890625e-05},
		{"Broadwell-D dram", intel(0x56), "dram", 14, 1.52587890625e-05},
		{"Knights Mill dram", intel(0x85), "dram", 14, 1.52587890625e-05},
		{"Sapphire Rapids dram follows the register", intel(0x8f), "dram", 14, 6.103515625e-05},
		{"Haswell client dram", intel(0x3c), "dram", 14, 6.103515625e-05},
		{"Sapphire Rapids psys", intel(0x8f), "psys", 14, 1},
		{"Sierra Forest psys", intel(0xaf), "psys", 14, 1},
		{"Skylake client psys", intel(0x5e), "psys", 14, 6.103515625e-05},
		{"Silvermont", intel(0x37), "package", 5, 32e-6},
		{"Goldmont", intel(0x5c), "package", 14, 6.103515625e-05},
		{"Zen", processor{vendor: "AuthenticAMD", family: 0x17, model: 0x31}, "package", 16, 1.52587890625e-05},
		{"a family 0x19 model 0x6a of AMD is no Ice Lake", processor{vendor: "AuthenticAMD", family: 0x19, model: 0x6a}, "dram", 14, 6.103515625e-05},
	} {
		if got := c.cpu.unit(c.domain, c.esu); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: %v J, want %v", c.name, got, c.want)
		}
	}
	if got := intel(0xcf).usualUnit("psys"); got != 1 {
		t.Errorf("Emerald Rapids psys moves by %v J, want 1", got)
	}
}

func TestEnergyNotes(t *testing.T) {
	for _, c := range []struct {
		name, archive string
		msr           map[int64]uint64
		want          string
	}{
		{"SGX, register out of reach", cpuinfo("GenuineIntel", 6, 0x8e, "sgx arch_capabilities"), nil, "may blur"},
		{"SGX, no filter", cpuinfo("GenuineIntel", 6, 0x8e, "sgx arch_capabilities"), map[int64]uint64{0x10a: 1 << 10, 0xbc: 0}, "while enclaves"},
		{"filter", cpuinfo("GenuineIntel", 6, 0x8e, "arch_capabilities"), map[int64]uint64{0x10a: 1 << 10, 0xbc: 1}, "filtering is on"},
		{"register is not there", cpuinfo("GenuineIntel", 6, 0x8e, "arch_capabilities"), map[int64]uint64{0x10a: 0, 0xbc: 1}, ""},
		{"virtual", cpuinfo("GenuineIntel", 6, 0x8e, "hypervisor arch_capabilities"), map[int64]uint64{0x10a: 1 << 10, 0xbc: 1}, "virtual machine"},
		{"AMD", cpuinfo("AuthenticAMD", 0x19, 1, "rapl"), map[int64]uint64{0x10a: 1 << 10, 0xbc: 1}, ""},
	} {
		m := tree(t, c.archive+cpus("0 0 0"))
		if c.msr != nil {
			putMSR(t, m, 0, c.msr)
		}
		s := &meter{info: Info{Notes: m.energyNotes()}}
		if c.want == "" && len(s.info.Notes) > 0 || c.want != "" && !noted(s, c.want) {
			t.Errorf("%s: notes are %q, want %q", c.name, s.info.Notes, c.want)
		}
	}
}
