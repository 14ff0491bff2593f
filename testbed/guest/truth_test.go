package guest

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report"
)

// truthWatts are the functions of the workload.
var truthWatts = map[string]int{"parse": 3, "hash": 7, "sort": 12, "encode": 20}

// estimate is what a summary says of one function, in joules.
type estimate struct{ joules, low, high float64 }

// TestGroundTruth records functions whose joules the simulated counter knows.
// Nothing but the counter's readings gets to the profiler, by the kernel's own
// driver.
//
// The guest's CPUs run 125 million instructions per second, taking turns. A timer may
// be late by 1.5 ms, and a tick that is late by its period is lost: so the clock is
// one of 2 ms. A thread that is preempted often gets its sample only when it comes
// back, in the scheduler: so nobody preempts the workload's. Each takes 1 % of a
// function's time otherwise, which is more than its interval.
func TestGroundTruth(t *testing.T) {
	only(t, "icx-6.1")
	const static = 10 // watts
	param(t, "simrapl", "static_mw", strconv.Itoa(static*1000))
	param(t, "simrapl", "other_mw", "2000") // the kernel, the profiler: nothing runs for free
	param(t, "simrapl", "idle_mw", "0")
	var functions []string
	for name, watts := range truthWatts {
		functions = append(functions, fmt.Sprintf("%s=%d", name, watts*1000))
	}
	slices.Sort(functions)
	dir := scratch(t)
	data, trace := filepath.Join(dir, "perf.data"), filepath.Join(dir, "trace.csv")

	openBooks(t)
	regression := record(t, "--energy", "perf", "-F", "499", "--perf-data", data, "--energy-trace", trace, "--",
		"workload", "-realtime", "-burst", "50ms-300ms", "-nap", "20ms-150ms", "-seconds", "20", "-functions", strings.Join(functions, ","))
	truth := readBooks(t)
	share := convert(t, "--energy", trace, "--attribution", "share", data)

	t.Logf("%.2f s, %d samples, %d lost, %s, baseline %.3f W", regression.Seconds, regression.Samples, regression.Lost,
		regression.Attribution.Method, regression.Attribution.BaselineWatts)
	by, byShare := estimates(regression), estimates(share)
	var off, offShare float64
	inside := 0
	t.Logf("%8s %9s %9s %19s %9s %9s %9s", "", "true J", "joules", "interval", "share", "true s", "true W")
	for _, name := range slices.Sorted(maps.Keys(truthWatts)) {
		is, e, s := truth.functions[name], by[name], byShare[name]
		t.Logf("%8s %9.3f %9.3f %9.3f-%9.3f %9.3f %9.3f %9.3f", name, is.joules, e.joules, e.low, e.high, s.joules, is.seconds, is.joules/is.seconds)
		if is.joules == 0 {
			t.Fatalf("%s did not run: %v", name, truth)
		}
		off += math.Abs(e.joules-is.joules) / is.joules / float64(len(truthWatts))
		offShare += math.Abs(s.joules-is.joules) / is.joules / float64(len(truthWatts))
		if e.low <= is.joules && is.joules <= e.high {
			inside++
		}
		if e.high-e.low > 0.2*is.joules {
			t.Errorf("%s has an interval that says nothing", name)
		}
	}
	t.Logf("mean error %.2f %%, of sharing %.1f %%, %d in their intervals", 100*off, 100*offShare, inside)
	if !(off <= 0.03) {
		t.Errorf("joules of functions are off by %.2f %% on average, want at most 3 %%", 100*off)
	}
	if inside < 3 {
		t.Errorf("%d of 4 functions have their true joules in the interval, want 3", inside)
	}
	if !(offShare > 0.2) {
		t.Errorf("sharing by CPU time is off by %.1f %%: these functions are too easy", 100*offShare)
	}
	// Outside of the recording the package drew its static power, and what other
	// tasks took: no function ran there.
	drawn := 0.0
	for _, f := range truth.functions {
		drawn += f.joules
	}
	for _, s := range []report.Summary{regression, share} {
		for id, p := range truth.packages {
			least, most := static*s.Seconds+drawn, static*s.Seconds+p.total-p.static
			if got := domain(s, "package", id); got < 0.995*least || got > 1.005*most {
				t.Errorf("package %d: %.3f J by %s, drew %.3f to %.3f J", id, got, s.Attribution.Method, least, most)
			}
		}
		conserved(t, s)
	}
	if t.Failed() {
		t.Logf("notes: %q", regression.Notes)
	}
}

// convert runs energyprof convert with these flags and file, and returns its
// summary.
func convert(t *testing.T, args ...string) report.Summary {
	t.Helper()
	dir := scratch(t)
	file := filepath.Join(dir, "summary.json")
	args = append([]string{"convert", "-o", filepath.Join(dir, "energyprof.pb.gz"), "--summary", file}, args...)
	if _, stderr, code := run(t, "energyprof", args...); code != 0 {
		t.Fatalf("energyprof %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return readSummary(t, file)
}

// estimates returns the joules of the workload's functions.
func estimates(s report.Summary) map[string]estimate {
	m := map[string]estimate{}
	for _, f := range s.Functions {
		if name, ok := strings.CutPrefix(f.Name, "main."); ok && f.Joules != nil {
			e := estimate{joules: *f.Joules}
			if f.JoulesLow != nil {
				e.low, e.high = *f.JoulesLow, *f.JoulesHigh
			}
			m[name] = e
		}
	}
	return m
}

// domain returns the joules of a counter.
func domain(s report.Summary, name string, pkg int) float64 {
	for _, d := range s.Source.Domains {
		if d.Name == name && d.Package == pkg {
			return d.Joules
		}
	}
	return 0
}

// conserved wants all that a summary hands out to be what its counters say.
func conserved(t *testing.T, s report.Summary) {
	t.Helper()
	var counted, handed float64
	for _, d := range s.Source.Domains {
		if d.InEnergy {
			counted += d.Joules
		}
	}
	for _, f := range s.Functions {
		handed += *f.Joules
	}
	for _, j := range []*float64{s.BaselineJoules, s.ActiveJoules, s.OtherJoules, s.LostJoules, s.UnattributedJoules, s.IdleJoules} {
		handed += *j
	}
	// Microjoules, rounded for each stack.
	if math.Abs(handed-counted) > 1e-4 {
		t.Errorf("%s hands out %.6f J of the counters' %.6f J", s.Attribution.Method, handed, counted)
	}
}
