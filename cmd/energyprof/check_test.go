package main

import (
	"math"
	"testing"

	"github.com/energyprof/energyprof/internal/runs"
)

// TestCheckPercent: what is a limit, and what only looks like one.
func TestCheckPercent(t *testing.T) {
	for text, want := range map[string]float64{"+5%": 0.05, "5%": 0.05, "-2%": -0.02, "0": 0, "0%": 0, "+0%": 0, "2.5%": 0.025, "+0.25%": 0.0025, "-99.9%": -0.999, "10000%": 100, "007%": 0.07} {
		if got, err := parsePercent(text); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "+", "+%", "5", "+5", "-0", "0.05", " 5%", "5% ", "5 %", "5%%", "++5%", "5e1%", ".5%", "5.%", "0x5%", "1_0%", "inf%", "NaN%", "-100%", "10000.1%", "5,5%", "５%"} {
		if got, err := parsePercent(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestCheckFunction(t *testing.T) {
	l, err := parseFunctionLimit("^operator(==|!=)=-2.5%")
	if err != nil || l.Max != -0.025 || !l.Function.MatchString("operator==") || l.Function.MatchString("my operator==") {
		t.Errorf("the limit is %+v (%v)", l, err)
	}
}

// TestCheckRefuses: which differences forbid limits on joules, and which flag allows them. Time is compared whatever differs.
func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		kind            runs.Kind
		allow           checkFlags
		refused, joules bool // with limits on joules; whether joules are compared
	}{
		{runs.DifferentSource, checkFlags{model: true, otherMachines: true}, true, false},
		{runs.DifferentAttribution, checkFlags{model: true, otherMachines: true}, true, false},
		{runs.Estimate, checkFlags{otherMachines: true}, true, false},
		{runs.Estimate, checkFlags{model: true}, false, true},
		{runs.DifferentMachine, checkFlags{model: true}, true, false},
		{runs.DifferentMachine, checkFlags{otherMachines: true}, false, true},
		{runs.Unknown, checkFlags{}, true, false},
		{runs.Unknown, checkFlags{otherMachines: true}, false, true},
		{runs.DifferentSetting, checkFlags{}, false, true},
		{runs.DifferentCommand, checkFlags{}, false, true},
	} {
		found := []runs.Difference{{Kind: c.kind, What: "it", Old: "a", New: "b"}}
		limited, free := c.allow.judge(found, true), c.allow.judge(found, false)
		if got := len(limited.refused) > 0; got != c.refused {
			t.Errorf("%s with %+v: limits on joules are refused: %v, want %v", c.kind, c.allow, got, c.refused)
		}
		if len(free.refused) > 0 {
			t.Errorf("%s: without limits on joules there is %v", c.kind, free.refused)
		}
		if limited.energy != c.joules || free.energy != c.joules {
			t.Errorf("%s with %+v: joules are compared: %v and %v, want %v", c.kind, c.allow, limited.energy, free.energy, c.joules)
		}
		if told := len(free.warnings)+len(free.notes) > 0; told != (c.kind != runs.DifferentCommand) {
			t.Errorf("%s: what is said is %q and %q", c.kind, free.warnings, free.notes)
		}
	}
}
