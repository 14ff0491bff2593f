package attribution_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/attribution/simulate"
)

// shareOut shares a trace out whose readings are multiplied by scale.
func shareOut(t *testing.T, tr *simulate.Trace, scale float64, counts bool) *attribution.Result {
	t.Helper()
	scaled := *tr
	scaled.Readings = nil
	for _, rs := range tr.Readings {
		rs = slices.Clone(rs)
		for i := range rs {
			rs[i].Joules = math.Round(rs[i].Joules * scale)
		}
		scaled.Readings = append(scaled.Readings, rs)
	}
	a, err := attribution.New(tr.Series, attribution.Options{Method: attribution.Auto, Function: tr.Function, Counts: counts})
	if err != nil {
		t.Fatal(err)
	}
	if err := scaled.Play(a); err != nil {
		t.Fatal(err)
	}
	return a.Finish()
}

func recorded(t *testing.T, watts ...float64) *simulate.Trace {
	t.Helper()
	m := simulate.Machine{Packages: []simulate.Package{{CPUs: 4, Busy: 0.5, Static: 10}}}
	for _, w := range watts {
		m.Functions = append(m.Functions, simulate.Function{Watts: w, Share: 1, Burst: 20 * time.Millisecond})
	}
	tr, err := simulate.Record(m, simulate.Instruments{Duration: 10 * time.Second, ReadEvery: 10 * time.Millisecond, StampError: 20 * time.Microsecond, Hertz: 997}, 5)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// Whatever is counted, and however much of it a second: what comes out is the same but for the unit.
func TestUnitsDoNotMatter(t *testing.T) {
	tr := recorded(t, 4, 18)
	want := shareOut(t, tr, 1e6, false).Series[0]
	got := shareOut(t, tr, 1e12, true).Series[0]
	for f := range want.ByKey {
		if a, b := want.ByKey[f]/1e6, got.ByKey[f]/1e12; math.Abs(a-b) > 1e-4*a {
			t.Errorf("function %d: %v and %v", f, a, b)
		}
		if a, b := want.Functions[f].High/1e6, got.Functions[f].High/1e12; math.Abs(a-b) > 1e-3*a {
			t.Errorf("function %d: to %v and to %v", f, a, b)
		}
	}
}

// What is counted whatever runs is static; energy of that kind is shared by CPU time, where any ran.
// Each is said in its own words.
func TestCountsThatDependOnNothing(t *testing.T) {
	tr, static := recorded(t, 0, 0), 0
	for _, tt := range []struct {
		counts bool
		static float64
		note   string
	}{
		{true, 1, "the count does not depend on what runs, as far as the recording shows: all of it is static"},
		{false, 0, "the energy does not depend on what runs, as far as the recording shows: joules are shared by CPU time"},
	} {
		r := shareOut(t, tr, 1e9, tt.counts)
		s := r.Series[0]
		if math.Abs(s.Baseline-tt.static*s.Joules) > 0.02*s.Joules || s.BaselineFitted != tt.counts {
			t.Errorf("counts %v: baseline of %v in %v, fitted %v", tt.counts, s.Baseline, s.Joules, s.BaselineFitted)
		}
		if !slices.Contains(r.Notes, tt.note) {
			t.Errorf("counts %v: notes %q, want %q", tt.counts, r.Notes, tt.note)
		}
	}
	// A short recording with few samples does not tell what running CPUs count; where all is static that
	// is in no function, and no uncertainty of it.
	for seed := range uint64(8) {
		m := simulate.Machine{Packages: []simulate.Package{{CPUs: 2, Busy: 0.9, Static: 10}}, Functions: []simulate.Function{{Share: 1, Burst: 20 * time.Millisecond}, {Share: 1, Burst: 5 * time.Millisecond}}}
		short, err := simulate.Record(m, simulate.Instruments{Duration: time.Second, ReadEvery: 10 * time.Millisecond, StampError: 500 * time.Microsecond, Hertz: 997}, seed)
		if err != nil {
			t.Fatal(err)
		}
		r := shareOut(t, short, 1e9, true)
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasSuffix(n, "all of it is static") }) {
			continue
		}
		static++
		for _, n := range r.Notes {
			if strings.Contains(n, "include it") || strings.Contains(n, "give or take") {
				t.Errorf("seed %d: all is static, and yet %q", seed, n)
			}
		}
	}
	if static == 0 {
		t.Error("no short recording is found to be static")
	}
	// No words of energy where it is none, and a name stays what it is.
	for _, n := range shareOut(t, recorded(t, 5, 5), 1e9, true).Notes {
		for _, word := range []string{"joules", "energy", " W", "power", "draw"} {
			if strings.Contains(strings.TrimPrefix(n, "package of package 0: "), word) {
				t.Errorf("a note on counts: %q", n)
			}
		}
	}
}
