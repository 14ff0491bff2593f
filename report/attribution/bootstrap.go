package attribution

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

const (
	replicates = 300
	// How far off, in part, a small correction for the errors of the columns may be;
	// one that moves more is less certain.
	correctionError = 0.2
	// Half a 95 % interval in standard errors.
	halfWidth = 1.96
)

// errors is the standard error of the joules of each term: that of the energies and
// of what ran, and that of the correction for errors of the columns.
func (id *identified) errors() []float64 {
	if id.known != nil {
		return id.known
	}
	sd := id.bootstrap()
	part := correctionError + id.correction()
	for j, plain := range id.uncorrected() {
		e := part * (plain - id.joules[j])
		sd[j] = math.Sqrt(sd[j]*sd[j] + e*e)
	}
	return sd
}

// uncorrected is the joules of the terms without the correction.
func (id *identified) uncorrected() []float64 {
	p := id.problem
	weight := id.meanWeight()
	q := mat.NewSymDense(p.n, nil)
	for i := range p.n {
		for j := i; j < p.n; j++ {
			q.SetSym(i, j, id.q.At(i, j)+weight*p.noise.At(i, j))
		}
	}
	x, _, ok := minimise(q, id.b(), p.energy, id.free)
	if !ok {
		return id.joules
	}
	return x
}

// bootstrap is the standard deviation of the joules of each term over recordings that
// are made of blocks of this one, drawn with replacement, each solved for the terms that
// are not held at 0 (Künsch 1989; Efron and Tibshirani 1993). A term at 0 has the error
// that it would have if it were not held there. The seed is fixed, so that the same
// recording gives the same interval.
func (id *identified) bootstrap() []float64 {
	n := id.problem.n
	sd := make([]float64, n)
	for j := range sd {
		sd[j] = math.Sqrt(id.cov.At(j, j))
	}
	draw := rand.New(rand.NewPCG(1, 2))
	q := mat.NewSymDense(n, nil)
	b, sums := make([]float64, n), make([]float64, n)
	sum, squares := make([]float64, n), make([]float64, n)
	solved := 0.0
	for range replicates {
		times := make([]float64, len(id.blocks))
		for range id.blocks {
			times[draw.IntN(len(id.blocks))]++
		}
		q.Zero()
		clear(b)
		clear(sums)
		energy := 0.0
		raw := q.RawSymmetric()
		for i, w := range times {
			if w == 0 {
				continue
			}
			bl := &id.blocks[i]
			energy += w * bl.energy
			for j := range n {
				b[j] += w * bl.b[j]
				sums[j] += w * bl.sums[j]
				for l := j; l < n; l++ {
					raw.Data[j*raw.Stride+l] += w * bl.a[j*n+l]
				}
			}
		}
		x, _, ok := constrained(q, b, sums, energy, id.free)
		if !ok {
			continue
		}
		solved++
		for j, v := range x {
			sum[j] += v
			squares[j] += v * v
		}
	}
	if solved < replicates/2 {
		return sd
	}
	scale := id.freedom(countTrue(id.free))
	for j := range sd {
		if !id.free[j] {
			continue
		}
		mean := sum[j] / solved
		sd[j] = math.Sqrt(max(0, squares[j]/solved-mean*mean) * scale)
	}
	return sd
}
