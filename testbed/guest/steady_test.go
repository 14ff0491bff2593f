package guest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
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
			// Idle time costs the host nothing. Only perf's readings come with samples.
			command := []string{"--", "sleep", fmt.Sprint(seconds)}
			if kind == "perf" {
				command = busy(seconds)
			}
			s, trace := traced(t, slices.Concat(few, []string{"--energy", kind}, command)...)
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
	unnoted(t, s, "polled")
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
