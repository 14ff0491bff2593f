package attribution

import (
	"math"
	"math/rand/v2"
	"slices"

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
	n := id.problem.n
	sd := make([]float64, n)
	for j := range sd {
		sd[j] = math.Sqrt(id.cov.At(j, j)) // of a term at 0: as if it were not held there
	}
	if w := id.wide; w != nil {
		copy(sd, w.bootstrap(append(slices.Clone(sd), make([]float64, w.problem.n-n)...)))
	} else {
		id.bootstrap(sd)
	}
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

// bootstrap replaces the standard errors of the terms that are not held at 0: by the
// standard deviation over recordings that are made of blocks of this one, drawn with
// replacement, each solved for these terms (Künsch 1989; Efron and Tibshirani 1993). The
// seed is fixed, so that the same recording gives the same interval. The sd of a term that
// most of them do not determine stays.
func (f *fit) bootstrap(sd []float64) []float64 {
	n := f.problem.n
	draw := rand.New(rand.NewPCG(1, 2))
	q := mat.NewSymDense(n, nil)
	b, sums := make([]float64, n), make([]float64, n)
	sum, squares, solved := make([]float64, n), make([]float64, n), make([]float64, n)
	free := make([]bool, n)
	for range replicates {
		times := make([]float64, len(f.blocks))
		for range f.blocks {
			times[draw.IntN(len(f.blocks))]++
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
			bl := &f.blocks[i]
			energy += w * bl.energy
			for j := range n {
				b[j] += w * bl.b[j]
				sums[j] += w * bl.sums[j]
				for l := j; l < n; l++ {
					raw.Data[j*raw.Stride+l] += w * bl.a[j*n+l]
				}
			}
		}
		for j, ok := range f.free {
			free[j] = ok && q.At(j, j) > 0 // it may run in none of these blocks
		}
		x, _, ok := constrained(q, b, sums, energy, free)
		if !ok {
			continue
		}
		for j, v := range x {
			if free[j] {
				solved[j]++
				sum[j] += v
				squares[j] += v * v
			}
		}
	}
	scale := f.freedom(countTrue(f.free))
	for j := range sd {
		if solved[j] < replicates/2 {
			continue
		}
		mean := sum[j] / solved[j]
		sd[j] = math.Sqrt(max(0, squares[j]/solved[j]-mean*mean) * scale)
	}
	return sd
}
