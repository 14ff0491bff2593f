package rapl

import "math"

// known are the domains of RAPL by the names of their perf events
// (arch/x86/events/rapl.c), powercap zones (drivers/powercap/intel_rapl_common.c)
// and MSRs (SDM volume 4, table 2-20 on). cores (PP0) and gpu (PP1) lie inside
// the package, dram outside, psys around everything. powercap calls PP1
// "uncore", though it is the graphics unit.
var known = []struct {
	name       string
	event      string // perf
	zone       string // powercap
	intel, amd int64  // MSR; 0: none
	sum        bool
}{
	{name: "package", event: "energy-pkg", zone: "package", intel: 0x611, amd: 0xc001029b, sum: true},
	{name: "cores", event: "energy-cores", zone: "core", intel: 0x639},
	{name: "gpu", event: "energy-gpu", zone: "uncore", intel: 0x641},
	{name: "dram", event: "energy-ram", zone: "dram", intel: 0x619, sum: true},
	{name: "psys", event: "energy-psys", zone: "psys", intel: 0x64d},
	{name: "core", event: "energy-core", amd: 0xc001029a},
}

// Intel models of family 6 with a unit of their own, by CPUID model
// (arch/x86/include/asm/intel-family.h).
var (
	// fixedDRAM: the DRAM counter's unit is 2^-16 J whatever the unit register
	// says (datasheet 330784-001; rapl.c model_hsx and model_knl): Haswell-X,
	// Broadwell-X and -D, Skylake-X, Ice Lake-X and -D, Knights Landing and Mill.
	// Sapphire Rapids and later follow the register (commit 80275ca9e525).
	fixedDRAM = map[int]bool{0x3f: true, 0x4f: true, broadwellD: true, 0x55: true, 0x6a: true, 0x6c: true, 0x57: true, 0x85: true}
	// atomUnit: the unit is 2^ESU µJ, not 2^-ESU J (rapl_check_unit_atom):
	// Silvermont, Airmont and their phone parts.
	atomUnit = map[int]bool{0x37: true, 0x4a: true, 0x4c: true, 0x5a: true}
	// jouleUnit: psys counts whole joules: Sapphire, Emerald and Granite Rapids
	// (X and D), Sierra Forest.
	jouleUnit = map[int]bool{0x8f: true, 0xcf: true, 0xad: true, 0xae: true, 0xaf: true}
)

const broadwellD = 0x56

// Steps of the counters where no register was read: Intel's usual 2^-14 J, AMD's
// 2^-16 J, and the fixed DRAM unit.
const (
	unitIntel = 1.0 / (1 << 14)
	unitAMD   = 1.0 / (1 << 16)
	unitDRAM  = 1.0 / (1 << 16)
)

// unit is the joules per count of a domain's register, given the energy status
// unit (ESU), bits 12:8 of the unit register.
func (p processor) unit(domain string, esu uint) float64 {
	if p.intel() && p.family == 6 {
		switch {
		case domain == "dram" && fixedDRAM[p.model]:
			return unitDRAM
		case domain == "psys" && jouleUnit[p.model]:
			return 1
		case atomUnit[p.model]:
			return math.Ldexp(1e-6, int(esu))
		}
	}
	return math.Ldexp(1, -int(esu))
}

// usualUnit is the step of a domain's register when the unit register is out of
// reach, as it is behind perf events, which all count in 2^-32 J.
func (p processor) usualUnit(domain string) float64 {
	switch {
	case p.amd():
		return unitAMD
	case p.intel() && p.family == 6 && atomUnit[p.model]:
		return p.unit(domain, 5) // 32 µJ, ESU's value after reset (SDM table 2-8)
	case p.intel():
		return p.unit(domain, 14)
	}
	return unitIntel
}

// plausibleWatts bounds the power of a domain.
func plausibleWatts(domain string) float64 {
	if domain == "psys" {
		return maxPlatformWatts
	}
	return maxPackageWatts
}
