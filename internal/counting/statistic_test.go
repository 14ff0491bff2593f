package counting

import (
	"math"
	"testing"
)

// The quantiles of Student's t are those of any printed table: 12.706, 2.776 and 2.262 for
// 1, 4 and 9 degrees of freedom.
func TestSummarize(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		values []float64
		want   Statistic
	}{
		{[]float64{7}, Statistic{1, 7, nan, nan, nan}},
		{[]float64{1, 3}, Statistic{2, 2, math.Sqrt2, 2 - 12.706, 2 + 12.706}},
		{[]float64{1, 2, 3, 4, 5}, Statistic{5, 3, 1.58114, 3 - 2.776*0.70711, 3 + 2.776*0.70711}},
		{[]float64{4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, Statistic{10, 4, 0, 4, 4}},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Statistic{10, 5.5, 3.02765, 5.5 - 2.262*0.95743, 5.5 + 2.262*0.95743}},
	} {
		got := Summarize(test.values)
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-3 || math.IsNaN(a) && math.IsNaN(b) }
		if got.N != test.want.N || !same(got.Mean, test.want.Mean) || !same(got.SD, test.want.SD) || !same(got.Low, test.want.Low) || !same(got.High, test.want.High) {
			t.Errorf("%v: %+v, want %+v", test.values, got, test.want)
		}
	}
}
