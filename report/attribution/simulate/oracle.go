package simulate

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Normal95 is how many standard deviations a 95 % interval reaches to each side.
const Normal95 = 1.959964

// Oracle is how far an estimator must err that knows what no profiler knows:
// exact run times, the lag, and the covariance of the errors. They are standard
// deviations in theory, nothing is estimated. Infinite is what it could not
// tell either.
type Oracle struct {
	Joules    []float64 // by function
	Baseline  float64   // W; 0 where it was given
	Active    float64   // W; 0 where there is none
	Intervals int
}

// Oracle is generalised least squares on one series. An interval's error is
// what its energy differs by from the true watts x the sampled CPU time, the
// samples taken around their instants and the readings moved back by the lag:
// so it has the noise of counter, stamp and unit, the chance of sampling, and
// watts that are not constant. Its variance is fitted as a + b x CPU time, and
// its correlation is that of neighbours up to two intervals away. The joules of
// a function are watts x sampled CPU time, so what sampling does to the CPU time
// is added: with a period p, a run of length L is sampled floor(L/p) or one
// more times, a variance of p^2 x f(1-f) where f is the fraction of L/p.
func (tr *Trace) Oracle(series int, staticGiven bool) Oracle {
	n := len(tr.Machine.Functions)
	truth := &tr.Truth.Series[series]
	readings := tr.Readings[series]
	edges := make([]int64, len(readings))
	for i, r := range readings {
		edges[i] = r.T - int64(tr.Instruments.Lag)
	}
	functions, active := tr.Ran(series, edges)
	sampled := tr.sampled(series, edges)

	pa := 0.0
	if truth.ActiveSeconds > 0 {
		pa = truth.Active / truth.ActiveSeconds
	}
	terms := make([]int, 0, n) // functions with any CPU time
	watts := make([]float64, n)
	for f, t := range truth.Functions {
		if t.Seconds > 0 {
			watts[f] = t.Joules / t.Seconds
			terms = append(terms, f)
		}
	}
	columns := len(terms)
	baseline, activity := -1, -1
	if !staticGiven {
		baseline = columns
		columns++
	}
	if pa > 0 {
		activity = columns
		columns++
	}
	rows := len(active)
	x := make([][]float64, rows)
	residual, busy := make([]float64, rows), make([]float64, rows)
	for k := range x {
		dt := float64(edges[k+1]-edges[k]) / 1e9
		x[k] = make([]float64, columns)
		residual[k] = readings[k+1].Joules - readings[k].Joules - truth.BaselineWatts*dt - pa*active[k]
		for i, f := range terms {
			x[k][i] = functions[k][f]
			residual[k] -= watts[f] * sampled[k][f]
			busy[k] += functions[k][f]
		}
		if baseline >= 0 {
			x[k][baseline] = dt
		}
		if activity >= 0 {
			x[k][activity] = active[k]
		}
	}
	information := whiten(x, residual, busy)
	o := Oracle{Joules: make([]float64, n), Intervals: rows}
	var known mat.Cholesky
	var covariance mat.SymDense
	ok := known.Factorize(information) && known.Cond() < 1e12
	if ok {
		ok = known.InverseTo(&covariance) == nil
	}
	sd := func(i int) float64 {
		if !ok {
			return math.Inf(1)
		}
		return math.Sqrt(covariance.At(i, i))
	}
	chance := tr.chance(series)
	for i, f := range terms {
		o.Joules[f] = math.Hypot(sd(i)*truth.Functions[f].Seconds, watts[f]*chance[f])
	}
	if baseline >= 0 {
		o.Baseline = sd(baseline)
	}
	if activity >= 0 {
		o.Active = sd(activity)
	}
	return o
}

// sampled is CPU time by function as the samples have it, each taken around its
// instant; of processes that are not sampled it is the exact one.
func (tr *Trace) sampled(series int, edges []int64) [][]float64 {
	out, _ := tr.Ran(series, edges)
	for k := range out {
		for f := range out[k] {
			if !tr.Machine.Functions[f].Other {
				out[k][f] = 0
			}
		}
	}
	cpus := tr.Series[series].CPUs
	first, last := int32(cpus[0]), int32(cpus[len(cpus)-1])
	k := 0
	for _, s := range tr.Stretches {
		if s.CPU < first || s.CPU > last || s.Key < 0 {
			continue
		}
		half := (s.End - s.Start) / 2
		from, to := s.Start+half, s.End+half
		for k > 0 && edges[k] > from {
			k--
		}
		k = split(edges, k, from, to, func(k int, seconds float64) { out[k][s.Key] += seconds })
	}
	return out
}

