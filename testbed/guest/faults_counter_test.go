package guest

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// order is where a shell writes a fault.
const order = "/sys/module/simrapl/parameters/"

// around is a command that runs parse, then hash, for a while each with 20 W in
// all, and what a shell does between them.
func around(between string) []string {
	return []string{"--", "sh", "-c", "workload -seconds 0.7 -naps 0 -functions parse=10000; " + between + "; workload -seconds 0.7 -naps 0 -functions hash=10000"}
}

// jump is a shell's line that makes a counter leap, or go back, by so many uJ.
func jump(uj int64) string { return fmt.Sprintf("echo %d > %sjump_uj", uj, order) }

// A package counter that leaps by more than any package can draw, or goes back,
// costs the energy between two readings, and that is said. A small step forward is
// what a burst of work looks like, and counts.
func TestCounterJumps(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	far := jump(1e12) + "; workload -seconds 0.5 -naps 0 -functions sort=10000; " + jump(-5e6)
	for _, c := range []struct {
		name, source, between string
		more                  float64 // J that count besides what was drawn
		missing               float64 // J that may not be counted
	}{
		// Two intervals between anchors, at 20 W, and the 5 J.
		{"1 MJ forward, 5 J back", "perf", far, 0, 2*0.3*20 + 5},
		{"1 MJ forward, 5 J back", "msr", far, 0, 2*0.05*20 + 5},
		{"5 J forward", "perf", jump(5e6), 5, 0},
	} {
		t.Run(c.name+"/"+c.source, func(t *testing.T) {
			openBooks(t)
			s := record(t, slices.Concat(lean, []string{"--energy", c.source}, around(c.between))...)
			got, truth := domain(s, "package", 0), drawn(t)+c.more
			if got > 1.01*truth || got < 0.99*truth-c.missing {
				t.Errorf("%.4f J, of %.4f J %.1f J may be missing", got, truth, c.missing)
			}
			if c.missing > 0 {
				noted(t, s, "package 0: 2 intervals of ", "in 2 the counter went back or leapt beyond reason")
				noted(t, s, "2 energy readings could not follow the counter")
			} else {
				unnoted(t, s, "leapt")
			}
			sane(t, s)
		})
	}
}

// A counter of powercap that leaps costs its own package joules, and no other one.
func TestOneCounterJumps(t *testing.T) {
	only(t, "icx2s-6.12")
	quiet(t)
	param(t, "simrapl", "jump_pkg", "1")
	const work = "workload -threads 4 -naps 0 -seconds 0.7 -functions "
	openBooks(t)
	s := record(t, append(lean, "--energy", "powercap", "--", "sh", "-c",
		work+"parse=10000; "+jump(1e12)+"; "+work+"sort=10000; "+jump(-5e6)+"; "+work+"hash=10000")...)
	b := readBooks(t)
	near(t, "package 0", domain(s, "package", 0), b.packages[0].functions(), 0.01)
	// Two intervals between readings, at 20 W, and the 5 J.
	if got, truth := domain(s, "package", 1), b.packages[1].functions(); got > 1.01*truth || got < 0.99*truth-(2*0.05*20+5) {
		t.Errorf("package 1: %.4f J, of %.4f J 7 J may be missing", got, truth)
	}
	noted(t, s, "package 1: 2 intervals of ", "in 2 the counter went back or leapt beyond reason")
	unnoted(t, s, "package 0: 2 intervals")
	sane(t, s)
}

