package main

import (
	"math"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report/gate"
)

// The number of runs that bench makes unasked is what its help and its documentation say of it.
func TestDefaultRepeats(t *testing.T) {
	n, err := gate.Plan(0.05, 0.1, 0, planFunctions)
	if err != nil || n > defaultRepeats {
		t.Errorf("%d runs (error %v) find +10 %% in one of %d functions at 5 %% noise, and %d are the default", n, err, planFunctions, defaultRepeats)
	}
}

func TestPercentFlag(t *testing.T) {
	for text, want := range map[string]float64{"5%": 0.05, "+10%": 0.1, "-3%": -0.03, "0": 0, "0.5%": 0.005} {
		var share float64
		if err := (percent{&share}).Set(text); err != nil || math.Abs(share-want) > 1e-12 {
			t.Errorf("%q: %v, error %v; want %v", text, share, err, want)
		}
	}
	for _, text := range []string{"", "%", "five", "7", "0.05", "5%%", "5 %", "NaN", "inf%", "1e999"} {
		var share float64
		if err := (percent{&share}).Set(text); err == nil || !strings.Contains(err.Error(), "is no percentage") {
			t.Errorf("%q: %v, error %v; want an error", text, share, err)
		}
	}
}

func TestSpread(t *testing.T) {
	if got := relativeDeviation([]float64{9, 10, 11}); math.Abs(got-0.1) > 1e-12 {
		t.Errorf("deviation of 9, 10, 11: %v of the mean, want 0.1", got)
	}
	for _, values := range [][]float64{{1}, {0, 0}, {}} {
		if got := relativeDeviation(values); !math.IsNaN(got) {
			t.Errorf("deviation of %v: %v, want none", values, got)
		}
	}
	if a, b := median([]float64{3, 1, 2}), median([]float64{4, 1, 3, 2}); a != 2 || b != 2.5 {
		t.Errorf("medians %v and %v, want 2 and 2.5", a, b)
	}
	// The 5 % and 95 % quantiles of chi-squared with 9 degrees of freedom are 3.325 and 16.919 (any table).
	row, ok := plannedOf("x", []float64{9, 11, 9, 11, 9, 11, 9, 11, 9, 11}, 1)
	if !ok || math.Abs(row.low/row.noise-math.Sqrt(9/16.919)) > 1e-4 || math.Abs(row.high/row.noise-math.Sqrt(9/3.325)) > 1e-4 {
		t.Errorf("noise %v from %v to %v, want 0.729 and 1.645 times it", row.noise, row.low, row.high)
	}
}
