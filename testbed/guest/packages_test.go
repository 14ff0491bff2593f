package guest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Two packages with loads of their own: each has its own joules, on its own
// CPUs, by every way to the counters.
func TestTwoPackages(t *testing.T) {
	only(t, "icx2s-6.12")
	const static, memory = 10, 2 // watts of each package
	param(t, "simrapl", "static_mw", fmt.Sprint(static*1000))
	param(t, "simrapl", "dram_mw", fmt.Sprint(memory*1000))
	if mask := read(t, "/sys/bus/event_source/devices/power/cpumask"); mask != "0,2" {
		t.Errorf("the kernel reads the counters on CPUs %s, want 0,2", mask)
	}
	// Masks of CPUs 0 and 1, and of 2 and 3. What both packages run is one function,
	// with the joules of both. The first never rests.
	load := func(seconds float64) []string {
		const each = "taskset %s workload -threads 1 -naps %s -seconds %g -functions %s"
		return []string{"--", "sh", "-c", fmt.Sprintf(each+" & "+each+" & wait",
			"3", "0", seconds, "parse=3000,hash=12000", "c", "0.5", seconds, "hash=12000,sort=60000")}
	}
	for _, c := range []struct {
		kind string
		args []string
	}{
		{"perf", slices.Concat([]string{"--user"}, load(4))},
		{"powercap", slices.Concat(few, load(1.5))},
		{"msr", slices.Concat(few, load(1.5))},
	} {
		t.Run(c.kind, func(t *testing.T) {
			openBooks(t)
			s, trace := traced(t, append([]string{"--energy", c.kind}, c.args...)...)
			truth := readBooks(t)

			cpus := map[string]string{}
			for i, l := range linesOf(trace) {
				d := trace.Domains[i]
				cpus[l.name] = pmu.FormatCPUList(d.CPUs)
				seconds, joules := l.last()
				p := truth.packages[d.Package]
				want := 0.0
				switch d.Name {
				case "package":
					want = static*seconds + p.total - p.static
				case "cores":
					want = p.total - p.static
				case "dram":
					want = memory * seconds
				}
				t.Logf("%s: %.3f J, drew %.3f J", l.name, joules, want)
				near(t, l.name, joules, want, 0.01)
			}
			for name, want := range map[string]string{
				"package 0": "0-1", "cores 0": "0-1", "dram 0": "0-1", "package 1": "2-3", "cores 1": "2-3", "dram 1": "2-3",
			} {
				if cpus[name] != want {
					t.Errorf("%s is of CPUs %q, want %s", name, cpus[name], want)
				}
			}
			if len(cpus) != 6 {
				t.Errorf("the domains are of CPUs %v, want 6 of them", cpus)
			}
			if a, b := truth.packages[0], truth.packages[1]; b.total-b.static < 1.2*(a.total-a.static) {
				t.Errorf("the loads of the packages are too much alike: %+v, %+v", a, b)
			}
			t.Logf("%d samples, %d lost; notes %q", s.Samples, s.Lost, s.Notes)
			unnoted(t, s, "polled")
			sane(t, s)
			if c.kind != "perf" {
				return
			}
			for name, e := range estimates(s) {
				is, ok := truth.functions[name]
				if !ok {
					continue
				}
				t.Logf("%s: %.3f J (%.3f to %.3f), drew %.3f J", name, e.joules, e.low, e.high, is.joules)
				if math.Abs(e.joules-is.joules) > 0.1*is.joules && (is.joules < e.low || is.joules > e.high) {
					t.Errorf("%s: %.3f J, drew %.3f J", name, e.joules, is.joules)
				}
			}
		})
	}
}

// Each package is stamped on the CPU that the kernel reads it on.
func TestStampsOfPackages(t *testing.T) {
	only(t, "icx2s-6.12")
	steadily(t)
	s, trace := traced(t, slices.Concat(few, busy(1.5))...)
	unnoted(t, s, "polled")
	points := map[string]int{}
	for _, l := range linesOf(trace) {
		seconds, _ := l.last()
		points[l.name] = len(l.joules)
		if rate := float64(len(l.joules)) / seconds; rate < 80 || rate > 110 {
			t.Errorf("%s: %.1f points a second, want 100 and few more", l.name, rate)
		}
		if strings.HasPrefix(l.name, "package") && math.Abs(l.watts()-50) > 0.5 {
			t.Errorf("%s draws %.3f W, want 50", l.name, l.watts())
		}
	}
	if len(points) != 6 {
		t.Errorf("points of %v, want 6 domains", points)
	}
}
