package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

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
