package gate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

const (
	// robustRuns is from how many values on those far off are pulled in: fewer do not show what is far off.
	robustRuns = 16
	// outlying: at most one in so many values is an outlier.
	outlying = 10
	// fence is how far from the centre a value counts in full, in standard deviations. With 2.5 normal noise costs next to
	// nothing and the tests keep their level; the simulation has what runs that something disturbed cost.
	fence = 2.5
	// madNormal makes the median absolute deviation of normal values their standard deviation.
	madNormal = 1.4826

	// leastNoise is the relative standard deviation below which no measurement is believed, for values that rounding made
	// equal.
	leastNoise = 0.001
	// fewNoise is the same where the runs are so few that the two sides lie apart altogether by chance more often than the
	// test may err (few). The test then rests on the noise being normal alone; a machine that has two speeds, each for
	// half of the runs, is not that, and within each speed its runs may agree to a permille.
	fewNoise = 0.03
	// alike is the variance of logarithms below which they differ by what computing them costs.
	alike = 1e-24
)

// centre is the estimated centre of a sample.
type centre struct {
	at       float64
	variance float64 // of a value, as far as it bears on the centre: the centre's is variance/n
	df       float64 // degrees of freedom of variance
	n        int
}

// locate estimates the centre of values, which are not empty: their mean, or, from robustRuns values on, Huber's
// M-estimate, for which what is beyond the fence stands at the fence, with its asymptotic variance (Huber and Ronchetti,
// Robust Statistics, 2009, sections 3.2 and 6.4). A run that something disturbed then costs little of the certainty. More
// than one in outlying such values are no outliers but the other speed of something that has two, of which chance may give
// most of the one to the old side and most of the other to the new: then it is the mean. The variance of a single value is
// NaN.
func locate(values []float64) centre {
	c := centreOf(values, stat.Mean(values, nil), math.Inf(1))
	if len(values) >= robustRuns {
		if s := spread(values); s > 0 {
			if r := centreOf(values, median(values), fence*s); (c.df-r.df)*outlying <= float64(len(values)) {
				return r
			}
		}
	}
	return c
}

// centreOf is the centre for which the deviations of values within reach, and those beyond at reach, add up to 0.
func centreOf(values []float64, from, reach float64) centre {
	n := len(values)
	c := centre{n: n, at: from}
	for range 100 {
		sum := 0.0
		for _, v := range values {
			sum += pull(v-c.at, reach)
		}
		step := sum / float64(n)
		c.at += step
		if math.Abs(step) < 1e-12 {
			break
		}
	}
	squares, inside := 0.0, 0
	for _, v := range values {
		d := pull(v-c.at, reach)
		squares += d * d
		if math.Abs(d) < reach {
			inside++
		}
	}
	part := float64(inside) / float64(n)
	c.df = float64(inside - 1)
	c.variance = squares / float64(n-1) / (part * part)
	return c
}

// pull brings a deviation within reach.
func pull(d, reach float64) float64 { return max(-reach, min(d, reach)) }

// spread is the standard deviation of normal values, from their median absolute deviation.
func spread(values []float64) float64 {
	m := median(values)
	off := make([]float64, len(values))
	for i, v := range values {
		off[i] = math.Abs(v - m)
	}
	return madNormal * median(off)
}

// median of values that are not empty.
func median(values []float64) float64 {
	s := slices.Clone(values)
	slices.Sort(s)
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// sides are the logarithms of a quantity by run: differences are then relative, and noise that is relative is the same
// everywhere.
type sides struct{ old, new []float64 }

// shift is the estimated difference of the logarithms, new - old.
type shift struct {
	old, new float64 // the centres
	by       float64 // the estimate
	variance [2]float64
	freedom  [2]float64
	runs     [2]int // of the two sides; of pairs the second is 0
	alike    bool   // the runs do not differ but for rounding, or are of samples whose number does not
}

// estimate is the difference of a quantity that is known. Joules and cycles are shared out by samples: where all runs have
// as many, chance has dealt evenly, and how much those runs agree says nothing of others.
func (q quantities) estimate(of Quantity, paired bool) shift {
	s := q[of].estimate(paired)
	if time, ok := q[Time]; ok && of != Elapsed {
		t := time.estimate(paired)
		s.alike = s.alike || t.alike
	}
	return s
}

// estimate is the difference of two sides, or of pairs of runs.
func (s sides) estimate(paired bool) shift {
	o, n := locate(s.old), locate(s.new)
	if paired {
		by := make([]float64, len(s.old))
		for i := range by {
			by[i] = s.new[i] - s.old[i]
		}
		d := locate(by)
		return shift{o.at, n.at, d.at, [2]float64{d.variance}, [2]float64{d.df}, [2]int{d.n, 0}, d.variance < alike}
	}
	return shift{o.at, n.at, n.at - o.at, [2]float64{o.variance, n.variance}, [2]float64{o.df, n.df}, [2]int{o.n, n.n}, max(o.variance, n.variance) < alike}
}

// probability is that of a difference of by or more on so many sides (1 or 2), by chance alone. What is rarer than two sides
// that lie apart altogether rests on the shape of the noise (fewNoise), and only as far as it is rarer.
func (s shift) probability(by, sides float64) float64 {
	at := func(level float64) float64 {
		se, df := s.error(level)
		return min(1, sides*tail(by/se, df))
	}
	p := at(1)
	if least := apart(s.runs); p < least {
		p = min(least, at(0))
	}
	return p
}

// error is the standard error of the difference and its degrees of freedom, for tests that err with probability level:
// Welch's, since the two sides need not be as noisy as each other. Few runs that are alike are counts of so few samples that
// they cannot differ by less than one: nothing is known of their noise, and the error is +Inf.
func (s shift) error(level float64) (se, df float64) {
	if s.alike && few(s.runs, level) {
		return math.Inf(1), max(1, s.freedom[0]+s.freedom[1])
	}
	least := leastVariance(s.runs, level)
	var sum, weights float64
	for i, n := range s.runs {
		if n > 0 {
			v := max(s.variance[i], least) / float64(n)
			sum += v
			weights += v * v / s.freedom[i]
		}
	}
	return math.Sqrt(sum), sum * sum / weights
}

// noise is the relative standard deviation of a run, or of a pair's ratio; NaN if no side has two runs.
func (s shift) noise() float64 {
	var sum, df float64
	for i, n := range s.runs {
		if n > 1 {
			sum += s.variance[i] * s.freedom[i]
			df += s.freedom[i]
		}
	}
	return math.Sqrt(math.Expm1(sum / df)) // of values whose logarithms are normal
}

// leastVariance is the variance that a run is taken to have at least.
func leastVariance(runs [2]int, level float64) float64 {
	if few(runs, level) {
		return fewNoise * fewNoise
	}
	return leastNoise * leastNoise
}

// few says that two sides without a difference lie apart altogether more often than level.
func few(runs [2]int, level float64) bool { return apart(runs) > level }

// apart is the probability that two sides without a difference lie apart altogether: 2 by as many as there are ways to
// choose the one side's runs from all. n pairs are taken for n runs a side.
func apart(runs [2]int) float64 {
	a, b := float64(runs[0]), float64(runs[1])
	if runs[1] == 0 {
		b = a
	}
	all, _ := math.Lgamma(a + b + 1)
	one, _ := math.Lgamma(a + 1)
	other, _ := math.Lgamma(b + 1)
	return 2 * math.Exp(one+other-all)
}
