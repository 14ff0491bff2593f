package uncore

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Box is a unit with counters of its own, as sysfs describes it: a PMU that
// belongs to packages or other places rather than to what a CPU runs.
type Box struct {
	PMU  string // "uncore_cxlcm_1"
	Kind string // "uncore_cxlcm": what all boxes like it are called
	// About says what this kind is, "" if it is none that has a name here. Nothing
	// depends on it: whatever sysfs has can be counted.
	About string
	Type  uint32
	// CPUs are those on which the box can be opened, one for each place that has
	// one; Packages are theirs. A package is -1 where the CPU is offline.
	CPUs, Packages []int
	Fields         []string // of its format, sorted: "event", "umask"
	Events         []string // that the kernel names, sorted
	Faults         []string // files below the PMU that make no sense
}

// about says what the drivers' names stand for: arch/x86/events/intel/uncore_snbep.c,
// uncore_snb.c, cstate.c and ../rapl.c, arch/x86/events/amd/uncore.c,
// drivers/perf/cxl_pmu.c, arm-cmn.c and arm_dmc620_pmu.c.
var about = map[string]string{
	"uncore_cxlcm":            "CXL port: link and transaction layer (Intel)",
	"uncore_cxldp":            "CXL port: data path from the mesh (Intel)",
	"uncore_b2cxl":            "mesh to CXL (Intel)",
	"uncore_imc":              "memory controller (Intel)",
	"uncore_imc_free_running": "memory controller, counters that always run (Intel)",
	"uncore_cha":              "caching and home agent (Intel)",
	"uncore_upi":              "link between packages (Intel)",
	"uncore_iio":              "I/O stack (Intel)",
	"amd_df":                  "data fabric (AMD)",
	"amd_l3":                  "last-level cache (AMD)",
	"amd_umc":                 "memory controller (AMD)",
	"cxl_pmu":                 "CXL device, by the CXL 3.0 specification",
	"arm_cmn":                 "CMN mesh (Arm)",
	"arm_dmc620":              "DMC-620 memory controller (Arm)",
	"cstate_core":             "C-states of cores (Intel)",
	"cstate_module":           "C-states of modules of cores (Intel)",
	"cstate_pkg":              "C-states of packages (Intel)",
	"power":                   "energy counters (RAPL)",
	"power_core":              "energy counters of cores (AMD)",
}

// Boxes lists what sysfs has, in order of name with numbers by value. A PMU that
// cannot be read is left out and named in the error, which then comes together
// with the others.
func (m Machine) Boxes() ([]Box, error) {
	pmus, err := m.fs().PMUs()
	if len(pmus) == 0 {
		return nil, err
	}
	packages, topologyErr := m.Packages()
	if topologyErr != nil {
		return nil, topologyErr
	}
	var boxes []Box
	for _, p := range pmus {
		if !p.Uncore {
			continue
		}
		kind := kindOf(p.Name)
		b := Box{PMU: p.Name, Kind: kind, About: about[kind], Type: p.Type, CPUs: slices.Clone(p.CPUs)}
		for _, cpu := range b.CPUs {
			b.Packages = append(b.Packages, packages(cpu))
		}
		for name := range p.Format {
			b.Fields = append(b.Fields, name)
		}
		slices.Sort(b.Fields)
		for _, alias := range p.Events {
			b.Events = append(b.Events, alias.Name)
		}
		for _, fault := range p.Faults {
			b.Faults = append(b.Faults, fault.Error())
		}
		boxes = append(boxes, b)
	}
	return boxes, err
}

// Packages gives the package of each CPU, -1 for one that is not there or offline.
func (m Machine) Packages() (func(cpu int) int, error) {
	cpus, err := m.fs().Topology()
	if err != nil {
		return nil, fmt.Errorf("packages of the CPUs: %w", err)
	}
	byID := make(map[int]int, len(cpus))
	for _, cpu := range cpus {
		byID[cpu.ID] = cpu.Package
	}
	return func(cpu int) int {
		if p, ok := byID[cpu]; ok {
			return p
		}
		return -1
	}, nil
}

// kindOf is the name of a PMU without what tells one box from another: the
// number of uncore_imc_3 and arm_cmn_0, the address of arm_dmc620_10008c000, the
// device of cxl_pmu_mem0.1. A PMU of its own kind keeps its name.
func kindOf(name string) string {
	i := strings.LastIndexByte(name, '_')
	if i <= 0 || i == len(name)-1 {
		return name
	}
	suffix := name[i+1:]
	digits := strings.Trim(suffix, "0123456789") == ""
	address := len(suffix) >= 3 && strings.Trim(suffix, "0123456789abcdef") == "" && strings.ContainsAny(suffix, "0123456789")
	device := strings.HasPrefix(suffix, "mem") && len(suffix) > 3 && strings.Trim(suffix[3:], "0123456789.") == ""
	if digits || address || device {
		return name[:i]
	}
	return name
}

// kinds finds the PMUs of sysfs by kind and reads one of each that is wanted: boxes
// of a kind are alike, and a server has hundreds. hasCore tells whether there is
// a PMU of the cores, which generic events need: x86 calls it cpu, and those of
// several kinds of core say which CPUs are theirs.
func (m Machine) kinds(wanted func(kind string) bool) (kinds map[string]pmu.PMU, hasCore bool, err error) {
	dir := filepath.Join(cmp.Or(m.Sys, "/sys"), "bus/event_source/devices")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false, fmt.Errorf("list the PMUs: %w", err)
	}
	kinds = map[string]pmu.PMU{}
	var errs []error
	for _, entry := range entries {
		name := entry.Name()
		if _, err := os.Stat(filepath.Join(dir, name, "cpus")); err == nil || name == "cpu" {
			hasCore = true
		}
		kind := kindOf(name)
		if _, have := kinds[kind]; have || !wanted(kind) {
			continue
		}
		p, err := m.fs().PMU(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		kinds[kind] = p
	}
	return kinds, hasCore, errors.Join(errs...)
}
