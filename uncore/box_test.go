package uncore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBoxes(t *testing.T) {
	dmc := func(name string, number uint32) Box {
		return Box{PMU: name, Kind: "arm_dmc620", About: "DMC-620 memory controller (Arm)", Type: number, CPUs: []int{0}, Packages: []int{0},
			Fields: []string{"clkdiv2", "event", "incr", "invert", "mask", "match"}, Events: []string{"clk_request", "clkdiv2_cycle_count", "clkdiv2_rdwr"}}
	}
	umc := func(name string, number uint32) Box {
		return Box{PMU: name, Kind: "amd_umc", About: "memory controller (AMD)", Type: number, CPUs: []int{0}, Packages: []int{0}, Fields: []string{"event", "rdwrmask"}}
	}
	for name, want := range map[string][]Box{
		"amd": {
			{PMU: "amd_df", Kind: "amd_df", About: "data fabric (AMD)", Type: 20, CPUs: []int{0}, Packages: []int{0}, Fields: []string{"event", "umask"}},
			{PMU: "amd_l3", Kind: "amd_l3", About: "last-level cache (AMD)", Type: 21, CPUs: []int{0, 2}, Packages: []int{0, 0},
				Fields: []string{"coreid", "enallcores", "enallslices", "event", "sliceid", "threadmask", "umask"}},
			umc("amd_umc_0", 22), umc("amd_umc_1", 23),
		},
		"arm": {
			{PMU: "arm_cmn_0", Kind: "arm_cmn", About: "CMN mesh (Arm)", Type: 30, CPUs: []int{0}, Packages: []int{0},
				Fields: []string{"bynodeid", "eventid", "nodeid", "occupid", "type"}, Events: []string{"dtc_cycles", "hnf_cache_miss", "hnf_mc_reqs", "hnf_slc_sf_cache_access"}},
			dmc("arm_dmc620_10008c000", 31), dmc("arm_dmc620_10008c400", 32),
		},
	} {
		got, err := tree(t, name).Boxes()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Which boxes a machine has, in one line each.
func TestBoxesByKind(t *testing.T) {
	for name, want := range map[string]string{
		"spr": "cstate_core cstate_pkg cxl_pmu(cxl_pmu_mem0.0) uncore_cha(uncore_cha_0) uncore_cxlcm(uncore_cxlcm_0) uncore_cxlcm(uncore_cxlcm_1) " +
			"uncore_cxldp(uncore_cxldp_0) uncore_cxldp(uncore_cxldp_1) uncore_imc(uncore_imc_0) uncore_imc(uncore_imc_1)",
		"gnr":    "uncore_b2cxl uncore_cha(uncore_cha_0) uncore_cxlcm uncore_cxldp uncore_imc(uncore_imc_0)",
		"client": "broken(1 faults) cstate_pkg uncore_imc_free_running(uncore_imc_free_running_0) uncore_imc_free_running(uncore_imc_free_running_1)",
	} {
		boxes, err := tree(t, name).Boxes()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, b := range boxes {
			switch {
			case len(b.Faults) > 0:
				got = append(got, b.Kind+"(1 faults)")
			case b.PMU != b.Kind:
				got = append(got, b.Kind+"("+b.PMU+")")
			default:
				got = append(got, b.Kind)
			}
		}
		if line := strings.Join(got, " "); line != want {
			t.Errorf("%s:\n got %s\nwant %s", name, line, want)
		}
	}
	spr, err := tree(t, "spr").Boxes()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range spr {
		if b.PMU == "uncore_cxlcm_1" && !cmp.Equal(b.Packages, []int{0, 1}) {
			t.Errorf("uncore_cxlcm_1 is of packages %v, want 0 and 1", b.Packages)
		}
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]string{
		"uncore_imc_10": "uncore_imc", "uncore_imc": "uncore_imc", "uncore_imc_free_running_1": "uncore_imc_free_running",
		"cxl_pmu_mem0.0": "cxl_pmu", "cxl_pmu_mem12.3": "cxl_pmu", "arm_cmn_0": "arm_cmn", "arm_dmc620_10008c000": "arm_dmc620",
		"amd_df": "amd_df", "amd_l3": "amd_l3", "uncore_edc": "uncore_edc", "smmuv3_pmcg_2b442": "smmuv3_pmcg",
		"cpu": "cpu", "_0": "_0", "x_": "x_", "uncore_type_12_3": "uncore_type_12", "cstate_core": "cstate_core",
	} {
		if got := kindOf(name); got != want {
			t.Errorf("%s is of kind %q, want %q", name, got, want)
		}
	}
}

// A machine without PMUs in sysfs has no boxes, and a directory of PMUs that cannot be read is an error.
func TestNoBoxes(t *testing.T) {
	sys := t.TempDir()
	if boxes, err := (Machine{Sys: sys, Proc: t.TempDir()}).Boxes(); len(boxes) != 0 || err != nil {
		t.Errorf("without PMUs: %v, %v; want no boxes and no error", boxes, err)
	}
	bus := filepath.Join(sys, "bus", "event_source")
	if err := os.MkdirAll(bus, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bus, "devices"), nil, 0o644); err != nil { // no directory
		t.Fatal(err)
	}
	boxes, err := Machine{Sys: sys, Proc: t.TempDir()}.Boxes()
	if len(boxes) != 0 || err == nil || !strings.Contains(err.Error(), "list the PMUs") {
		t.Errorf("a file for a directory: %v, %v; want no boxes and the error of listing the PMUs", boxes, err)
	}
}

// The tree of the corpus: CXL units of two packages.
func TestBoxesOfTheCorpus(t *testing.T) {
	devices, err := filepath.Abs(corpus(t, "sysfs", "pmu-devices", "devices"))
	if err != nil {
		t.Fatal(err)
	}
	m := ownTree(t, "spr")
	link := filepath.Join(m.Sys, "bus/event_source/devices")
	if err := os.RemoveAll(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(devices, link); err != nil {
		t.Fatal(err)
	}
	boxes, err := m.Boxes()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, b := range boxes {
		kinds[b.Kind]++
	}
	if want := map[string]int{"cxl_pmu": 1, "power": 1, "uncore_cxlcm": 2, "uncore_cxldp": 2}; !cmp.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
}
