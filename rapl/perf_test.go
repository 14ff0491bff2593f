package rapl

import (
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/internal/pmu"
)

// powerPMU is a PMU of energy events as txtar: names and codes in turn.
func powerPMU(name, cpumask string, events ...string) string {
	base := "-- sys/bus/event_source/devices/" + name
	s := base + "/type --\n23\n" + base + "/cpumask --\n" + cpumask + "\n" + base + "/format/event --\nconfig:0-7\n"
	for i := 0; i+1 < len(events); i += 2 {
		e := base + "/events/" + events[i]
		s += e + " --\nevent=" + events[i+1] + "\n" + e + ".unit --\nJoules\n" + e + ".scale --\n2.3283064365386962890625e-10\n"
	}
	return s
}

func TestPlanPerf(t *testing.T) {
	for _, c := range []struct {
		name, archive string
		want          []string // domains, and where each is read
		notes         []string
	}{
		{"client", cpuinfo("GenuineIntel", 6, 0x8e, "") + cpus("0 0 0", "0 0 1") +
			powerPMU("power", "0", "energy-cores", "0x01", "energy-pkg", "0x02", "energy-ram", "0x03", "energy-gpu", "0x04", "energy-psys", "0x05"),
			[]string{"package 0 [0 1] + 2@0", "cores 0 [0 1] 1@0", "gpu 0 [0 1] 4@0", "dram 0 [0 1] + 3@0", "psys 0 [0 1] 5@0"}, nil},
		{"server of two packages", cpuinfo("GenuineIntel", 6, 0x8f, "") + cpus("0 0 0", "1 0 0", "0 0 1", "1 0 1") +
			powerPMU("power", "0-1", "energy-pkg", "0x02", "energy-psys", "0x05"),
			[]string{"package 0 [0 2] + 2@0", "package 1 [1 3] + 2@1", "psys 0 [0 1 2 3] 5@0"}, []string{"psys is read on CPU 0 alone"}},
		{"Cascade Lake-AP", cpuinfo("GenuineIntel", 6, 0x55, "") + cpus("0 0 0", "0 1 0") + powerPMU("power", "0,1", "energy-pkg", "0x02"),
			[]string{"package 0 [0] + 2@0", "package 0 [1] + 2@1"}, nil},
		{"AMD, cpumask of core complexes", cpuinfo("AuthenticAMD", 0x19, 0x11, "rapl") + cpus("0 0 0", "0 1 1", "0 2 2") + powerPMU("power", "0-2", "energy-pkg", "0x02"),
			[]string{"package 0 [0 1 2] + 2@0"}, []string{"names 3 CPUs for 1 packages"}},
		{"AMD with cores", cpuinfo("AuthenticAMD", 0x19, 0x11, "rapl") + cpus("0 0 0", "0 0 1", "0 0 0", "0 0 1") +
			powerPMU("power", "0", "energy-pkg", "0x02") + powerPMU("power_core", "0-1", "energy-core", "0x01"),
			[]string{"package 0 [0 1 2 3] + 2@0", "core 0 [0 2] 1@0", "core 0 [1 3] 1@1"}, nil},
		{"an event of tomorrow", cpuinfo("GenuineIntel", 6, 0xff, "") + cpus("0 0 0") + powerPMU("power", "0", "energy-npu", "0x06", "energy-pkg", "0x02"),
			[]string{"package 0 [0] + 2@0", "npu 0 [0] 6@0"}, []string{"power/energy-npu/"}},
		{"psys alone", cpuinfo("GenuineIntel", 6, 0xff, "") + cpus("0 0 0") + powerPMU("power", "0", "energy-psys", "0x05"),
			[]string{"psys 0 [0] 5@0"}, []string{"no package or dram"}},
	} {
		plan, err := tree(t, c.archive).planPerf()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := names(plan.domains)
		for i, k := range plan.counters {
			if k.Domain != i || k.JoulesPerCount != math.Ldexp(1, -32) || k.Attr.Type != 23 {
				t.Errorf("%s: counter %d is %+v", c.name, i, k)
			}
			got[i] += fmt.Sprintf(" %d@%d", k.Attr.Config, k.CPU)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: domains (-want +got):\n%s", c.name, d)
		}
		s := &meter{info: Info{Notes: plan.notes}}
		for _, note := range c.notes {
			if !noted(s, note) {
				t.Errorf("%s: %q is not said: %q", c.name, note, plan.notes)
			}
		}
	}
	for _, c := range []struct {
		name, archive string
		want          error
	}{
		{"no driver", cpuinfo("GenuineIntel", 6, 0x8e, "") + cpus("0 0 0"), ErrNoDriver},
		{"virtual", cpuinfo("AuthenticAMD", 0x19, 0x11, "hypervisor") + cpus("0 0 0"), ErrNoHardware},
		{"no events", cpuinfo("GenuineIntel", 6, 0x8e, "") + cpus("0 0 0") + powerPMU("power", "0"), ErrNoHardware},
	} {
		if _, err := tree(t, c.archive).planPerf(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestPlanPerfHandwrittenTree(t *testing.T) {
	where := make([]string, 32)
	for i := range where {
		where[i] = fmt.Sprintf("%d 0 %d", i/16, i%16)
	}
	m := tree(t, cpuinfo("GenuineIntel", 6, 0x8f, "")+cpus(where...))
	if err := os.CopyFS(m.sys("bus/event_source/devices"), os.DirFS(corpus(t, "sysfs", "pmu-devices", "devices"))); err != nil {
		t.Fatal(err)
	}
	plan, err := m.planPerf()
	if err != nil {
		t.Fatal(err)
	}
	units := map[string]float64{}
	for _, d := range plan.domains {
		units[d.Name] = d.Unit
	}
	want := map[string]float64{"package": unitIntel, "cores": unitIntel, "gpu": unitIntel, "dram": unitIntel, "psys": 1}
	if d := cmp.Diff(want, units); d != "" || len(plan.domains) != 9 {
		t.Errorf("%d domains, units (-want +got):\n%s", len(plan.domains), d)
	}
}

func TestPlanEvent(t *testing.T) {
	archive := cpuinfo("AuthenticAMD", 0x19, 0x11, "") + cpus("0 0 0", "0 1 1", "1 0 0", "1 1 1") +
		powerPMU("power", "0,2", "energy-pkg", "0x02") +
		"-- sys/bus/event_source/devices/msr/type --\n9\n-- sys/bus/event_source/devices/msr/format/event --\nconfig:0-63\n-- sys/bus/event_source/devices/msr/events/tsc --\nevent=0x00\n"
	for _, c := range []struct {
		spec  string
		scale float64
		want  []string
		unit  float64
	}{
		{"msr/tsc/", 1e-9, []string{"package 0 [0 1 2 3] +"}, 1e-9},
		{"power/energy-pkg/", 0, []string{"package 0 [0 1] +", "package 1 [2 3] +"}, math.Ldexp(1, -32)},
		{"power/energy-pkg/", 2, []string{"package 0 [0 1] +", "package 1 [2 3] +"}, 2},
	} {
		plan, err := tree(t, archive).planEvent(c.spec, c.scale)
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		if d := cmp.Diff(c.want, names(plan.domains)); d != "" || plan.counters[0].JoulesPerCount != c.unit {
			t.Errorf("%s: %v J per count, domains (-want +got):\n%s", c.spec, plan.counters[0].JoulesPerCount, d)
		}
	}
	for _, scale := range []float64{0, -1, math.Inf(1), math.NaN()} {
		if _, err := OpenEvent(tree(t, archive), "msr/tsc/", scale); err == nil {
			t.Errorf("a scale of %v was taken", scale)
		}
	}
	var wrong *pmu.EventError
	if _, err := OpenEvent(tree(t, archive), "msr/tcs/", 1); !errors.As(err, &wrong) {
		t.Errorf("an unknown event gave %v", err)
	}
}
