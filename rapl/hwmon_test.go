package rapl

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/internal/pmu"
)

func chip(dir string, files ...string) string {
	out := ""
	for i := 0; i+1 < len(files); i += 2 {
		out += "-- sys/class/hwmon/" + dir + "/" + files[i] + " --\n" + files[i+1] + "\n"
	}
	return out
}

func TestHwmonDomains(t *testing.T) {
	two := cpuinfo("", 0, 0, "") + cpus("0 0 0", "1 0 0")
	for _, c := range []struct {
		name, archive string
		want          []string
		notes         []string
	}{
		{"amd_energy", chip("hwmon2", "name", "amd_energy", "energy1_input", "5", "energy1_label", "Ecore000",
			"energy2_input", "6", "energy2_label", "Esocket0", "energy3_input", "7", "energy3_label", "Esocket1"),
			[]string{"ecore000 0 [0 1]", "package 0 [0] +", "package 1 [1] +"}, []string{"may overlap"}},
		{"Grace", chip("hwmon0", "name", "power_meter", "power1_average", "90000000", "power1_average_interval", "50", "device/power1_oem_info", "Grace Power Socket 0") +
			chip("hwmon1", "name", "power_meter", "power1_average", "80000000", "device/power1_oem_info", "CPU Power Socket 0") +
			chip("hwmon2", "name", "power_meter", "power1_average", "300000000", "device/power1_oem_info", "Module Power Socket 0") +
			chip("hwmon3", "name", "power_meter", "power1_average", "10000000", "device/power1_oem_info", "SysIO Power Socket 0"),
			[]string{"grace_power_socket_0 0 [0 1]", "package 0 [0] +", "module_power_socket_0 0 [0 1]", "sysio_power_socket_0 0 [0 1]"},
			[]string{"integrated from power1_average", "over 50 ms", "may overlap"}},
		{"energy before power of the same chip", chip("hwmon0", "name", "meter", "energy1_input", "5", "energy1_label", "Package id 1", "power1_input", "6"),
			[]string{"package 1 [1] +"}, nil},
		{"no package: the first channel", chip("hwmon10", "name", "b", "power1_input", "5") + chip("hwmon9", "name", "a", "power2_input", "6", "power10_input", "7"),
			[]string{"a_power2 0 [0 1] +", "a_power10 0 [0 1]", "b_power1 0 [0 1]"}, []string{"no sensor calls itself a package", "may overlap"}},
		{"a graphics card is not the machine", chip("hwmon0", "name", "amdgpu", "power1_average", "5", "power1_label", "PPT") + chip("hwmon1", "name", "board", "power1_input", "9"),
			[]string{"ppt 0 [0 1]", "board_power1 0 [0 1] +"}, nil},
		{"labels that RAPL uses otherwise", chip("hwmon0", "name", "k", "power1_input", "5", "power1_label", "Package", "power2_input", "5", "power2_label", "Core",
			"power3_input", "5", "power3_label", "package"),
			[]string{"package 0 [0] +", "k_core 0 [0 1]", "k_package 0 [0 1]"}, nil},
		{"a sleeping graphics card, and power that flows backwards", chip("hwmon0", "name", "amdgpu", "power1_average", "") + chip("hwmon1", "name", "board", "power1_input", "-9"),
			[]string{"board_power1 0 [0 1] +"}, []string{"power1_average of amdgpu (hwmon0) is left out"}},
		{"a disabled channel", chip("hwmon0", "name", "k", "power1_input", "5", "power1_enable", "0", "power2_input", "5", "power2_enable", "1"),
			[]string{"k_power2 0 [0 1] +"}, []string{"power1_input of k (hwmon0) is left out: it is disabled"}},
		{"a label that estimates have", chip("hwmon0", "name", "k", "power1_input", "5", "power1_label", "Model"),
			[]string{"k_model 0 [0 1] +"}, nil},
		{"packages by other numbers", chip("hwmon0", "name", "k", "power1_input", "5", "power1_label", "CPU 7") +
			chip("hwmon1", "name", "l", "power1_input", "5", "power1_label", "CPU 9"),
			[]string{"package 0 [0] +", "package 1 [1] +"}, nil},
		{"more packages than the kernel knows", chip("hwmon0", "name", "k", "power1_input", "5", "power1_label", "CPU 0") +
			chip("hwmon1", "name", "k", "power1_input", "5", "power1_label", "CPU 1") + chip("hwmon2", "name", "k", "power1_input", "5", "power1_label", "CPU 2"),
			[]string{"package 0 [0] +", "package 1 [1] +", "cpu_2 0 [0 1] +"}, []string{"the kernel knows no package 2"}},
	} {
		s, err := Open(tree(t, two+c.archive), "hwmon")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		defer s.Close()
		if d := cmp.Diff(c.want, names(s.Info().Domains)); d != "" {
			t.Errorf("%s: domains (-want +got):\n%s", c.name, d)
		}
		for _, note := range c.notes {
			if !noted(s, note) {
				t.Errorf("%s: %q is not said: %q", c.name, note, s.Info().Notes)
			}
		}
	}
	for _, archive := range []string{"", chip("hwmon0", "name", "BAT0", "power1_input", "5"), chip("hwmon0", "name", "ina226", "in1_input", "5", "curr1_input", "5")} {
		if _, err := Open(tree(t, two+archive), "hwmon"); !errors.Is(err, ErrNoHardware) {
			t.Errorf("%q: %v, want %v", archive, err, ErrNoHardware)
		}
	}
}

