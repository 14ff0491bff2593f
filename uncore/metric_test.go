package uncore

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// metric is the figure of that name.
func metric(t *testing.T, all []Metric, name string) Metric {
	t.Helper()
	for _, metric := range all {
		if metric.Name == name {
			return metric
		}
	}
	t.Fatalf("the machine has no %s", name)
	return Metric{}
}

// two packages of four CPUs, as testdata/spr.txtar.
func packageOf(cpu int) int { return cpu / 4 }

const (
	cxlReads  = "uncore_cxlcm/event=0x41,umask=0x10/"
	cxlWrites = "uncore_cxlcm/event=0x2,umask=0x10/"
	cxlFull   = "uncore_cxlcm/event=0x52,umask=0x10/"
	cxlBusy   = "uncore_cxlcm/event=0x42,umask=0x10/"
	cxlTicks  = "uncore_cxlcm/event=0x1,umask=0x2/"
)

// The numbers here are computed by hand.
func TestValues(t *testing.T) {
	const spr, amd, gnr, arm, client = "spr", "amd", "gnr", "arm", "client"
	machines := map[string][]Metric{}
	for _, name := range []string{spr, amd, gnr, arm, client} {
		var err error
		if machines[name], err = tree(t, name).Metrics(); err != nil {
			t.Fatal(err)
		}
	}
	count := func(event, pmu string, cpu int, n float64) Measured {
		return Measured{Event: event, PMU: pmu, CPU: cpu, Count: n, OK: true}
	}
	joules := []Joules{{"energy", 0, 120}, {"energy", 1, 60}, {"package", 0, 100}, {"package", 1, 50}, {"dram", 0, 20}, {"dram", 1, 10}, {"psys", -1, 999}}
	for _, test := range []struct {
		machine string
		name    string
		stretch Stretch
		want    []Value
	}{
		// 3e9 lines of 64 bytes in 2 s are 96 GB/s, of each port of each package.
		{spr, "cxl_read_bandwidth", Stretch{Seconds: 2, Counts: []Measured{
			count(cxlReads, "uncore_cxlcm_1", 0, 1e9), count(cxlReads, "uncore_cxlcm_0", 0, 3e9), count(cxlReads, "uncore_cxlcm_0", 4, 500),
			count(cxlWrites, "uncore_cxlcm_0", 0, 7),
		}}, []Value{{0, "uncore_cxlcm_0", -1, 96e9}, {0, "uncore_cxlcm_1", -1, 32e9}, {1, "uncore_cxlcm_0", -1, 16000}}},
		{spr, "cxl_write_bandwidth", Stretch{Seconds: 0.5, Counts: []Measured{count(cxlWrites, "uncore_cxlcm_0", 0, 10)}},
			[]Value{{0, "uncore_cxlcm_0", -1, 1280}}},
		// Asked for twice, by name and by code: the bytes moved once. What was counted is taken.
		{spr, "cxl_read_bandwidth", Stretch{Seconds: 1, Counts: []Measured{
			{Event: cxlReads, PMU: "uncore_cxlcm_0", CPU: 0}, count(cxlReads, "uncore_cxlcm_0", 0, 10), count(cxlReads, "uncore_cxlcm_0", 0, 10),
		}}, []Value{{0, "uncore_cxlcm_0", -1, 640}}},
		// A port that counted nothing read nothing: that is a 0.
		{spr, "cxl_read_bandwidth", Stretch{Seconds: 1, Counts: []Measured{count(cxlReads, "uncore_cxlcm_0", 0, 0)}},
			[]Value{{0, "uncore_cxlcm_0", -1, 0}}},
		{gnr, "cxl_write_bandwidth", Stretch{Seconds: 1, Counts: []Measured{count("uncore_cxldp/event=0x2,umask=0x20/", "uncore_cxldp", 0, 5)}},
			[]Value{{0, "uncore_cxldp", -1, 320}}},
		{spr, "cxl_receive_queue_full", Stretch{Seconds: 1, Counts: []Measured{
			count(cxlFull, "uncore_cxlcm_0", 0, 250), count(cxlTicks, "uncore_cxlcm_0", 0, 1000),
		}}, []Value{{0, "uncore_cxlcm_0", -1, 0.25}}},
		{spr, "cxl_receive_queue_busy", Stretch{Seconds: 1, Counts: []Measured{
			count(cxlBusy, "uncore_cxlcm_0", 0, 900), count(cxlTicks, "uncore_cxlcm_0", 0, 1000),
		}}, []Value{{0, "uncore_cxlcm_0", -1, 0.9}}},
		// 120 J over 64 * (1e9 + 5e8) bytes.
		{spr, "cxl_joules_per_byte", Stretch{Seconds: 1, Joules: joules, Counts: []Measured{
			count(cxlReads, "uncore_cxlcm_0", 0, 6e8), count(cxlReads, "uncore_cxlcm_1", 0, 4e8),
			count(cxlWrites, "uncore_cxlcm_0", 0, 2e8), count(cxlWrites, "uncore_cxlcm_1", 0, 3e8),
		}}, []Value{{0, "", -1, 1.25e-9}}},
		// A count of the controllers is 6.103515625e-5 MiB = 64 bytes.
		{spr, "memory_read_bandwidth", Stretch{Seconds: 4, Counts: []Measured{
			count("uncore_imc/cas_count_read/", "uncore_imc_0", 0, 1000), count("uncore_imc/cas_count_read/", "uncore_imc_1", 0, 3000),
			count("uncore_imc/cas_count_read/", "uncore_imc_0", 4, 1), count("uncore_imc/cas_count_read/", "uncore_imc_1", 4, 1),
		}}, []Value{{0, "", -1, 64000}, {1, "", -1, 32}}},
		{spr, "memory_bandwidth", Stretch{Seconds: 1, Counts: []Measured{
			count("uncore_imc/cas_count_read/", "uncore_imc_0", 0, 10), count("uncore_imc/cas_count_write/", "uncore_imc_0", 0, 5),
		}}, []Value{{0, "", -1, 960}}},
		{spr, "memory_joules_per_byte", Stretch{Seconds: 1, Joules: joules, Counts: []Measured{
			count("uncore_imc/cas_count_read/", "uncore_imc_0", 4, 1e9), count("uncore_imc/cas_count_write/", "uncore_imc_0", 4, 2.5e8),
		}}, []Value{{1, "", -1, 1.25e-10}}}, // 10 J over 8e10 bytes
		{spr, "joules_per_byte", Stretch{Seconds: 1, Joules: joules, Counts: []Measured{
			count("uncore_imc/cas_count_read/", "uncore_imc_0", 0, 1e9), count("uncore_imc/cas_count_write/", "uncore_imc_0", 0, 2.5e8),
		}}, []Value{{0, "", -1, 1.5e-9}}}, // 120 J
		{gnr, "memory_write_bandwidth", Stretch{Seconds: 1, Counts: []Measured{
			count("uncore_imc/cas_count_write_sch0/", "uncore_imc_0", 0, 3), count("uncore_imc/cas_count_write_sch1/", "uncore_imc_0", 0, 4),
		}}, []Value{{0, "", -1, 448}}},
		{amd, "memory_read_bandwidth", Stretch{Seconds: 2, Counts: []Measured{
			count("amd_umc/event=0xa,rdwrmask=0x1/", "amd_umc_0", 0, 100), count("amd_umc/event=0xa,rdwrmask=0x1/", "amd_umc_1", 0, 50),
		}}, []Value{{0, "", -1, 4800}}},
		{arm, "memory_write_bandwidth", Stretch{Seconds: 1, Counts: []Measured{
			count("arm_dmc620/clkdiv2_rdwr,mask=0x1,match=0x1/", "arm_dmc620_10008c000", 0, 2),
		}}, []Value{{0, "", -1, 128}}},
		{client, "memory_read_bandwidth", Stretch{Seconds: 1, Counts: []Measured{
			count("uncore_imc_free_running/data_read/", "uncore_imc_free_running_0", 0, 1), count("uncore_imc_free_running/data_read/", "uncore_imc_free_running_1", 0, 2),
		}}, []Value{{0, "", -1, 192}}},
		{spr, "cxl_device_write_bandwidth", Stretch{Seconds: 1, Counts: []Measured{
			count("cxl_pmu_mem*/m2s_rwd_memwr/", "cxl_pmu_mem0.0", 0, 10), count("cxl_pmu_mem*/m2s_rwd_memwrptl/", "cxl_pmu_mem0.0", 0, 2),
		}}, []Value{{0, "cxl_pmu_mem0.0", -1, 768}}},
		// 1.5e9 of 2e9 ticks a second in 1 s; package 1 rested all the time.
		{spr, "package_c6_residency", Stretch{Seconds: 1, TSC: 2e9, Counts: []Measured{
			count("cstate_pkg/c6-residency/", "cstate_pkg", 0, 1.5e9), count("cstate_pkg/c6-residency/", "cstate_pkg", 4, 2e9),
		}}, []Value{{0, "", -1, 0.75}, {1, "", -1, 1}}},
		// Two dies of one package: the mean.
		{spr, "package_c6_residency", Stretch{Seconds: 2, TSC: 1e9, Counts: []Measured{
			count("cstate_pkg/c6-residency/", "cstate_pkg", 0, 1e9), count("cstate_pkg/c6-residency/", "cstate_pkg", 2, 0),
		}}, []Value{{0, "", -1, 0.25}}},
		{spr, "package_c6_joules_at_most", Stretch{Seconds: 1, TSC: 2e9, Joules: joules, Counts: []Measured{
			count("cstate_pkg/c6-residency/", "cstate_pkg", 0, 1.5e9),
		}}, []Value{{0, "", -1, 75}}},
		{spr, "core_c6_residency", Stretch{Seconds: 1, TSC: 2e9, Counts: []Measured{
			count("cstate_core/c6-residency/", "cstate_core", 5, 1e9), count("cstate_core/c6-residency/", "cstate_core", 1, 5e8),
		}}, []Value{{0, "", 1, 0.25}, {1, "", 5, 0.5}}},
		{spr, "ipc", Stretch{Seconds: 1, Counts: []Measured{
			count("instructions", "", 0, 3e9), count("instructions", "", 1, 1e9), count("cycles", "", 0, 1e9), count("cycles", "", 1, 1e9),
		}}, []Value{{-1, "", -1, 2}}},
		// Two threads on whatever CPU.
		{spr, "ipc", Stretch{Seconds: 1, Counts: []Measured{
			count("instructions", "", -1, 3), count("instructions", "", -1, 5), count("cycles", "", -1, 2), count("cycles", "", -1, 2),
		}}, []Value{{-1, "", -1, 2}}},
		{spr, "joules_per_instruction", Stretch{Seconds: 1, Joules: joules, Counts: []Measured{count("instructions", "", -1, 9e10)}},
			[]Value{{-1, "", -1, 2e-9}}}, // 180 J
		{spr, "energy_delay_product", Stretch{Seconds: 2.5, Joules: joules}, []Value{{-1, "", -1, 450}}},
	} {
		test.stretch.Package = packageOf
		got := metric(t, machines[test.machine], test.name).Values(test.stretch)
		if diff := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// What was not counted, or not measured, gives no value: no 0, no part of a sum.
func TestNoValue(t *testing.T) {
	spr, err := tree(t, "spr").Metrics()
	if err != nil {
		t.Fatal(err)
	}
	reads := func(pmu string, ok bool) Measured {
		return Measured{Event: "uncore_imc/cas_count_read/", PMU: pmu, CPU: 0, Count: 5, OK: ok}
	}
	c6 := Measured{Event: "cstate_pkg/c6-residency/", PMU: "cstate_pkg", CPU: 0, Count: 5, OK: true}
	instructions := Measured{Event: "instructions", CPU: -1, Count: 1, OK: true}
	for name, test := range map[string]struct {
		metric  string
		stretch Stretch
	}{
		"nothing":              {"memory_read_bandwidth", Stretch{Seconds: 1}},
		"not counted":          {"memory_read_bandwidth", Stretch{Seconds: 1, Counts: []Measured{reads("uncore_imc_0", false)}}},
		"one box not counted":  {"memory_read_bandwidth", Stretch{Seconds: 1, Counts: []Measured{reads("uncore_imc_0", true), reads("uncore_imc_1", false)}}},
		"no time":              {"memory_read_bandwidth", Stretch{Counts: []Measured{reads("uncore_imc_0", true)}}},
		"half of the events":   {"memory_bandwidth", Stretch{Seconds: 1, Counts: []Measured{reads("uncore_imc_0", true)}}},
		"no joules":            {"joules_per_instruction", Stretch{Seconds: 1, Counts: []Measured{instructions}}},
		"joules of others":     {"joules_per_instruction", Stretch{Seconds: 1, Counts: []Measured{instructions}, Joules: []Joules{{"psys", -1, 5}}}},
		"no TSC":               {"package_c6_residency", Stretch{Seconds: 1, Counts: []Measured{c6}}},
		"no package's joules":  {"package_c6_joules_at_most", Stretch{Seconds: 1, TSC: 1e9, Counts: []Measured{c6}, Joules: []Joules{{"package", 1, 5}}}},
		"divided by 0":         {"ipc", Stretch{Seconds: 1, Counts: []Measured{instructions, {Event: "cycles", CPU: -1, OK: true}}}},
		"a product of nothing": {"energy_delay_product", Stretch{Seconds: 1}},
		"joules over no byte":  {"joules_per_byte", Stretch{Seconds: 1, Joules: []Joules{{"energy", 0, 5}}, Counts: []Measured{{Event: "uncore_imc/cas_count_read/", OK: true}, {Event: "uncore_imc/cas_count_write/", OK: true}}}},
		"of no package": {"joules_per_byte", Stretch{Seconds: 1, Package: func(int) int { return -1 }, Joules: []Joules{{"energy", 0, 5}},
			Counts: []Measured{{Event: "uncore_imc/cas_count_read/", Count: 1, OK: true}, {Event: "uncore_imc/cas_count_write/", Count: 1, OK: true}}}},
		"another metric's time": {"energy_delay_product", Stretch{Seconds: math.NaN(), Joules: []Joules{{"energy", 0, 5}}}},
	} {
		if got := metric(t, spr, test.metric).Values(test.stretch); len(got) != 0 {
			t.Errorf("%s: %s is %v, want no value", name, test.metric, got)
		}
	}
}

// Which figures each machine has.
func TestMetrics(t *testing.T) {
	const core = "ipc joules_per_instruction energy_delay_product "
	const memory = "memory_read_bandwidth memory_write_bandwidth memory_bandwidth memory_joules_per_byte joules_per_byte "
	for name, want := range map[string]string{
		"spr": core + "cxl_read_bandwidth cxl_write_bandwidth cxl_receive_queue_busy cxl_receive_queue_full cxl_joules_per_byte " +
			"cxl_device_read_bandwidth cxl_device_write_bandwidth " + memory +
			"core_c1_residency package_c2_residency package_c2_joules_at_most core_c6_residency package_c6_residency package_c6_joules_at_most ",
		"gnr": core + "cxl_read_bandwidth cxl_write_bandwidth cxl_joules_per_byte " + memory,
		"amd": core + memory,
		"arm": core + memory,
		"client": core + memory + "package_c2_residency package_c2_joules_at_most package_c3_residency package_c3_joules_at_most package_c6_residency package_c6_joules_at_most " +
			"package_c7_residency package_c7_joules_at_most package_c8_residency package_c8_joules_at_most package_c9_residency package_c9_joules_at_most " +
			"package_c10_residency package_c10_joules_at_most ",
	} {
		m := tree(t, name)
		metrics, err := m.Metrics()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := ""
		for _, metric := range metrics {
			got += metric.Name + " "
			// Each event is one that the machine's sysfs can read.
			for _, event := range metric.Events {
				if _, err := m.fs().ParseGroups(event); err != nil {
					t.Errorf("%s: %s: %v", name, metric.Name, err)
				}
			}
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	bare := Machine{Sys: t.TempDir(), Proc: t.TempDir()}
	if err := os.MkdirAll(bare.Sys+"/bus/event_source/devices", 0o755); err != nil {
		t.Fatal(err)
	}
	if metrics, err := bare.Metrics(); err != nil || len(metrics) != 1 || metrics[0].Name != "energy_delay_product" {
		t.Errorf("a machine without a PMU has %v, %v; want energy_delay_product alone", metrics, err)
	}
	// The CXL ports of a processor that no table knows: only a user can say what their codes are.
	unknown := tree(t, "spr")
	unknown.Proc = t.TempDir()
	metrics, err := unknown.Metrics()
	if err != nil || slices.ContainsFunc(metrics, func(m Metric) bool { return m.Name == "cxl_read_bandwidth" }) {
		t.Errorf("an unknown processor: %v, %v; want no cxl_read_bandwidth", metrics, err)
	}
	unknown.Platform = "emr"
	if metrics, err = unknown.Metrics(); err != nil {
		t.Fatal(err)
	}
	if got := metric(t, metrics, "cxl_read_bandwidth").Events; !slices.Equal(got, []string{cxlReads}) {
		t.Errorf("the events of a platform by name are %v", got)
	}
}

// Every figure says what it is, and the ones of a machine are among all there are.
func TestAllMetrics(t *testing.T) {
	names := map[string]bool{}
	for _, m := range AllMetrics() {
		if m.Name == "" || m.Unit == "" || m.Formula == "" || m.Source == "" || m.value == nil {
			t.Errorf("%+v lacks something", m)
		}
		if len(m.factors) != len(m.Events) || strings.ContainsAny(m.Name, "/ ") {
			t.Errorf("%s: %d events and %d factors", m.Name, len(m.Events), len(m.factors))
		}
		names[m.Name] = true
	}
	metrics, err := tree(t, "spr").Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics {
		general := strings.NewReplacer("_c1_", "_cN_", "_c2_", "_cN_", "_c6_", "_cN_").Replace(m.Name)
		if !names[general] {
			t.Errorf("%s is not among all", m.Name)
		}
	}
}

// A clock of 2.5 GHz, as arch/x86/kernel/tsc.c would have it: 0.4 ns a tick are
// 838860.8/2^21, rounded.
func TestTickRate(t *testing.T) {
	if got := tickRate(838861, 21); math.Abs(got-2.5e9) > 2.5e9/838861 {
		t.Errorf("%v Hz, want 2.5e9", got)
	}
	if got := tickRate(1<<31, 31); got != 1e9 {
		t.Errorf("%v Hz, want 1e9", got)
	}
}

// The documentation has every figure.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/uncore.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range AllMetrics() {
		if !strings.Contains(string(text), "`"+m.Name+"`") {
			t.Errorf("docs/uncore.md has no %s", m.Name)
		}
	}
}

// Live: the kernel's own conversion, where it keeps time by the counter.
func TestTSCRate(t *testing.T) {
	hz, err := TSCRate()
	if err != nil {
		t.Skipf("no rate here, as in most virtual machines: %v", err)
	}
	if hz < 1e6 || hz > 1e11 { // from the slowest architected timers to what no clock reaches
		t.Errorf("%v Hz is no rate of a time stamp counter", hz)
	}
}