// chance is the standard deviation of the sampled CPU time of each function.
func (tr *Trace) chance(series int) []float64 {
	period := 1e9 / tr.Instruments.Hertz
	variance := make([]float64, len(tr.Machine.Functions))
	alternate := tr.Machine.alternates()
	from, to := tr.span()
	for _, cpu := range tr.Series[series].CPUs {
		for _, r := range tr.runs[cpu] {
			if tr.Machine.Functions[r.function].Other {
				continue
			}
			if n := min(r.to, to) - max(r.from, from); n > 0 {
				whole := float64(n) / period
				f := whole - math.Floor(whole)
				if a, ok := alternate[r.function]; ok { // every sample is a throw of dice
					variance[r.function] += whole*a.Part*(1-a.Part) + (1-a.Part)*(1-a.Part)*f*(1-f)
					variance[a.With] += whole*a.Part*(1-a.Part) + a.Part*a.Part*f*(1-f)
					continue
				}
				variance[r.function] += f * (1 - f)
			}
		}
	}
	for i, v := range variance {
		variance[i] = math.Sqrt(v) * period / 1e9
	}
	return variance
}

// band is how many neighbours on each side an interval's error is correlated
// with.
const band = 2

// whiten is x' S^-1 x, where S is the covariance of the residuals.
func whiten(x [][]float64, residual, busy []float64) *mat.SymDense {
	rows, columns := len(x), len(x[0])
	scale := deviations(residual, busy)
	var correlation [band + 1]float64
	for lag := range correlation {
		for k := lag; k < rows; k++ {
			correlation[lag] += residual[k] / scale[k] * residual[k-lag] / scale[k-lag]
		}
		correlation[lag] /= float64(rows)
	}
	l := factor(correlation, rows)
	z := mat.NewDense(rows, columns, nil)
	for k, row := range x {
		for c, v := range row {
			v /= scale[k]
			for lag := 1; lag <= min(band, k); lag++ {
				v -= l[k][lag] * z.At(k-lag, c)
			}
			z.Set(k, c, v/l[k][0])
		}
	}
	var information mat.SymDense
	information.SymOuterK(1, z.T())
	return &information
}

// deviations fits the variance of residuals by a + b x busy, a and b >= 0.
func deviations(residual, busy []float64) []float64 {
	var n, sx, sy, sxx, sxy float64
	for k, r := range residual {
		n++
		sx += busy[k]
		sy += r * r
		sxx += busy[k] * busy[k]
		sxy += busy[k] * r * r
	}
	a, b := sy/n, 0.0
	if d := n*sxx - sx*sx; d > 1e-12*n*sxx {
		b = (n*sxy - sx*sy) / d
		a = (sy - b*sx) / n
		switch {
		case b < 0:
			a, b = sy/n, 0
		case a < 0:
			a, b = 0, sxy/sxx
		}
	}
	out := make([]float64, len(residual))
	for k := range out {
		// An interval in which nothing ran is not free of error, at least a thousandth of the mean.
		out[k] = math.Sqrt(max(a+b*busy[k], 1e-3*sy/n, 1e-30))
	}
	return out
}

// factor is the Cholesky factor of the band matrix of a stationary correlation,
// by row: [0] the diagonal, [i] i to the left. Correlations that are none (they
// are estimates) are shrunk until they are.
func factor(correlation [band + 1]float64, rows int) [][band + 1]float64 {
	for {
		l, ok := tryFactor(correlation, rows)
		if ok {
			return l
		}
		for lag := 1; lag <= band; lag++ {
			correlation[lag] *= 0.95
		}
	}
}

func tryFactor(correlation [band + 1]float64, rows int) ([][band + 1]float64, bool) {
	l := make([][band + 1]float64, rows)
	for k := range l {
		for lag := min(band, k); lag >= 0; lag-- {
			v := correlation[lag]
			for i := lag + 1; i <= min(band, k); i++ {
				v -= l[k][i] * l[k-lag][i-lag]
			}
			if lag == 0 {
				if v < 0.02*correlation[0] {
					return nil, false
				}
				l[k][0] = math.Sqrt(v)
			} else {
				l[k][lag] = v / l[k-lag][0]
			}
		}
	}
	return l, true
}
