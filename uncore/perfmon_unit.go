package uncore

import "strings"

// unitPMU is the PMU of sysfs that a unit of Intel's event files stands for,
// without the number of the box: what perf's build makes of it
// (tools/perf/pmu-events/jevents.py, unit_to_pmu). An event without a unit is the
// core's.
func unitPMU(unit, event string) string {
	switch unit {
	case "", "cpu", "core":
		return "cpu"
	case "cpu_core", "cpu_atom", "cpu_lowpower":
		return unit // kinds of core are PMUs of their own
	case "CBO":
		return "uncore_cbox"
	case "SBO":
		return "uncore_sbox"
	case "QPI LL":
		return "uncore_qpi"
	case "UPI LL":
		return "uncore_upi"
	case "HAC_CBO":
		return "uncore_hac_cbox" // linux arch/x86/events/intel/uncore_snb.c, mtl_uncore_hac_cbox
	case "iMPH-U":
		return "uncore_arb"
	case "NCU":
		if event == "UNC_CLOCK.SOCKET" {
			return "uncore_clock"
		}
	case "L3PMC":
		return "amd_l3"
	case "DFPMC":
		return "amd_df"
	case "UMCPMC":
		return "amd_umc"
	}
	return "uncore_" + strings.ToLower(unit)
}
