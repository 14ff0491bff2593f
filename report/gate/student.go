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

// critical is the t that Student's t with df degrees of freedom exceeds with probability p, which is below 1/2: Newton's
// method on the logarithms, from the inverse of Wallace's approximation (Bounds on normal approximations to Student's and
// the chi-square distributions, Annals of Mathematical Statistics 30, 1959).
func critical(p, df float64) float64 {
	z := math.Sqrt2 * math.Erfcinv(2*p) * (8*df + 3) / (8*df + 1)
	t := math.Sqrt(df * math.Expm1(z*z/df))
	a, _ := math.Lgamma((df + 1) / 2)
	b, _ := math.Lgamma(df / 2)
	scale := math.Exp(a-b) / math.Sqrt(df*math.Pi)
	for range 50 {
		q := tail(t, df)
		density := scale * math.Pow(1+t*t/df, -(df+1)/2)
		step := math.Log(q/p) * q / (t * density)
		t *= math.Exp(step)
		if math.Abs(step) < 1e-9 {
			break
		}
	}
	return t
}

// above is the probability that a standard normal variable is above x.
func above(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }

// steps is how many quantiles stand for the distribution of an estimated standard deviation. Probabilities of 95 % that
// are found with them are right to 0.002.
const steps = 48

// deviations are quantiles of an estimated standard deviation by the true one, sqrt(chi squared / df), at the
// probabilities (i+1/2)/steps.
func deviations(df float64) []float64 {
	if d, ok := deviated.Load(df); ok {
		return d.([]float64)
	}
	d := make([]float64, steps)
	for i := range d {
		d[i] = math.Sqrt(distuv.ChiSquared{K: df}.Quantile((float64(i)+0.5)/steps) / df)
	}
	deviated.Store(df, d)
	return d
}

// found is the probability that a difference of delta standard errors exceeds t estimated ones: the upper tail of the
// noncentral t with df degrees of freedom.
func found(delta, t, df float64) float64 {
	sum := 0.0
	for _, v := range deviations(df) {
		sum += above(t*v - delta)
	}
	return sum / steps
}

// design is how many runs a test has and how it errs.
type design struct {
	runs  [2]int  // of pairs the second is 0
	p     float64 // the probability to err on the side of the difference
	power float64
}

// reserve is which part of the changes that may be missed detectable allows for: the rest is for what it leaves out, that
// runs which lie far off count for less.
const reserve = 0.6

// detectable is the difference, in estimated standard errors, that as many other runs find with probability power: the
// standard error is estimated twice, from the runs at hand and from the others, and both may be off. Both sides are
// taken to be equally noisy.
func (d design) detectable() float64 {
	if k, ok := detectables.Load(d); ok {
		return k.(float64)
	}
	need := d.needed()
	se, df := welch([2]float64{1, 1}, d.runs)
	estimates := deviations(math.Floor(df))
	power := 1 - reserve*(1-d.power)
	at := func(k float64) float64 {
		sum := 0.0
		for _, e := range estimates {
			for _, n := range need {
				sum += above(n/se - k*e)
			}
		}
		return sum / float64(len(estimates)*len(need))
	}
	low, high := 0.0, 1.0
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
	detectables.Store(d, high)
	return high
}

// needed are the estimated differences that a test asks for, of runs with a standard deviation of 1: equally probable
// ones.
func (d design) needed() []float64 {
	var need []float64
	a := deviations(float64(d.runs[0] - 1))
	if d.runs[1] == 0 {
		for _, s := range a {
			se, df := welch([2]float64{s * s}, d.runs)
			need = append(need, se*critical(d.p, df))
		}
		return need
	}
	for _, s := range a {
		for _, o := range deviations(float64(d.runs[1] - 1)) {
			se, df := welch([2]float64{s * s, o * o}, d.runs)
			need = append(need, se*critical(d.p, df))
		}
	}
	return need
}

// welch is the standard error of a difference and its degrees of freedom, of the variances of the runs (Welch, The
// generalization of Student's problem, Biometrika 34, 1947).
func welch(variance [2]float64, runs [2]int) (se, df float64) {
	var sum, weights float64
	for i, n := range runs {
		if n > 0 {
			v := variance[i] / float64(n)
			sum += v
			weights += v * v / float64(n-1)
		}
	}
	return math.Sqrt(sum), sum * sum / weights
}

// deviated and detectables have what was found before, by what it depends on; it takes up to 100 ms.
var deviated, detectables sync.Map
