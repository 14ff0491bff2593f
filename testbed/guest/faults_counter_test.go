package guest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// order is where a shell writes a fault.
const order = "/sys/module/simrapl/parameters/"

// around is a command that runs parse, then hash, for a while each with 20 W in
// all, and what a shell does between them.
func around(between string) []string {
	return []string{"--", "sh", "-c", "workload -seconds 0.7 -naps 0 -functions parse=10000; " + between + "; workload -seconds 0.7 -naps 0 -functions hash=10000"}
}

// A package counter that leaps by more than any package can draw, or goes back,
// costs the energy between two readings, and that is said. A small step forward is
// what a burst of work looks like, and counts.
func TestCounterJumps(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	jump := func(uj int64) string { return fmt.Sprintf("echo %d > %sjump_uj", uj, order) }
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

// Registers of 32 bits that wrap soon after the beginning, and then again.
func TestCounterWraps(t *testing.T) {
	only(t, "icx-6.1")
	for _, c := range []struct {
		name    string
		esu     int
		mw      int // of each of two threads
		sources []string
	}{
		// 64 J a turn, every 1.3 s. The driver of powercap rounds such units to whole
		// nanojoules, by 6 %; no hardware is known to have them.
		{"64 J", 26, 25000, []string{"perf", "msr"}},
		{"512 J", 23, 250000, []string{"powercap"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			soon := int64(1)<<32 - 5<<c.esu // 5 J
			reload(t, "simrapl", fmt.Sprintf("esu=%d", c.esu), fmt.Sprintf("count0=%d", soon))
			quiet(t)
			for _, source := range c.sources {
				openBooks(t)
				s := record(t, append(lean, "--energy", source, "--", "workload", "-seconds", "1.7", "-naps", "0", "-functions", fmt.Sprintf("sort=%d", c.mw))...)
				near(t, source, domain(s, "package", 0), drawn(t), 0.01)
				unnoted(t, s, "leapt")
				sane(t, s)
			}
		})
	}
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
		s := record(t, "--energy", "perf", "--", "workload", "-seconds", "1.5", "-naps", "0")
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
