package uncore

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What perf(1) has built in for a Sapphire Rapids agrees with the built-in table:
// the code and the latency of every event of the core that both know. The
// suggested period changes with editions of the file. Perf is made to believe that
// it runs there (PERF_CPUID), on the tree of testdata.
func TestCoreEventsAsPerfHasThem(t *testing.T) {
	if _, err := exec.LookPath("perf"); err != nil {
		t.Skipf("no oracle: %v", err)
	}
	m := tree(t, "spr")
	perf := func(args ...string) string {
		c := exec.Command("perf", args...)
		c.Env = append(os.Environ(), "PERF_CPUID=GenuineIntel-6-8F-4", "SYSFS_PATH="+m.Sys, "LC_ALL=C")
		out, _ := c.CombinedOutput() // the events do not open here
		return string(out)
	}
	known := map[string]bool{}
	for name := range strings.FieldsSeq(perf("list", "--raw-dump", "pmu")) {
		known[name] = true
	}
	table := platformTable(t, "SPR")
	var names []string
	for _, e := range table.Search(regexp.MustCompile("^MEM_")) {
		if name := strings.ToLower(e.Name); known[name] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Skip("no oracle: this perf has no events of Sapphire Rapids")
	}
	out := perf("stat", "-vv", "-e", strings.Join(names, ","), "true")
	lines := regexp.MustCompile(`(?m)^(\S+) -> cpu/(.*)/$`).FindAllStringSubmatch(out, -1)
	if len(lines) != len(names) {
		t.Fatalf("perf resolved %d of %d names:\n%s", len(lines), len(names), out)
	}
	for _, line := range lines {
		e, _ := table.Lookup(line[1])
		if diff := cmp.Diff(termValues(t, line[2]), termValues(t, e.Terms)); diff != "" {
			t.Errorf("%s (-perf +table):\n%s", line[1], diff)
		}
	}
}

// termValues takes terms apart, without the period. A term of value 0 says nothing.
func termValues(t *testing.T, terms string) map[string]uint64 {
	t.Helper()
	values := map[string]uint64{}
	for term := range strings.SplitSeq(terms, ",") {
		name, value, _ := strings.Cut(term, "=")
		if n := number(t, value); n != 0 && name != "period" {
			values[name] = n
		}
	}
	return values
}
