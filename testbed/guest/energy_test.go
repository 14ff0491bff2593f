package guest

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
)

// steadily makes the power of everything constant, whatever runs: 50 W for the
// package, of which each CPU draws 5 W, 5 W for the memory and 80 W for the platform.
func steadily(t *testing.T) {
	t.Helper()
	cpus := strings.Count(read(t, "/proc/cpuinfo"), "processor\t:")
	packages := len(readBooks(t).packages)
	for name, milliwatts := range map[string]int{
		"static_mw": 50000 - 5000*cpus/packages, "other_mw": 5000, "idle_mw": 5000, "dram_mw": 5000, "psys_mw": 80000,
	} {
		param(t, "simrapl", name, strconv.Itoa(milliwatts))
	}
}

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

// stepTime is how often the simulated counters move, as real ones do.
const stepTime = 1e-3 // seconds

// Joules per count, by what Linux makes of the registers: perf has all domains in
// their own unit, powercap has cut it to whole nJ, or pJ for the memory of servers.
const (
	unitIntel = 1.0 / (1 << 14)
	unitAMD   = 1.0 / (1 << 16)
	unitDRAM  = 1.0 / (1 << 16) // up to Ice Lake
	unitPsys  = 1.0
)

// constants is what a domain's watts are to be, on a steady guest.
type constants struct {
	watts float64
	unit  float64 // joules by which the counter moves at least
}

// steadyDomains is what each kind of source has in a guest, by the name of the
// domain; nil if the guest has no such source.
func steadyDomains(guest, kind string) map[string]constants {
	inPowercap := func(v, driver, hardware float64) constants {
		if kind == "powercap" {
			return constants{v * driver / hardware, driver}
		}
		return constants{v, hardware}
	}
	switch guest {
	case "icx-6.1":
		return map[string]constants{
			"package 0": inPowercap(50, 61035e-9, unitIntel),
			"cores 0":   inPowercap(10, 61035e-9, unitIntel),
			"dram 0":    inPowercap(5, 15300e-9, unitDRAM),
		}
	case "spr-6.12":
		return map[string]constants{
			"package 0": inPowercap(50, 61035e-9, unitIntel),
			"cores 0":   inPowercap(10, 61035e-9, unitIntel),
			"dram 0":    inPowercap(5, 61035e-9, unitIntel),
			"psys 0":    inPowercap(80, 1, unitPsys),
		}
	case "amd-6.12":
		want := map[string]constants{"package 0": inPowercap(50, 15258e-9, unitAMD)}
		if kind == "msr" {
			want["core 0"] = constants{5, unitAMD} // each of two cores, one after the other
		}
		return want
	}
	return nil
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

// Each way to the counters reads what the simulated machine draws.
func TestSteadyPower(t *testing.T) {
	only(t, "icx-6.1", "spr-6.12", "amd-6.12")
	steadily(t)
	guest := os.Getenv(guestEnv)
	for _, kind := range []string{"perf", "powercap", "msr"} {
		t.Run(kind, func(t *testing.T) {
			seconds := 1.0
			if guest == "spr-6.12" {
				seconds = 2 // a joule of psys is to be less than 1 % of all
			}
			s, trace := traced(t, slices.Concat(few, []string{"--energy", kind}, busy(seconds))...)
			want := steadyDomains(guest, kind)
			name := kind
			if kind == "perf" {
				name = "perf-power"
			}
			if s.Source.Name != name || !s.Source.Measured {
				t.Errorf("the source is %v, want %s, measured", s.Source, name)
			}
			seen := map[string]bool{}
			for i, l := range linesOf(trace) {
				c, ok := want[l.name]
				if !ok {
					t.Errorf("there is a domain %s, want %v", l.name, want)
					continue
				}
				seen[l.name] = true
				seconds, joules := l.last()
				tolerance := c.watts*(2*stepTime/seconds+3e-4) + c.unit/seconds
				t.Logf("%s: %.4f W in %.3f s, want %.4f, give or take %.4f", l.name, l.watts(), seconds, c.watts, tolerance)
				if math.Abs(l.watts()-c.watts) > min(tolerance, 0.01*c.watts) {
					t.Errorf("%s draws %.4f W, want %.4f, give or take %.4f", l.name, l.watts(), c.watts, min(tolerance, 0.01*c.watts))
				}
				d := s.Source.Domains[i]
				if fmt.Sprintf("%s %d", d.Name, d.Package) != l.name || math.Abs(d.Joules-joules) > 2e-6 {
					t.Errorf("the summary has %.6f J of %s %d, the readings %.6f J of %s", d.Joules, d.Name, d.Package, joules, l.name)
				}
				if inside := d.Name == "package" || d.Name == "dram"; d.InEnergy != inside {
					t.Errorf("%s is in the sum: %v, want %v", d.Name, d.InEnergy, inside)
				}
			}
			if len(seen) != len(want) {
				t.Errorf("the domains are %v, want %v", seen, want)
			}
		})
	}
}

// The kernel stamps the counters into samples: each of them lies on the line
// that the power makes, and the profile says what was measured, and with what.
func TestStampedEnergy(t *testing.T) {
	only(t, "icx-6.1", "spr-6.12", "amd-6.12")
	steadily(t)
	profile := filepath.Join(scratch(t), "profile.pb.gz")
	s, trace := traced(t, slices.Concat(few, []string{"-o", profile}, busy(1.5))...)
	if s.Source.Name != "perf-power" || !s.Source.Measured {
		t.Errorf("auto takes %v, want perf-power", s.Source)
	}
	for _, note := range s.Notes {
		if strings.Contains(note, "polled") {
			t.Errorf("note: %s", note)
		}
	}
	for _, l := range linesOf(trace) {
		seconds, joules := l.last()
		// Points without growth are left out: psys moves once in 12 ms or so.
		if rate := float64(len(l.joules)) / seconds; !strings.HasPrefix(l.name, "psys") && (rate < 80 || rate > 110) {
			t.Errorf("%s: %d points in %.3f s, want 100 a second and few more", l.name, len(l.joules), seconds)
		}
		unit := unitIntel
		if strings.HasPrefix(l.name, "psys") {
			unit = unitPsys
		}
		for i := range l.joules {
			want := l.joules[0] + l.watts()*(l.seconds[i]-l.seconds[0])
			if tolerance := 4*stepTime*joules/seconds + 2*unit; math.Abs(l.joules[i]-want) > tolerance {
				t.Errorf("%s at %.4f s: %.4f J, want %.4f, give or take %.4f", l.name, l.seconds[i], l.joules[i], want, tolerance)
				break
			}
		}
	}
	stdout, stderr, code := run(t, "energyprof", "report", profile)
	for _, d := range s.Source.Domains {
		if !strings.Contains(stdout, "perf-power, measured") || !strings.Contains(stdout, "energy of "+d.Name) {
			t.Errorf("the profile does not say where %s is from: exit code %d\n%s%s", d.Name, code, stdout, stderr)
		}
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
