package guest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The gate holds two builds against each other of which one draws 30 % more watts in a function, in the same
// seconds: joules are above their limit there and nowhere else, time is not, and what is said of it is that it is power.
func TestGatePowerNotTime(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	build := func(milliwatts int) string {
		return fmt.Sprintf("workload -threads 1 -realtime -seconds 0.4 -burst 5ms -naps 0 -functions parse=8000; workload -threads 1 -realtime -seconds 0.4 -burst 5ms -naps 0 -functions encode=%d", milliwatts)
	}
	dir := filepath.Join(scratch(t), "runs")
	bench := slices.Concat([]string{"bench", "-q", "-r", "5", "--energy", "perf", "-o", dir}, lean, []string{"--ab", build(10000), build(13000)})
	if _, stderr, code := run(t, "energyprof", bench...); code != 0 {
		t.Fatalf("energyprof %s: exit code %d\n%s", strings.Join(bench, " "), code, stderr)
	}
	stdout, stderr, code := run(t, "energyprof", "check", "--baseline", filepath.Join(dir, "a"),
		"--max-energy", "+5%", "--max-time", "+5%", "--function", "^main[.]=+10%", "--function-time", "^main[.]=+10%", filepath.Join(dir, "b"))
	t.Logf("\n%s%s", stdout, stderr)
	if code != 1 {
		t.Errorf("exit code %d, want 1: a limit is exceeded", code)
	}
	for _, want := range []struct{ begins, has, ends string }{
		{"FAIL", "energy +5 %", " total"},
		{"pass", "CPU time +5 %", " total"},
		{"FAIL", "energy +10 %", " main.encode (workload)"},
		{"pass", "energy +10 %", " main.parse (workload)"},
		{"pass", "CPU time +10 %", " main.encode (workload)"},
		{"pass", "CPU time +10 %", " main.parse (workload)"},
		{"FAIL: energy of the total: +", ", is above the limit of +5 %", ": power, not time"},
		{"FAIL: energy of main.encode (workload): +", ", is above the limit of +10 %", ": power, not time"},
	} {
		if !slices.ContainsFunc(strings.Split(stdout, "\n"), func(line string) bool {
			return strings.HasPrefix(line, want.begins) && strings.Contains(line, want.has) && strings.HasSuffix(line, want.ends)
		}) {
			t.Errorf("no line is %q ... %q ... %q", want.begins, want.has, want.ends)
		}
	}
}
