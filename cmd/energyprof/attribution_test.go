package main

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// What the flags ask of attribution: nothing that was not given is taken for known.
func TestAttributionOptions(t *testing.T) {
	unknown := math.NaN()
	domains := []rapl.Domain{{Name: "package", Sum: true, IdleWatts: 3}, {Name: "cores"}, {Name: "dram", Sum: true, IdleWatts: 1}}
	board := []rapl.Domain{{Name: "total", Sum: true}, {Name: "cpu"}}
	memory := []rapl.Domain{{Name: "dram"}, {Name: "dram", Package: 1}} // as mem has it alone, in no sum
	for _, tt := range []struct {
		method, baseline string
		measured         bool
		domains          []rapl.Domain
		want             attribution.Method
		watts            []float64
	}{
		{"auto", "auto", true, domains, attribution.Auto, nil},
		{"auto", "auto", false, domains, attribution.Proportional, []float64{3, 0, 1}},
		{"regression", "auto", false, domains, attribution.Regression, nil},
		{"auto", "0", true, domains, attribution.Auto, []float64{0, 0, 0}},
		{"auto", "9.5W", true, domains, attribution.Auto, []float64{9.5, unknown, unknown}},
		{"proportional", "7", true, board, attribution.Proportional, []float64{7, unknown}},
		{"regression", "2", true, memory, attribution.Regression, []float64{2, 2}},
		{"proportional", "auto", true, domains, attribution.Proportional, nil},
		{"regression", "measure", true, domains, attribution.Regression, nil},
		{"share", "auto", true, domains, attribution.Share, nil},
		{"share", "0", true, domains, attribution.Share, nil},
	} {
		f := attributionFlags{method: tt.method, baseline: tt.baseline}
		if err := f.check(); err != nil {
			t.Errorf("%s, baseline %s: %v", tt.method, tt.baseline, err)
			continue
		}
		got := f.options(rapl.Info{Measured: tt.measured, Domains: tt.domains})
		same := slices.EqualFunc(got.BaselineWatts, tt.watts, func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
		if got.Method != tt.want || !same {
			t.Errorf("%s, baseline %s, measured %v: %s, %v W; want %s, %v W", tt.method, tt.baseline, tt.measured,
				got.Method, got.BaselineWatts, tt.want, tt.watts)
		}
	}
	for _, f := range []attributionFlags{{method: "magic", baseline: "auto"}, {method: "auto", baseline: "-1"}, {method: "auto", baseline: "NaN"},
		{method: "share", baseline: "5"}, {method: "share", baseline: "measure"}} {
		var usage usageError
		if err := f.check(); !errors.As(err, &usage) {
			t.Errorf("%s, baseline %s: %v", f.method, f.baseline, err)
		}
	}
}

func TestWeigh(t *testing.T) {
	for name, want := range map[string]int{"": -1, "cpu-clock": 0, "cycles": 1, "cycles:u": 1, "sched:sched_switch": 2} {
		events := []collect.Event{{Name: "cpu-clock", Clock: true}, {Name: "cycles:u"}, {Name: "sched:sched_switch"}}
		f := attributionFlags{weight: name}
		if err := f.weigh(events); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if got := slices.IndexFunc(events, func(e collect.Event) bool { return e.Weight }); got != want {
			t.Errorf("%q weighs by event %d, want %d", name, got, want)
		}
	}
	f := attributionFlags{weight: "sched"}
	if err := f.weigh([]collect.Event{{Name: "sched:sched_switch"}}); err == nil {
		t.Error("an event that is not sampled weighs")
	}
}

// Hardware threads of one core, and the types of cores of a hybrid machine, from sysfs and from a file.
func TestCores(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("devices/system/cpu/present", "0-4\n")
	write("devices/system/cpu/online", "0-4\n")
	var info perfdata.Info
	for cpu, core := range []int{0, 0, 4, 8, 9} {
		dir := filepath.Join("devices/system/cpu", "cpu"+string(rune('0'+cpu)), "topology")
		write(dir+"/physical_package_id", "0\n")
		write(dir+"/core_id", string(rune('0'+core))+"\n")
		info.CPUs = append(info.CPUs, perfdata.CPU{Core: core})
	}
	write("bus/event_source/devices/cpu_core/type", "4\n")
	write("bus/event_source/devices/cpu_core/cpus", "0-2\n")
	write("bus/event_source/devices/cpu_atom/type", "10\n")
	write("bus/event_source/devices/cpu_atom/cpus", "3-4\n")
	info.HybridCPUs = map[string]string{"cpu_core": "0-2", "cpu_atom": "3-4"}
	wantCore, wantType := []int32{0, 0, 2, 3, 4}, []uint8{0, 0, 0, 1, 1}
	core, types := cores(pmu.NewFS(root, root))
	if !slices.Equal(core, wantCore) || !slices.Equal(types, wantType) {
		t.Errorf("sysfs: cores %v, types %v; want %v, %v", core, types, wantCore, wantType)
	}
	core, types = topology(&info)
	if !slices.Equal(core, wantCore) || !slices.Equal(types, wantType) {
		t.Errorf("file: cores %v, types %v; want %v, %v", core, types, wantCore, wantType)
	}
	info.HybridCPUs = nil
	if _, types = topology(&info); types != nil {
		t.Errorf("types %v on a machine with one", types)
	}
}

func TestSystemWide(t *testing.T) {
	for _, tt := range []struct {
		onExec  bool
		cmdline []string
		want    bool
	}{
		{true, []string{"perf", "record", "ls", "-a"}, false},
		{false, []string{"perf", "record", "-F", "99", "-a", "--", "sleep", "1"}, true},
		{false, []string{"perf", "record", "-C0-1"}, true},
		{false, []string{"perf", "record", "--all-cpus"}, true},
		{false, []string{"perf", "record", "-p", "4711"}, false},
		{false, []string{"perf", "record", "--pid=4711", "--", "-a"}, false},
		{false, []string{"perf", "record", "-D", "100", "app"}, false},
		{false, []string{"perf", "record"}, true},
		{false, nil, true},
	} {
		file := &perfdata.File{Events: []perfdata.Event{{Name: "cycles"}}, Info: perfdata.Info{Cmdline: tt.cmdline}}
		if tt.onExec {
			file.Events[0].Attr.Flags |= perfring.FlagEnableOnExec
		}
		if got := systemWide(file); got != tt.want {
			t.Errorf("%q, enabled on exec %v: %v", tt.cmdline, tt.onExec, got)
		}
	}
}

// Joules of functions are said to include static power where functions have any, and nobody knows it.
func TestStaticIncluded(t *testing.T) {
	for _, tt := range []struct {
		baseline string
		joules   float64
		want     int
	}{{"auto", 1, 1}, {"auto", 0, 0}, {"2", 1, 0}} {
		rec := &report.Recording{Attribution: report.Attribution{Method: attribution.Proportional}}
		rec.Data = pprofile.Profile{Measured: true, Columns: []pprofile.Column{{Domain: "dram", Joules: 1}}, Stacks: []pprofile.Stack{{Joules: []float64{tt.joules}}}}
		f := attributionFlags{baseline: tt.baseline}
		if got := f.notes(rec); len(got) != tt.want {
			t.Errorf("baseline %s, functions with %v J: notes %q, want %d", tt.baseline, tt.joules, got, tt.want)
		}
	}
}
