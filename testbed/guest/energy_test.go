package guest

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
)

// busy is a command that keeps one CPU busy and that the simulated counter is
// not told of.
func busy(seconds float64) []string {
	return []string{"--", "workload", "-mute", "-threads", "1", "-naps", "0", "-functions", "parse=0", "-seconds", fmt.Sprint(seconds)}
}

// few samples, none of the kernel, and no search for what draws how much: for recordings of which
// only the energy is looked at.
var few = []string{"--attribution", "proportional", "-F", "97", "--user"}

// traced is record, with the readings of energy behind its sum.
func traced(t *testing.T, args ...string) (report.Summary, *rapl.Trace) {
	t.Helper()
	file := filepath.Join(scratch(t), "energy.csv")
	s := record(t, append([]string{"--energy-trace", file}, args...)...)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	trace, err := rapl.ReadTrace(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, trace
}

// line is the readings of one domain.
type line struct {
	name    string // "package 0"
	seconds []float64
	joules  []float64
}

func linesOf(trace *rapl.Trace) []line {
	lines := make([]line, len(trace.Domains))
	var begin int64
	for i, p := range trace.Points {
		if i == 0 {
			begin = p.Time
		}
		l := &lines[p.Domain]
		l.name = trace.Domains[p.Domain].String()
		l.seconds = append(l.seconds, float64(p.Time-begin)/1e9)
		l.joules = append(l.joules, p.Joules)
	}
	return lines
}

// last returns the end of a line.
func (l line) last() (seconds, joules float64) {
	n := len(l.joules) - 1
	return l.seconds[n] - l.seconds[0], l.joules[n] - l.joules[0]
}

func (l line) watts() float64 {
	seconds, joules := l.last()
	return joules / seconds
}

// power_core, which Linux has from 6.14 on, is one counter for each core. The
// energy of cores lies within the package's and is in no sum, and a recording does
// without it where it is refused.
func TestPowerCore(t *testing.T) {
	only(t, "amd-6.12")
	steadily(t)
	reload(t, "simpmu", "power_core=1", "core_mw=3000")
	s, trace := traced(t, slices.Concat(few, []string{"--energy", "perf"}, busy(1))...)
	var found []string
	for i, l := range linesOf(trace) {
		d := s.Source.Domains[i]
		found = append(found, fmt.Sprintf("%s of CPUs %s in the sum: %v", l.name, d.CPUs, d.InEnergy))
		want := map[string]float64{"package": 50, "core": 3}[d.Name]
		if math.Abs(l.watts()-want) > 0.01*want {
			t.Errorf("%s of CPUs %s draws %.4f W, want %v", l.name, d.CPUs, l.watts(), want)
		}
	}
	want := []string{"package 0 of CPUs 0-1 in the sum: true", "core 0 of CPUs 0 in the sum: false", "core 0 of CPUs 1 in the sum: false"}
	if !slices.Equal(found, want) {
		t.Errorf("the domains are %q, want %q", found, want)
	}
	unnoted(t, s, "polled")

	param(t, "simpmu", "open_pmu", "power_core")
	param(t, "simpmu", "open_errno", strconv.Itoa(int(unix.EBUSY)))
	s = record(t, slices.Concat(few, []string{"--energy", "perf"}, busy(0.5))...)
	for cpu := range 2 {
		noted(t, s, "core 0 is left out: open perf event ", fmt.Sprintf(" cpu %d: %v", cpu, unix.EBUSY))
	}
	if len(s.Source.Domains) != 1 || math.Abs(domain(s, "package", 0)/s.Seconds-50) > 1 {
		t.Errorf("without its cores the source is %+v in %.3f s, want a package of 50 W", s.Source.Domains, s.Seconds)
	}
}

// Debian's perf counts the same command on the same counter. What they see of
// it differs by perf's own start, in which the package draws static power.
func TestEnergyOfPerfStat(t *testing.T) {
	only(t, "icx-6.1")
	const static = 10
	param(t, "simrapl", "static_mw", strconv.Itoa(static*1000))
	out := filepath.Join(scratch(t), "stat.csv")
	openBooks(t)
	_, trace := traced(t, slices.Concat(few, []string{"--energy", "perf", "--",
		"perf", "stat", "-a", "-x", ",", "-o", out, "-e", "power/energy-pkg/",
		"workload", "-threads", "1", "-naps", "0", "-functions", "parse=20000", "-seconds", "1.5"})...)
	truth := readBooks(t).functions["parse"].joules

	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 1 || len(rows[0]) < 5 || rows[0][2] != "power/energy-pkg/" {
		t.Fatalf("perf stat says %q: %v", rows, err)
	}
	counted, err1 := strconv.ParseFloat(rows[0][0], 64)
	nanoseconds, err2 := strconv.ParseFloat(rows[0][3], 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("perf stat says %q", rows[0])
	}
	theirs := counted - static*nanoseconds/1e9

	l := linesOf(trace)[0]
	seconds, joules := l.last()
	ours := joules - static*seconds
	t.Logf("beyond static power: the truth is %.3f J, perf stat has %.3f J of %.3f, we have %.3f J of %.3f", truth, theirs, counted, ours, joules)
	for who, got := range map[string]float64{"perf stat": theirs, "energyprof": ours} {
		if math.Abs(got-truth) > 0.01*truth {
			t.Errorf("%s has %.3f J beyond static power, want %.3f within 1 %%", who, got, truth)
		}
	}
	if math.Abs(ours-theirs) > 0.01*theirs {
		t.Errorf("we have %.3f J, perf stat has %.3f", ours, theirs)
	}
}