func TestHwmonEnergy(t *testing.T) {
	m := tree(t, cpus("0 0 0")+chip("hwmon0", "name", "meter", "energy1_input", "5000000", "energy1_label", "socket"))
	put(t, m.proc("cpuinfo"), "processor : 0\n")
	s := open(t, m, "hwmon")
	put(t, m.sys("class/hwmon/hwmon0/energy1_input"), "8000000\n")
	if j, _ := read(t, s); j[0] != 3 {
		t.Errorf("%v J, want 3", j)
	}
	if s.Info().Domains[0].Unit != 1e-6 || !s.Info().Measured {
		t.Errorf("%+v", s.Info())
	}
}

// The chips of Kepler's test data, one machine each.
func TestHwmonCaptured(t *testing.T) {
	root := untar(t)
	for dir, want := range map[string][]string{
		"hwmon0":                 {"package 0 [0] +", "k10temp_core 0 [0]"},
		"hwmon1":                 nil, // a graphics card
		"hwmon2":                 {"platform_sensor_power1 0 [0] +"},
		"hwmon_aggregate":        {"package 0 [0] +", "multi_sensor_package 0 [0]"},
		"hwmon_disabled_power":   {"psu_rail_a 0 [0] +", "psu_rail_b 0 [0]"},
		"hwmon_energy":           {"total 0 [0] +"},
		"hwmon_energy_disabled":  {"rail_a 0 [0] +", "rail_b 0 [0]"},
		"hwmon_energy_multi":     {"sensor_a 0 [0] +", "sensor_b 0 [0]", "sensor_c 0 [0]"},
		"hwmon_energy_no_label":  {"power_chip_energy1 0 [0] +"},
		"hwmon_dir_fallback":     {"dir_fallback_test 0 [0] +"},
		"hwmon_ina3221":          nil, // volts and amperes
		"hwmon_disabled_channel": nil,
	} {
		m := tree(t, cpuinfo("", 0, 0, "")+cpus("0 0 0"))
		captured(t, m, filepath.Join(root, "class/hwmon", dir), filepath.Join("hwmon", dir))
		s, err := Open(m, "hwmon")
		if want == nil {
			if !errors.Is(err, ErrNoHardware) {
				t.Errorf("%s: %v, want %v", dir, err, ErrNoHardware)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		defer s.Close()
		if d := cmp.Diff(want, names(s.Info().Domains)); d != "" {
			t.Errorf("%s: domains (-want +got):\n%s", dir, d)
		}
	}
}

func TestMatchPackages(t *testing.T) {
	for _, c := range []struct {
		labels, packages []int
		want             map[int]int
	}{
		{[]int{0, 1}, []int{0, 1}, map[int]int{0: 0, 1: 1}},
		{[]int{1}, []int{0, 1}, map[int]int{1: 1}},
		{[]int{0, 1}, []int{3180, 36}, map[int]int{0: 36, 1: 3180}},
		{[]int{1, 2}, []int{0, 1}, map[int]int{1: 0, 2: 1}}, // counted from 1
		{[]int{0}, []int{36, 3180}, map[int]int{}},
		{[]int{0, 1}, []int{0}, map[int]int{0: 0}},
	} {
		var online []pmu.CPU
		for i, p := range c.packages {
			online = append(online, pmu.CPU{ID: i, Package: p, Online: true})
		}
		if d := cmp.Diff(c.want, matchPackages(c.labels, online)); d != "" {
			t.Errorf("labels %v of packages %v (-want +got):\n%s", c.labels, c.packages, d)
		}
	}
}

func TestPackageOf(t *testing.T) {
	for label, want := range map[string]string{
		"Package id 1": "1 true", "package": "0 true", "Esocket12": "12 true", "VDD_CPU": "0 true", "CPU Power Socket 3": "3 true",
		"SysIO Power Socket 0": "0 false", "Module Power Socket 1": "0 false", "VDD_CPU_CV": "0 false", "Ecore001": "0 false", "PPT": "0 false", "": "0 false",
	} {
		n, ok := packageOf(label)
		if got := fmt.Sprint(n, " ", ok); got != want {
			t.Errorf("%q is %s, want %s", label, got, want)
		}
	}
}
