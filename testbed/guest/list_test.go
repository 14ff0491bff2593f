package guest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// squeeze makes one space of those between the columns of a table.
func squeeze(text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		b.WriteString(strings.Join(strings.Fields(l), " ") + "\n")
	}
	return b.String()
}

// says wants these whole lines, however their columns are spaced; * stands for
// anything.
func says(t *testing.T, what, text string, want ...string) {
	t.Helper()
	text = squeeze(text)
	for _, line := range want {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(line), `\*`, ".*")
		if !regexp.MustCompile("(?m)^" + pattern + "$").MatchString(text) {
			t.Errorf("%s does not say %q:\n%s", what, line, text)
		}
	}
}

// What a guest has to offer is listed, and nothing else.
func TestListAndDoctor(t *testing.T) {
	only(t, "icx-6.1", "spr-6.12", "amd-6.12", "icx2s-6.12")
	const one = "measured: package 0 CPUs 0-1"
	const intel = one + ", cores 0 CPUs 0-1, dram 0 CPUs 0-1"
	const two = "measured: package 0 CPUs 0-1, package 1 CPUs 2-3, cores 0 CPUs 0-1, cores 1 CPUs 2-3, dram 0 CPUs 0-1, dram 1 CPUs 2-3"
	sources := map[string][3]string{ // perf-power, powercap, msr
		"icx-6.1":    {intel, intel, intel},
		"spr-6.12":   {intel + ", psys 0 CPUs 0-1", intel + ", psys 0 CPUs 0-1", intel + ", psys 0 CPUs 0-1"},
		"amd-6.12":   {one, one, one + ", core 0 CPUs 0, core 0 CPUs 1"},
		"icx2s-6.12": {two, two, two},
	}[os.Getenv(guestEnv)]
	stdout, _, code := run(t, "energyprof", "list")
	if code != 0 {
		t.Errorf("list: exit code %d", code)
	}
	cpus := "0"
	if os.Getenv(guestEnv) == "icx2s-6.12" {
		cpus = "0,2"
	}
	says(t, "list", stdout,
		"perf-power yes "+sources[0],
		"powercap yes "+sources[1],
		"msr yes "+sources[2],
		"hwmon no no sensor of energy or power of the processor or the board in /sys/class/hwmon: no such energy counter in this machine",
		"model yes ESTIMATED: package 0 CPUs *",
		"cpu-clock yes",
		"sched:sched_switch yes",
		"PMU power (type *), CPUs "+cpus,
		"power/energy-pkg/ yes Joules",
		"msr/tsc/ yes",
	)
	if strings.Contains(stdout, "fault:") {
		t.Errorf("list finds faults in sysfs:\n%s", stdout)
	}

	stdout, _, code = run(t, "energyprof", "doctor")
	if code != 0 {
		t.Errorf("doctor: exit code %d", code)
	}
	says(t, "doctor", stdout,
		"Linux * x86_64, perf_event_paranoid *, kptr_restrict *, user 0",
		"ok sample this user's own code",
		"ok sample the kernel on its behalf",
		"ok sample all CPUs (record -a)",
		"ok names of kernel functions",
		"ok tracepoints",
		"ok energy from perf-power "+sources[0],
		"ok energy from powercap "+sources[1],
		"ok energy from msr "+sources[2],
		"no energy from hwmon *",
		"ok energy from model ESTIMATED: *",
		"ok energy counters unblurred no SGX, no energy filtering seen",
	)
	if os.Getenv(guestEnv) == "amd-6.12" {
		says(t, "doctor", stdout, "ok note on powercap intel-rapl:0:0 is left out: on AMD the zone \"core\" is the energy of one core, not of all")
	}
}
