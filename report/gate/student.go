package gate

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

// tail is the probability that Student's t with df degrees of freedom is above t.
func tail(t, df float64) float64 {
	if math.IsInf(t, 0) {
		return (1 - math.Copysign(1, t)) / 2
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)
}

// critical is the t that Student's t with df degrees of freedom exceeds with probability p, which is at most 1/2.
func critical(p, df float64) float64 {
	return -distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(p) // from the lower tail, which is exact where it is small
}

// above is the probability that a standard normal variable is above x.
func above(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }

// steps is how many quantiles stand for the distribution of an estimated standard deviation. Probabilities of 95 % that
// are found with them are right to 0.001.
const steps = 50

// deviations are quantiles of an estimated standard deviation by the true one, sqrt(chi squared / df), at the
// probabilities (i+1/2)/steps.
func deviations(df float64) []float64 {
	d := make([]float64, steps)
	for i := range d {
		d[i] = math.Sqrt(distuv.ChiSquared{K: df}.Quantile((float64(i)+0.5)/steps) / df)
	}
	return d
}

// found is the probability that a difference of delta standard errors exceeds t estimated ones: the upper tail of the
// noncentral t. s are the deviations of its degrees of freedom.
func found(delta, t float64, s []float64) float64 {
	sum := 0.0
	for _, v := range s {
		sum += above(t*v - delta)
	}
	return sum / float64(len(s))
}

// detectable is the difference, in estimated standard errors, that as many other runs find with probability power, by a
// test with df degrees of freedom that errs with probability p on the side of the difference. The standard error is
// estimated twice, from the runs at hand and from the others, and both may be off.
func detectable(p, df, power float64) float64 {
	// In steps of 2 %, downwards, so that few are to be found: fewer degrees of freedom only make it larger.
	step := math.Floor(math.Log(df) * 50)
	key := planned{p, step, power}
	if d, ok := detectables.Load(key); ok {
		return d.(float64)
	}
	df = math.Exp(step / 50)
	t, s := critical(p, df), deviations(df)
	low, high := 0.0, 1.0
	at := func(k float64) float64 {
		sum := 0.0
		for _, v := range s {
			sum += found(k*v, t, s)
		}
		return sum / float64(len(s))
	}
	for at(high) < power {
		low, high = high, high*2
	}
	for high-low > 1e-3*high {
		if mid := (low + high) / 2; at(mid) < power {
			low = mid
		} else {
			high = mid
		}
	}
	detectables.Store(key, high)
	return high
}

// planned are the arguments of detectable, df as its step.
type planned struct{ p, df, power float64 }

// detectables has what detectable found, by its arguments: it depends on nothing else and takes milliseconds.
var detectables sync.Map