// Registers of 32 bits that wrap soon after the beginning, and then again.
func TestCounterWraps(t *testing.T) {
	only(t, "icx-6.1")
	for _, c := range []struct {
		turn    float64 // J from wrap to wrap
		esu     int
		mw      int // of each of two threads
		sources []string
	}{
		// The driver of powercap rounds such units to whole nanojoules, by 6 %; no
		// hardware is known to have them.
		{64, 26, 95000, []string{"perf", "msr"}},
		{512, 23, 450000, []string{"powercap"}},
	} {
		t.Run(fmt.Sprintf("%v J", c.turn), func(t *testing.T) {
			perJoule := math.Ldexp(1, c.esu)
			soon := int64(1)<<32 - int64(5*perJoule)
			reload(t, "simrapl", fmt.Sprintf("esu=%d", c.esu), fmt.Sprintf("count0=%d", soon))
			quiet(t)
			for _, source := range c.sources {
				openBooks(t)
				before := packageRegister(t)
				s := record(t, append(lean, "--energy", source, "--", "workload", "-seconds", "1.3", "-naps", "0", "-functions", fmt.Sprintf("sort=%d", c.mw))...)
				moved := packageRegister(t) - before // as far as 32 bits know
				total := readBooks(t).packages[0].total
				near(t, source, domain(s, "package", 0), drawn(t), 0.01)
				unnoted(t, s, "leapt")
				sane(t, s)
				// What the register does not show of the joules is whole turns.
				wraps := (total - float64(moved)/perJoule) / c.turn
				if math.Abs(wraps-math.Round(wraps)) > 0.01 || math.Round(wraps) < 2 {
					t.Errorf("%s: %.3f J were drawn and the register moved by %.3f J: it wrapped %.3f times, want twice or more", source, total, float64(moved)/perJoule, wraps)
				}
			}
		})
	}
}

// packageRegister is the raw counter of CPU 0's package.
func packageRegister(t *testing.T) uint32 {
	t.Helper()
	f, err := os.Open("/dev/cpu/0/msr")
	must(t, err)
	defer f.Close()
	var b [8]byte
	_, err = f.ReadAt(b[:], 0x611) // MSR_PKG_ENERGY_STATUS
	must(t, err)
	return binary.LittleEndian.Uint32(b[:])
}

// Energy of the time in which counters stand still is never shown by them: it is
// nobody's, and that they stood still is said.
func TestCounterStandsStill(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	param(t, "simrapl", "freeze", "0")
	t.Run("for a second", func(t *testing.T) {
		openBooks(t)
		freeze := func(on int) string { return fmt.Sprintf("echo %d > %sfreeze", on, order) }
		s := record(t, slices.Concat(lean, []string{"--energy", "perf"}, around(freeze(1)+"; workload -seconds 1 -naps 0 -functions sort=10000; "+freeze(0)))...)
		f := readBooks(t).functions
		near(t, "before and after", domain(s, "package", 0), f["parse"].joules+f["hash"].joules, 0.01)
		noted(t, s, "package 0: the counter stood still for up to ")
		sane(t, s)
	})
	t.Run("all the time", func(t *testing.T) {
		param(t, "simrapl", "freeze", "1")
		s := record(t, "--energy", "perf", "--user", "--", "workload", "-seconds", "1.5", "-naps", "0")
		if j := domain(s, "package", 0); j != 0 {
			t.Errorf("%v J of a counter that stands still", j)
		}
		noted(t, s, "package 0: the counter has not moved in ")
		sane(t, s)
	})
}

// From 6.9 to 6.11 the kernel showed a CPU for every core complex of AMD's
// packages, whose counters are all the package's.
func TestCpumaskOfTooMany(t *testing.T) {
	only(t, "icx-6.1")
	unload(t, "rapl")
	reload(t, "simpmu", "power=1", "cpumask=0-1", "power_core=1")
	if mask := read(t, "/sys/bus/event_source/devices/power/cpumask"); mask != "0-1" {
		t.Fatalf("the cpumask is %s", mask)
	}
	t.Run("EBUSY", func(t *testing.T) {
		param(t, "simpmu", "open_pmu", "power")
		param(t, "simpmu", "open_errno", strconv.Itoa(int(unix.EBUSY)))
		fails(t, []string{"energy source perf-power: package 0: ", unix.EBUSY.Error()}, "--energy", "perf")
	})
	s := record(t, append(lean, "--energy", "perf", "--", "workload", "-seconds", "1", "-naps", "0")...)
	var domains []string
	for _, d := range s.Source.Domains {
		domains = append(domains, fmt.Sprintf("%s %d on %s, %v", d.Name, d.Package, d.CPUs, d.InEnergy))
		watts := map[string]float64{"package": 20, "core": 5}[d.Name]
		near(t, d.Name, d.Joules, watts*s.Seconds, 0.01)
	}
	if got, want := strings.Join(domains, "; "), "package 0 on 0-1, true; core 0 on 0, false; core 0 on 1, false"; got != want {
		t.Errorf("domains are %s, want %s", got, want)
	}
	noted(t, s, "the cpumask of PMU power names 2 CPUs for 1 packages or dies: each is counted once")
	sane(t, s)
}
