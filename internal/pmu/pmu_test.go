package pmu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPMUs(t *testing.T) {
	server, root := openTree(t, "server")
	// A PMU that was unregistered since it was listed is no error.
	devices := filepath.Join(root, "sys/bus/event_source/devices")
	if err := os.Symlink("nowhere", filepath.Join(devices, "gone")); err != nil {
		t.Fatal(err)
	}
	pmus, err := server.PMUs()
	var names []string
	for _, p := range pmus {
		names = append(names, fmt.Sprintf("%s=%d", p.Name, p.Type))
	}
	want := "breakpoint=5 broken=124 cpu=4 cxl_pmu_mem0.0=120 hv_24x7=122 i915=123 lost=125 power=23 smmuv3_pmcg_2b442=50 " +
		"software=1 tracepoint=2 uncore_imc_0=30 uncore_imc_2=31 uncore_imc_10=40 uncore_imc_free_running=41 uncore_imc_free_running_0=42 wide=121"
	if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
		t.Errorf("PMUs (-want +got):\n%s", diff)
	}
	for _, name := range []string{"untyped", "unnumbered"} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("PMU %q: %s/type: ", name, filepath.Join(devices, name))) {
			t.Errorf("the error does not tell of %s/type: %v", name, err)
		}
	}

	if err != nil && strings.Contains(err.Error(), "gone") {
		t.Errorf("the PMU that is gone is an error: %v", err)
	}

	power, err := server.PMU("power")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(PMU{
		Name: "power", Type: 23, CPUs: []int{0, 2}, Uncore: true,
		Format: map[string]Field{"event": {Word: 0, Mask: 0xff}},
		Events: []Alias{
			{Name: "energy-pkg", Terms: "event=0x02", Scale: joule, Unit: "Joules"},
			{Name: "energy-ram", Terms: "event=0x03", Scale: joule, Unit: "Joules"},
		},
	}, power); diff != "" {
		t.Errorf("power (-want +got):\n%s", diff)
	}

	broken, err := server.PMU("broken")
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	for _, fault := range broken.Faults {
		path, _ := filepath.Rel(filepath.Join(devices, "broken"), fault.Path)
		faults = append(faults, path+": "+fault.Err.Error())
	}
	if diff := cmp.Diff([]string{
		`format/colon: format "config" has no colon`,
		`format/down: format "config:7-0": "7-0" is no range of bits 0-63`,
		`format/far: format "config:60-64": "60-64" is no range of bits 0-63`,
		`format/word: format "config5:0-3": "config5" is none of the attribute's config words`,
		`events/unscaled.scale: "many" is no positive scale`,
	}, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}

	for _, name := range []string{"", ".", "..", "nosuch", "gone", "../devices/power", "/power"} {
		if p, err := server.PMU(name); !errors.Is(err, ErrNoPMU) {
			t.Errorf("PMU(%q): %+v, %v; want ErrNoPMU", name, p, err)
		}
	}
	if spe, err := mustTree(t, "arm64").PMU("arm_spe_0"); err != nil || spe.Uncore || FormatCPUList(spe.CPUs) != "0-1" {
		t.Errorf("arm_spe_0: %+v, %v; want a PMU of the cores 0-1", spe, err)
	}
}

func mustTree(t *testing.T, name string) FS {
	machine, _ := openTree(t, name)
	return machine
}

