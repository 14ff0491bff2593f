package simulate

import (
	"math"
	"strings"
	"testing"
)

func TestViolations(t *testing.T) {
	good := func() *Evaluation {
		return &Evaluation{
			Scenario: Scenario{Claimed: true, Limits: Limits{Mean: 0.01, Worst: 0.04, Baseline: 0.05, Validation: 3, Sharing: true}},
			Methods:  []MethodErrors{{Mean: 0.005}}, Clear: 0.03, Baseline: Watts{Clear: 0.04}, ValidationRatio: 4,
			Coverage: 0.95, Intervals: 2000, WidthOracle: 1.5, Said: 1,
		}
	}
	for _, c := range []struct {
		change func(*Evaluation)
		want   string
	}{
		{func(*Evaluation) {}, ""},
		{func(e *Evaluation) { e.Methods[0].Mean = 0.02 }, "mean error 2.00 %, limit 1.00 %"},
		{func(e *Evaluation) { e.Methods[0].Mean = math.NaN() }, "mean error NaN %"},
		{func(e *Evaluation) { e.Clear = 0.05 }, "worst error 5.00 %"},
		{func(e *Evaluation) { e.Baseline.Clear = 0.1 }, "static power off by 10.00 %"},
		{func(e *Evaluation) { e.Baseline.Clear = math.NaN() }, ""},
		{func(e *Evaluation) { e.ValidationRatio = 2 }, "2.0 times smaller"},
		{func(e *Evaluation) { e.Said = 0.5 }, "in 50 % of the recordings"},
		{func(e *Evaluation) { e.Chosen = 0.2 }, "chose the regression in 20 %"},
		{func(e *Evaluation) { e.Coverage = 0.91 }, "coverage 91.0 %"},
		{func(e *Evaluation) { e.Coverage = 0.99 }, "coverage 99.0 %"},
		{func(e *Evaluation) { e.Coverage, e.Intervals = 0.91, 500 }, ""},
		{func(e *Evaluation) { e.Coverage, e.Intervals = 0.5, 50 }, ""},
		{func(e *Evaluation) { e.Coverage, e.Scenario.Claimed = 0.5, false }, ""},
		{func(e *Evaluation) { e.WidthOracle = 3 }, "3.0 times as wide"},
	} {
		e := good()
		c.change(e)
		if got := strings.Join(e.Violations(), "; "); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
