package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/uncore"
)

// sapphireRapids is a written tree of a machine with two packages of four CPUs.
func sapphireRapids(t *testing.T) uncore.Machine {
	t.Helper()
	archive, err := txtar.ParseFile("../../uncore/testdata/spr.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := txtar.Write(archive, root); err != nil {
		t.Fatal(err)
	}
	return uncore.Machine{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc")}
}

// A figure whose joules nothing measures is none that works here, though all of
// its counters do.
func TestMetricsWithoutJoules(t *testing.T) {
	metrics, err := sapphireRapids(t).Metrics()
	if err != nil {
		t.Fatal(err)
	}
	all, packages := map[string]bool{"package": true, "dram": true, "energy": true}, map[string]bool{"package": true, "energy": true}
	for _, test := range []struct {
		name     string
		measured map[string]bool
		want     string
	}{
		{"memory_bandwidth", nil, ""},
		{"memory_joules_per_byte", all, ""},
		{"memory_joules_per_byte", packages, "no joules of dram are measured here"},
		{"joules_per_byte", packages, ""},
		{"joules_per_byte", nil, "no joules of energy are measured here"},
		{"joules_per_instruction", nil, ""}, // estimated joules have it, too
	} {
		i := slices.IndexFunc(metrics, func(m uncore.Metric) bool { return m.Name == test.name })
		if i < 0 {
			t.Errorf("the machine has no %s", test.name)
			continue
		}
		if got := lacksJoules(metrics[i], func() map[string]bool { return test.measured }); got != test.want {
			t.Errorf("%s where %v are measured: %q, want %q", test.name, test.measured, got, test.want)
		}
	}
}

// What the counters of a machine give is told from what only others have.
func TestMetricsOfOthers(t *testing.T) {
	found, err := grepMetrics(sapphireRapids(t), regexp.MustCompile("^(memory_bandwidth|cxl_device_memory_read_bandwidth)$"))
	if err != nil {
		t.Fatal(err)
	}
	usable := map[string]bool{}
	for _, m := range found {
		usable[m.Name] = m.Usable
		if m.Usable == (m.Reason != "") {
			t.Errorf("%s: usable %v, for the reason %q", m.Name, m.Usable, m.Reason)
		}
	}
	if len(found) != 2 || !usable["memory_bandwidth"] || usable["cxl_device_memory_read_bandwidth"] {
		t.Errorf("%+v; want memory_bandwidth to be usable and cxl_device_memory_read_bandwidth not", found)
	}
}

// What samples memory says what it samples, and what does not says why: the kernel has an
// answer to every event that sysfs shows.
func TestMemorySampling(t *testing.T) {
	text, err := os.ReadFile("../../pebs/testdata/sapphirerapids.sysfs")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for line := range strings.Lines(string(text)) {
		path, content, _ := strings.Cut(line, " ")
		if line[0] == '#' {
			continue
		}
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, machine := range []pebs.Machine{{}, {Sys: root}} {
		findings, err := memorySampling(machine)
		if err != nil || len(findings) == 0 {
			t.Errorf("%+v: %+v, %v; want a finding", machine, findings, err)
		}
		for _, f := range findings {
			if f.Name == "" || f.Usable != (f.Reason == "") || f.Usable != (f.Detail != "") {
				t.Errorf("%+v: %+v; want a detail of what is usable, and a reason of what is not", machine, f)
			}
		}
	}
}

func TestDescribeSampler(t *testing.T) {
	s := pebs.Sampler{
		Spec: "cpu_core/mem-loads,ldlat=30/pp", AuxSpec: "cpu_core/mem-loads-aux/", Kind: pebs.Loads, CPUs: []int{0, 1, 2}, Precise: 2,
		Refused: []pebs.Refusal{{What: "precise_ip 3", Why: "the PMU has none", Err: unix.EINVAL}},
	}
	const want = "loads, precise level 2, led by cpu_core/mem-loads-aux/, on CPUs 0-2; without precise_ip 3: the PMU has none (EINVAL)"
	if got := describeSampler(s); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