// The PMUs with the kernel's own strings: RAPL and CXL.
func TestCorpus(t *testing.T) {
	corpus := openCorpus(t)
	pmus, err := corpus.PMUs()
	if err != nil || len(pmus) != 6 {
		t.Errorf("%d PMUs, %v; want 6", len(pmus), err)
	}
	for _, p := range pmus {
		for _, fault := range p.Faults {
			t.Errorf("%s: %v", p.Name, fault)
		}
	}
	for spec, want := range map[string]Event{
		"power/energy-psys/": {Alias: "energy-psys", PMU: "power", Type: 23, Config: 5, CPUs: []int{0, 16}, Uncore: true, Scale: joule, Unit: "Joules"},
		"uncore_cxlcm_1/event=0x02,umask=0x100000203,thresh=1,inv,edge/": {},
		"cxldp_0/event=0x2,umask=0x20/":                                  {PMU: "uncore_cxldp_0", Type: 112, Config: 0x2002, CPUs: []int{0, 16}, Uncore: true},
		"cxl_pmu_mem0.0/vid=0x1e98,gid=0x10,mask=0x1,threshold=2,invert,hdm_filter_en,hdm=3/": {PMU: "cxl_pmu_mem0.0", Type: 120,
			Config: 0x1e98_0010_0000_0001, Config1: 1<<18 | 1<<16 | 2, Config2: 3, CPUs: []int{0}, Uncore: true},
	} {
		got, err := corpus.Parse(spec)
		if want.PMU == "" { // one bit more than umask's 32
			if err == nil || !strings.Contains(err.Error(), "out of range 0-0xffffffff (config:8-15,32-55)") {
				t.Errorf("%q: %+v, %v; want it out of range", spec, got, err)
			}
			continue
		}
		want.Name = spec
		if err != nil {
			t.Errorf("%q: %v", spec, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", spec, diff)
		}
	}
	boxes, err := corpus.ParseList("uncore_cxlcm/event=1/,cxldp/event=1/")
	if err != nil || len(boxes) != 4 || boxes[1].PMU != "uncore_cxlcm_1" || boxes[3].Type != 113 {
		t.Errorf("%+v, %v; want two boxes of each", boxes, err)
	}
}

// Whatever the ranges, a value that fits comes back from the bits of the mask
// and leaves the others alone.
func TestFieldPut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Field{Word: rapid.IntRange(0, Words-1).Draw(t, "word"), Mask: rapid.Uint64Min(1).Draw(t, "mask")}
		value, before := rapid.Uint64().Draw(t, "value"), rapid.Uint64().Draw(t, "before")
		if again, err := parseField(f.String() + "\n"); err != nil || again != f {
			t.Fatalf("%s reads as %v, %v", f, again, err)
		}
		words := [Words]uint64{before, before, before, before, before}
		err := f.Put(&words, value)
		if value > f.Max() {
			if err == nil || words != [Words]uint64{before, before, before, before, before} {
				t.Fatalf("%#x in %s: %v, %#x", value, f, err, words)
			}
			return
		}
		// The definition: bit i of the value is the i-th set bit of the mask.
		want, i := before, 0
		for bit := range 64 {
			if f.Mask>>bit&1 != 0 {
				want = want&^(1<<bit) | value>>i&1<<bit
				i++
			}
		}
		if err != nil || words[f.Word] != want {
			t.Fatalf("%#x in %s: %#x, %v; want %#x", value, f, words[f.Word], err, want)
		}
	})
}

func TestTopology(t *testing.T) {
	for name, want := range map[string][]CPU{
		"server": {{0, 0, 0, 0, true}, {1, 0, 1, 0, true}, {2, 1, 0, 4, true}, {3, -1, -1, -1, false}},
		"arm64":  {{0, 0, 0, 0, true}, {1, 0, 0, 1, true}},
		"bare":   {{0, 0, 0, 0, true}, {3, 0, 0, 3, true}},
	} {
		got, err := mustTree(t, name).Topology()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for file, content := range map[string]string{
		"sys/devices/system/cpu/cpu1/topology/core_id": "one", "sys/devices/system/cpu/present": "all", "sys/devices/system/cpu/online": "\n",
	} {
		server, root := openTree(t, "server")
		path := filepath.Join(root, file)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if cpus, err := server.Topology(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s is %q: %v, error %v; want one that names the file", file, content, cpus, err)
		}
	}
	empty := NewFS(t.TempDir(), t.TempDir())
	if cpus, err := empty.Topology(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing mounted: %v, %v; want ErrNotExist", cpus, err)
	}
}

// A container may hide where the PMUs are; that leaves the events that need none.
func TestNoPlaceForPMUs(t *testing.T) {
	fs := NewFS(t.TempDir(), "")
	if pmus, err := fs.PMUs(); len(pmus) > 0 || err != nil {
		t.Errorf("%v, %v", pmus, err)
	}
	if _, err := fs.Parse("cpu-clock"); err != nil {
		t.Error(err)
	}
}
