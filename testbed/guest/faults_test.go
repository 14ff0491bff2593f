package guest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report"
)

// lean are flags for recordings whose functions do not matter: emulated CPUs take
// seconds for a regression, and as long for the names of the kernel's functions.
var lean = []string{"-F", "199", "-g", "none", "--attribution", "proportional", "--user"}

// quiet leaves what functions draw and little else: a recording of them then
// holds all of the energy that there is, whenever it begins and ends. Without any
// static power at all the counters would stand still before and after.
func quiet(t *testing.T) {
	t.Helper()
	param(t, "simrapl", "static_mw", "20")
	param(t, "simrapl", "other_mw", "0")
	param(t, "simrapl", "idle_mw", "0")
}

// drawn is what functions drew since openBooks, in joules.
func drawn(t *testing.T) float64 {
	t.Helper()
	sum := 0.0
	for _, f := range readBooks(t).functions {
		sum += f.joules
	}
	if sum == 0 {
		t.Fatal("the functions drew nothing")
	}
	return sum
}

// near wants got within this share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= share*want) {
		t.Errorf("%s: %.4f J, drawn were %.4f J", what, got, want)
	}
}

// noted wants a note with all of these parts.
func noted(t *testing.T, s report.Summary, parts ...string) {
	t.Helper()
	for _, n := range s.Notes {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(n, part) }) {
			return
		}
	}
	t.Errorf("no note says %q: %q", parts, s.Notes)
}

// unnoted wants no note with this part.
func unnoted(t *testing.T, s report.Summary, part string) {
	t.Helper()
	for _, n := range s.Notes {
		if strings.Contains(n, part) {
			t.Errorf("there is a note %q", n)
		}
	}
}

// sane wants every figure finite and not negative, and all that is handed out to
// be what was counted.
func sane(t *testing.T, s report.Summary) {
	t.Helper()
	ok := func(what string, v float64) {
		if !(v >= 0) || math.IsInf(v, 0) {
			t.Errorf("%s: %v", what, v)
		}
	}
	for _, d := range s.Source.Domains {
		ok(d.Name, d.Joules)
	}
	for _, f := range s.Functions {
		ok(f.Name+": joules", *f.Joules)
		ok(f.Name+": seconds", f.CPUSeconds)
		for _, v := range []*float64{f.JoulesLow, f.JoulesHigh, f.Watts, f.JoulesCumulative} {
			if v != nil {
				ok(f.Name, *v)
			}
		}
	}
	for _, v := range []*float64{s.BaselineJoules, s.ActiveJoules, s.OtherJoules, s.LostJoules, s.UnattributedJoules, s.IdleJoules} {
		ok("a frame of its own", *v)
	}
	ok("lost seconds", s.LostSeconds)
	if s.BadRecords != 0 {
		t.Errorf("%d records could not be decoded", s.BadRecords)
	}
	conserved(t, s)
}
