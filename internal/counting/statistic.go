package counting

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Statistic sums up the values of several repeats.
type Statistic struct {
	N    int
	Mean float64
	// SD is the standard deviation of a sample, with N-1 below; NaN of less than two values.
	SD float64
	// Low and High are the ends of the 95 % confidence interval of the mean, by Student's t
	// for N-1 degrees of freedom; NaN of less than two values.
	Low, High float64
}

// Summarize is the statistic of values that were measured independently of each other and
// are spread about their mean like a normal distribution, as far as anyone knows.
func Summarize(values []float64) Statistic {
	s := Statistic{N: len(values), SD: math.NaN(), Low: math.NaN(), High: math.NaN()}
	s.Mean = stat.Mean(values, nil)
	if s.N < 2 {
		return s
	}
	s.SD = stat.StdDev(values, nil)
	t := distuv.StudentsT{Sigma: 1, Nu: float64(s.N - 1)}.Quantile(0.975)
	half := t * stat.StdErr(s.SD, float64(s.N))
	s.Low, s.High = s.Mean-half, s.Mean+half
	return s
}
