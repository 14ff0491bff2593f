package guest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/report"
)

// napping keeps one CPU busy for half of the time, so that what is counted whatever runs can be told from the rest.
func napping(seconds float64) []string {
	return []string{"--", "workload", "-mute", "-threads", "1", "-functions", "parse=0,hash=0", "-burst", "10ms-40ms", "-nap", "10ms-40ms", "-seconds", fmt.Sprint(seconds)}
}

// The boxes of a package are one series, whose counts are the rule's; and since they come whatever runs, none of them
// are a function's, which is said.
func TestCounterOfBoxes(t *testing.T) {
	only(t, "spr-6.12", "icx2s-6.12")
	const spec = "uncore_cxlcm/event=0x41,umask=0x10/"
	out := filepath.Join(scratch(t), "out.pb.gz")
	s := record(t, slices.Concat([]string{"-o", out, "--energy", "none", "--counter", spec, "--counter", "uncore_imc/cas_count_read/", "-F", "397", "--user"}, napping(3))...)
	if len(s.Counters) != 2 {
		t.Fatalf("counters %+v", s.Counters)
	}
	for _, want := range []struct {
		name   string
		config uint64
		boxes  int
		scale  float64
	}{{spec, 0x1041, 2, 0}, {"uncore_imc/cas_count_read/", 0xcf05, 4, 6.103515625e-5}} {
		i := slices.IndexFunc(s.Counters, func(c report.CounterSummary) bool { return c.Name == want.name })
		if i < 0 {
			t.Fatalf("%s is not among %+v", want.name, s.Counters)
		}
		c := s.Counters[i]
		if len(c.Domains) != len(allPackages()) {
			t.Errorf("%s: domains %+v", c.Name, c.Domains)
		}
		for _, d := range c.Domains {
			rate := 0.0
			for box := range want.boxes {
				rate += boxRate(want.config, box, d.Package)
			}
			counted(t, fmt.Sprintf("%s of package %d", c.Name, d.Package), float64(d.Count), rate, uint64(s.Seconds*1e9))
		}
		parts := c.Baseline + c.Active + c.Other + c.Lost + c.Unattributed + c.Idle
		for _, f := range c.Functions {
			parts += f.Count
		}
		if parts != c.Count {
			t.Errorf("%s: parts of %d counts, %d in all", c.Name, parts, c.Count)
		}
		if float64(c.Baseline) < 0.99*float64(c.Count) {
			t.Errorf("%s: %d of %d counts are baseline, want all: %+v", c.Name, c.Baseline, c.Count, c)
		}
		says := func(n string) bool {
			return strings.HasPrefix(n, c.Name) && strings.Contains(n, "does not depend on what runs")
		}
		if !slices.ContainsFunc(s.Notes, says) {
			t.Errorf("%s: nothing says that its counts do not depend on what runs: %q", c.Name, s.Notes)
		}
		if want.scale == 0 && c.Value != nil || want.scale > 0 && (c.Value == nil || *c.Value != want.scale*float64(c.Count) || c.Unit != "MiB") {
			t.Errorf("%s: scale %v, value %v, unit %q", c.Name, c.Scale, c.Value, c.Unit)
		}
	}
	f, err := os.Open(out)
	must(t, err)
	defer f.Close()
	p, err := profile.Parse(f)
	must(t, err)
	must(t, p.CheckValid())
	read, err := report.ReadCounts(p, spec, report.ByFunction)
	must(t, err)
	if i := slices.IndexFunc(s.Counters, func(c report.CounterSummary) bool { return c.Name == spec }); read.Count != s.Counters[i].Count {
		t.Errorf("the profile has %d counts, the summary %d", read.Count, s.Counters[i].Count)
	}
}

// A name of the processor's table stands for its event.
func TestCounterByName(t *testing.T) {
	only(t, "spr-6.12")
	const name = "UNC_CXLCM_RxC_PACK_BUF_INSERTS.MEM_DATA"
	s := record(t, "--energy", "none", "--counter", name, "-F", "97", "--user", "--", "sleep", "0.5")
	if len(s.Counters) != 1 || s.Counters[0].Name != name {
		t.Fatalf("counters %+v", s.Counters)
	}
	const config = 0x1041
	counted(t, name, float64(s.Counters[0].Count), boxRate(config, 0, 0)+boxRate(config, 1, 0), uint64(s.Seconds*1e9))
}

// An energy counter counts like any other: its counts are its joules, with those of functions that draw more.
func TestCounterOfEnergy(t *testing.T) {
	only(t, "spr-6.12")
	const spec = "power/energy-pkg/"
	s := record(t, "--energy", "perf", "--counter", spec, "--user", "--", "workload", "-threads", "1", "-functions", "parse=2000,encode=20000",
		"-burst", "20ms-60ms", "-nap", "20ms-60ms", "-seconds", "4")
	c := s.Counters[0]
	const unit = 1.0 / (1 << 32) // J, of perf's energy counters
	joules := 0.0
	for _, d := range s.Source.Domains {
		if d.Name == "package" {
			joules = d.Joules
		}
	}
	if got := float64(c.Count) * unit; math.Abs(got-joules) > 0.005*joules || c.Unit != "Joules" {
		t.Errorf("%.3f J counted (%s), %.3f J of energy", got, c.Unit, joules)
	}
	rates := map[string]float64{}
	for _, f := range c.Functions {
		if f.Rate != nil {
			rates[f.Name] += *f.Rate * unit
		}
	}
	for name, watts := range map[string]float64{"main.parse": 2, "main.encode": 20} {
		if math.Abs(rates[name]-watts) > 0.1*20 {
			t.Errorf("%s draws %.2f W by its counts, the counter was told %.0f W; %+v", name, rates[name], watts, c)
		}
	}
}

// A PMU without a counter to spare is an error that says so, before anything runs: what takes turns would have holes.
func TestCounterOfBusyBox(t *testing.T) {
	only(t, "spr-6.12")
	ran := filepath.Join(scratch(t), "ran")
	args := []string{"record", "-q", "--energy", "none"}
	for umask := range 5 { // 0x41 can have four counters of a box
		args = append(args, "--counter", fmt.Sprintf("uncore_cxlcm/event=0x41,umask=%#x/", umask+1))
	}
	_, stderr, code := run(t, "energyprof", append(args, "--", "touch", ran)...)
	if code != 125 || !strings.Contains(stderr, "its PMU has no counter to spare on CPU 0") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the command ran all the same")
	}
}
