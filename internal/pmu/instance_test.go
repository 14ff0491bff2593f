package pmu

import "testing"

// What a name without a number stands for.
func TestIsInstance(t *testing.T) {
	for _, test := range []struct {
		device, base string
		want         bool
	}{
		{"uncore_imc_0", "uncore_imc", true},
		{"uncore_imc_10", "imc", true},
		{"uncore_imc", "imc", false}, // the one of that name, and no instance
		{"uncore_imc_10", "uncore_imc_1", false},
		{"uncore_imc10", "imc1", false},
		{"uncore_imc_1_2", "uncore_imc_1", true},
		{"uncore_imc_free_running_0", "uncore_imc", false},
		{"uncore_imc_free_running_0", "uncore_imc_free_running", true},
		{"uncore_cbox_0", "cbo", false},
		{"arm_dmc620_10008c000", "arm_dmc620", true},
		{"arm_dmc620_10008c000", "arm_dmc", false},
		{"smmuv3_pmcg_ff88840", "smmuv3_pmcg", true},
		{"cpu_core", "cpu", false},
		{"cxl_pmu_mem0.1", "cxl_pmu", true},
		{"cxl_pmu_mem0.1", "cxl_pmu_mem", true},
		{"cxl_pmu_mem0.1", "cxl_pmu_mem0", true},
		{"cxl_pmu_mem10.0", "cxl_pmu_mem1", false},
		{"cxl_pmu_mem0.1", "cxl", false},
		{"uncore_imc_0", "", false},
	} {
		if got := isInstance(test.device, test.base); got != test.want {
			t.Errorf("%s of %q: %v, want %v", test.device, test.base, got, test.want)
		}
	}
}
