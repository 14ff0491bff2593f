package guest

import (
	"fmt"
	"strings"
	"testing"
)

// order is where a shell writes a fault.
const order = "/sys/module/simrapl/parameters/"

// half runs parse, then hash, for a second each with 20 W in all, and what a shell
// does between them.
func halves(between string) []string {
	return []string{"sh", "-c", "workload -seconds 1 -naps 0 -functions parse=10000; " + between + "; workload -seconds 1 -naps 0 -functions hash=10000"}
}

var sources = []string{"perf", "powercap", "msr"}

// A package counter that leaps by more than any package can draw, or goes back,
// costs the time between two readings at most, and that is said. A small step
// forward is what a burst of work looks like, and counts.
func TestCounterJumps(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	const watts = 20
	for _, c := range []struct {
		name    string
		uj      int64
		sources []string
		more    float64 // J that the jump adds
		missing float64 // J that may be missing besides those of an interval
		said    bool
	}{
		{"5 J forward", 5e6, sources[:1], 5, 0, false},
		{"1 MJ forward", 1e12, sources, 0, 0, true},
		{"5 J back", -5e6, sources, 0, 5, true},
		{"100 kJ back", -1e11, sources[:1], 0, 0, true},
	} {
		for _, source := range c.sources {
			t.Run(c.name+"/"+source, func(t *testing.T) {
				openBooks(t)
				args := append([]string{"--energy", source, "--"}, halves(fmt.Sprintf("echo %d > %sjump_uj", c.uj, order))...)
				s := record(t, args...)
				interval := 0.3 // s, between two anchors
				if source != "perf" {
					interval = 0.05
				}
				got, truth := domain(s, "package", 0), drawn(t)
				if most := (truth + c.more) * 1.01; got > most {
					t.Errorf("%.4f J, at most %.4f J were drawn", got, most)
				}
				least := (truth + c.more) * 0.99
				if c.said {
					least -= c.missing + interval*watts
				}
				if got < least {
					t.Errorf("%.4f J, at least %.4f J were drawn and could be followed", got, least)
				}
				if c.said {
					noted(t, s, "package 0: ", "went back or leapt beyond reason")
				} else {
					unnoted(t, s, "leapt")
				}
				sane(t, s)
			})
		}
	}
}

// Registers of 32 bits that wrap several times in a recording, and soon after its
// beginning.
func TestCounterWraps(t *testing.T) {
	only(t, "icx-6.1")
	for _, c := range []struct {
		name    string
		params  []string
		mw      int // of each of two threads
		sources []string
	}{
		// 64 J a turn, every 1.3 s. The driver of powercap rounds such units to whole
		// nanojoules, by 6 %, which no hardware of this unit has shown.
		{"64 J", []string{"esu=26"}, 25000, []string{"perf", "msr"}},
		{"512 J", []string{"esu=23"}, 250000, []string{"powercap"}},
		{"soon", []string{fmt.Sprintf("count0=%d", uint32(1<<32-1<<16))}, 25000, sources},
	} {
		t.Run(c.name, func(t *testing.T) {
			reload(t, "simrapl", c.params...)
			quiet(t)
			for _, source := range c.sources {
				openBooks(t)
				s := record(t, "--energy", source, "--", "workload", "-seconds", "3", "-naps", "0", "-functions", fmt.Sprintf("sort=%d", c.mw))
				near(t, source, domain(s, "package", 0), drawn(t), 0.01)
				unnoted(t, s, "leapt")
				unnoted(t, s, "wrapped twice")
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
	for _, source := range sources {
		t.Run(source, func(t *testing.T) {
			param(t, "simrapl", "freeze", "0")
			openBooks(t)
			freeze, thaw := "echo 1 > "+order+"freeze", "echo 0 > "+order+"freeze"
			args := append([]string{"--energy", source, "--"}, halves(freeze+"; workload -seconds 1 -naps 0 -functions sort=10000; "+thaw)...)
			s := record(t, args...)
			f := readBooks(t).functions
			near(t, "before and after", domain(s, "package", 0), f["parse"].joules+f["hash"].joules, 0.01)
			noted(t, s, "package 0: ", "stood still for up to ")
			sane(t, s)
		})
	}
	t.Run("all the time", func(t *testing.T) {
		param(t, "simrapl", "freeze", "1")
		s := record(t, "--", "workload", "-seconds", "1.5", "-naps", "0")
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
	s := record(t, "--energy", "perf", "--", "workload", "-seconds", "1", "-naps", "0")
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
