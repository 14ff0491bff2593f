package guest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The gate holds two builds against each other, of which one draws 30 % more watts in a function in the same seconds:
// the joules of that function and of all are above their limits, no seconds are, and what is said of it is that it is
// power. Seven runs of each decide it up to a noise of 8 %; there is less.
func TestGatePowerNotTime(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	param(t, "simrapl", "dram_mw", "0")
	build := func(milliwatts int) string {
		const each = "workload -threads 1 -realtime -seconds 0.4 -burst 5ms -naps 0 -functions "
		return fmt.Sprintf(each+"parse=4000; "+each+"encode=%d", milliwatts)
	}
	dir := filepath.Join(scratch(t), "runs")
	bench := []string{"bench", "-q", "-r", "7", "-F", "499", "-g", "none", "--user", "--energy", "perf", "--attribution", "proportional",
		"-o", dir, "--ab", build(10000), build(13000)}
	if _, stderr, code := run(t, "energyprof", bench...); code != 0 {
		t.Fatalf("energyprof %s: exit code %d\n%s", strings.Join(bench, " "), code, stderr)
	}
	stdout, stderr, code := run(t, "energyprof", "check", "--baseline", filepath.Join(dir, "a"),
		"--max-energy", "+5%", "--max-time", "+20%", "--function", "^main[.]=+5%", "--function-time", "^main[.]=+20%", filepath.Join(dir, "b"))
	t.Logf("\n%s%s", stdout, stderr)
	if code != 1 {
		t.Errorf("exit code %d, want 1: a limit is exceeded", code)
	}
	for _, want := range []struct{ begins, has, ends string }{
		{"FAIL ", " energy +5 %", " total"},
		{"pass ", " CPU time +20 %", " total"},
		{"FAIL ", " energy +5 %", " main.encode (workload)"},
		{"pass ", " CPU time +20 %", " main.encode (workload)"},
		{"pass ", " CPU time +20 %", " main.parse (workload)"},
		{"FAIL: energy of the total: +", ", is above the limit of +5 %", ": power, not time"},
		{"FAIL: energy of main.encode (workload): +", ", is above the limit of +5 %", ": power, not time"},
	} {
		if !slices.ContainsFunc(strings.Split(stdout, "\n"), func(line string) bool {
			return strings.HasPrefix(line, want.begins) && strings.Contains(line, want.has) && strings.HasSuffix(line, want.ends)
		}) {
			t.Errorf("no line is %q ... %q ... %q", want.begins, want.has, want.ends)
		}
	}
	if strings.Contains(stdout, "FAIL: energy of main.parse") {
		t.Error("main.parse fails, and did not change")
	}
}
