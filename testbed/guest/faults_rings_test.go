package guest

import (
	"testing"

	"github.com/energyprof/energyprof/report"
)

// accounted wants the CPU time of samples and of what is said to be lost to be
// that of functions, and of little else: shells, programs that start.
func accounted(t *testing.T, s report.Summary, b books) {
	t.Helper()
	sampled, functions := 0.0, 0.0
	for _, f := range s.Functions {
		sampled += f.CPUSeconds
	}
	for _, f := range b.functions {
		functions += f.seconds
	}
	if got := sampled + s.LostSeconds; got < 0.97*functions || got > 1.05*functions+1 {
		t.Errorf("%.3f s sampled and %.3f s lost, functions ran for %.3f s", sampled, s.LostSeconds, functions)
	}
}

// modest wants no function to be given what others drew, or nobody did.
func modest(t *testing.T, s report.Summary, b books) {
	t.Helper()
	for name, e := range estimates(s) {
		if is := b.functions[name]; e.joules > 1.15*is.joules+0.5 {
			t.Errorf("%s: %.3f J, drew %.3f J", name, e.joules, is.joules)
		}
	}
}

// A clock that the kernel throttles leaves time without samples: it is lost, with
// its joules, and not the functions'.
func TestThrottledClock(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	set(t, "/proc/sys/kernel/perf_event_max_sample_rate", "1000")
	openBooks(t)
	s := record(t, "--energy", "perf", "-g", "none", "--attribution", "proportional", "-c", "100000", "--", "workload", "-seconds", "1.5", "-naps", "0", "-functions", "encode=10000")
	b := readBooks(t)
	if s.Throttled == 0 || s.LostSeconds == 0 || *s.LostJoules == 0 {
		t.Errorf("throttled %d times, %.3f s and %.3f J are lost", s.Throttled, s.LostSeconds, *s.LostJoules)
	}
	accounted(t, s, b)
	modest(t, s, b)
	near(t, "package", domain(s, "package", 0), drawn(t), 0.01)
	noted(t, s, "the clock could not keep pace")
	sane(t, s)
}

// Another event that is throttled is counted, and costs the clock nothing.
func TestThrottledEvent(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	set(t, "/proc/sys/kernel/perf_event_max_sample_rate", "1000") // 4 in each tick
	openBooks(t)
	s := record(t, "--energy", "perf", "-g", "none", "--user", "-e", "cycles", "-c", "480000", "--", "workload", "-seconds", "1", "-naps", "0", "-functions", "encode=10000")
	b := readBooks(t)
	if s.Throttled == 0 {
		t.Error("the event was never throttled")
	}
	accounted(t, s, b)
	modest(t, s, b)
	near(t, "package", domain(s, "package", 0), drawn(t), 0.01)
	sane(t, s)
}

// A profiler that cannot drain its rings loses samples. They are counted, and
// stand for CPU time and joules of nobody.
func TestSlowReader(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	openBooks(t)
	s := record(t, "--energy", "perf", "-g", "none", "--attribution", "proportional", "-m", "1", "-F", "2000", "--", "sh", "-c",
		"workload -seconds 0.7 -naps 0 -functions parse=10000; kill -STOP $PPID; workload -seconds 1 -naps 0 -functions hash=10000; "+
			"kill -CONT $PPID; workload -seconds 0.7 -naps 0 -functions sort=10000")
	b := readBooks(t)
	if s.Lost == 0 || s.LostSeconds == 0 || *s.LostJoules == 0 {
		t.Errorf("lost are %d samples, %.3f s and %.3f J", s.Lost, s.LostSeconds, *s.LostJoules)
	}
	accounted(t, s, b)
	near(t, "package", domain(s, "package", 0), drawn(t), 0.01)
	sane(t, s)
}
