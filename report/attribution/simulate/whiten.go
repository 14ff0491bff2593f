package simulate

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// alone is the part of a column's variation that must not be explained by the
// other columns.
const alone = 1e-6

// corner is the first n rows and columns.
func corner(m *mat.SymDense, n int) []float64 {
	out := make([]float64, 0, n*n)
	for i := range n {
		for j := range n {
			out = append(out, m.At(i, j))
		}
	}
	return out
}

// hopeless is the relative standard deviation beyond which a term is not told
// apart.
const hopeless = 10

// covariance is the inverse of an information matrix. What it says nothing of is
// given a variance that is huge, by a trace of information on everything.
func covariance(information *mat.SymDense) func(i, j int) float64 {
	n := information.SymmetricDim()
	scale := make([]float64, n)
	for i := range scale {
		scale[i] = math.Sqrt(max(information.At(i, i), math.SmallestNonzeroFloat64))
	}
	scaled := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			scaled.SetSym(i, j, information.At(i, j)/scale[i]/scale[j])
		}
		scaled.SetSym(i, i, scaled.At(i, i)+1e-10)
	}
	var known mat.Cholesky
	var inverse mat.SymDense
	ok := known.Factorize(scaled) && known.InverseTo(&inverse) == nil
	return func(i, j int) float64 {
		if !ok {
			return math.Inf(1)
		}
		return inverse.At(i, j) / scale[i] / scale[j]
	}
}

// band is how many neighbours on each side an interval's error is correlated
// with.
const band = 2

// whiten is x' S^-1 x, where S is the covariance of the residuals; scale are
// their standard deviations.
func whiten(x [][]float64, residual, scale []float64) *mat.SymDense {
	rows, columns := len(x), len(x[0])
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

// deviations fits the variance of residuals by noise^2 + a + b x busy, a and b >= 0.
func deviations(residual, busy, noise []float64) []float64 {
	var n, all, sx, sy, sxx, sxy float64
	for k, r := range residual {
		v := r*r - noise[k]*noise[k]
		n++
		all += r * r
		sx += busy[k]
		sy += v
		sxx += busy[k] * busy[k]
		sxy += busy[k] * v
	}
	sy = max(0, sy)
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
		out[k] = math.Sqrt(max(noise[k]*noise[k]+max(0, a)+max(0, b)*busy[k], 1e-3*all/n, 1e-30))
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
