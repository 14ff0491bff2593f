package attribution

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// A combination of terms is told by the data if less than this part of its
// variation is error of sampling.
const maxUnreliable = 0.5

// leastTold returns the combination of terms that the data tell least, if they do
// not tell it; else nil, for columns of equal length. noisy says that it is errors
// of the columns that hide it, and not that the columns are alike.
func (f *fit) leastTold() (v []float64, noisy bool) {
	p := f.problem
	n := p.n
	// The equations without the correction, with columns of equal length.
	a, noise := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil)
	weight := f.meanWeight()
	for i := range n {
		for j := i; j < n; j++ {
			noise.SetSym(i, j, p.noise.At(i, j)*weight)
			a.SetSym(i, j, f.q.At(i, j)+noise.At(i, j))
		}
	}
	scale := make([]float64, n)
	for i := range n {
		scale[i] = 1 / math.Sqrt(max(a.At(i, i), math.SmallestNonzeroFloat64))
	}
	for i := range n {
		for j := i; j < n; j++ {
			a.SetSym(i, j, a.At(i, j)*scale[i]*scale[j])
			noise.SetSym(i, j, noise.At(i, j)*scale[i]*scale[j])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(a, true) {
		return nil, false
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil)
	const singular = 1e-9
	if values[0] < singular*values[n-1] {
		return mat.Col(nil, 0, &vectors), false
	}
	// noise against a: in the coordinates where a is the identity.
	white := mat.NewDense(n, n, nil)
	for j := range n {
		for i := range n {
			white.Set(i, j, vectors.At(i, j)/math.Sqrt(values[j]))
		}
	}
	var half, ratio mat.Dense
	half.Mul(noise, white)
	ratio.Mul(white.T(), &half)
	sym := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			sym.SetSym(i, j, ratio.At(i, j))
		}
	}
	if !eigen.Factorize(sym, true) {
		return nil, false
	}
	if eigen.Values(nil)[n-1] < maxUnreliable {
		return nil, false
	}
	eigen.VectorsTo(&vectors)
	var direction mat.Dense
	direction.Mul(white, vectors.ColView(n-1))
	return mat.Col(nil, 0, &direction), true
}
