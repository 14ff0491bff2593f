package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report/pprofile"
)

// Stock perf finds the stacks in a file as the profile has them, however they came about: as many addresses.
func TestPerfDataHasWholeStacks(t *testing.T) {
	needSampling(t)
	if _, err := exec.LookPath("perf"); err != nil {
		t.Skipf("no perf: %v", err)
	}
	for _, method := range []string{"fp", "dwarf", "auto"} {
		dir := t.TempDir()
		file, out := filepath.Join(dir, "perf.data"), filepath.Join(dir, "out.pb.gz")
		energyprof(t, 0, "record", "-q", "-g", method, "--energy", "none", "--perf-data", file, "-o", out, "--",
			"sh", "-c", `i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done`)
		var want, samples int64
		for _, s := range readProfile(t, out).Sample {
			if _, ok := pprofile.IsSynthetic(s); !ok {
				want += s.Value[0] * int64(len(s.Location))
				samples += s.Value[0]
			}
		}
		text, err := exec.Command("perf", "script", "-F", "ip", "-i", file).Output()
		if err != nil {
			t.Fatalf("perf script: %v", err)
		}
		if got := int64(len(strings.Fields(string(text)))); got != want || samples == 0 || method != "fp" && want < 3*samples {
			t.Errorf("-g %s: perf script finds %d addresses, the profile of %d samples has %d", method, got, samples, want)
		}
	}
}
