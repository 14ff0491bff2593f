package attribution

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// minimise finds x >= 0 with sum(x) = total that minimises x'Qx/2 - b'x, by the
// primal active-set method for convex quadratic programs (Nocedal and Wright,
// Numerical Optimization, 2006, section 16.5). Q must be positive definite. free
// tells which x are not held at 0; the search starts from it, or from all if
// it is nil. ok is false when Q is not positive definite on the free variables.
func minimise(q *mat.SymDense, b []float64, total float64, free []bool) (x []float64, ended []bool, ok bool) {
	n := len(b)
	if free == nil {
		free = make([]bool, n)
		for i := range free {
			free[i] = true
		}
	} else {
		free = append([]bool(nil), free...)
	}
	x = make([]float64, n)
	ones := make([]float64, n)
	count := countTrue(free)
	scale := 0.0
	for i := range x {
		ones[i] = 1
		scale = max(scale, math.Abs(b[i]))
		if free[i] {
			x[i] = total / float64(count)
		}
	}
	// Each round frees or holds one variable; cycling is not possible but for
	// rounding, which the limit ends at a feasible point.
	for range 10*n + 10 {
		target, nu, ok := constrained(q, b, ones, total, free)
		if !ok {
			return nil, nil, false
		}
		step, blocking := 1.0, -1
		for i := range x {
			if free[i] && target[i] < 0 {
				if s := x[i] / (x[i] - target[i]); s < step || blocking < 0 {
					step, blocking = min(s, 1), i
				}
			}
		}
		for i := range x {
			if free[i] {
				x[i] = max(0, x[i]+step*(target[i]-x[i]))
			}
		}
		if blocking >= 0 {
			free[blocking], x[blocking] = false, 0
			continue
		}
		// Which held variable would lower the objective?
		worst, gain := -1, 1e-9*scale
		for i := range x {
			if free[i] {
				continue
			}
			g := nu - b[i]
			for j := range x {
				g += q.At(i, j) * x[j]
			}
			if -g > gain {
				worst, gain = i, -g
			}
		}
		if worst < 0 {
			return x, free, true
		}
		free[worst] = true
	}
	return x, free, true
}

// constrained solves Qx + nu*sums = b with sums'x = total over the free variables;
// the others are 0.
func constrained(q *mat.SymDense, b, sums []float64, total float64, free []bool) (x []float64, nu float64, ok bool) {
	var index []int
	for i, f := range free {
		if f {
			index = append(index, i)
		}
	}
	x = make([]float64, len(b))
	if len(index) == 0 {
		return x, 0, true
	}
	sub := mat.NewSymDense(len(index), nil)
	rhs := mat.NewDense(len(index), 2, nil)
	for i, gi := range index {
		for j := i; j < len(index); j++ {
			sub.SetSym(i, j, q.At(gi, index[j]))
		}
		rhs.Set(i, 0, b[gi])
		rhs.Set(i, 1, sums[gi])
	}
	var chol mat.Cholesky
	var sol mat.Dense
	if !chol.Factorize(sub) || chol.SolveTo(&sol, rhs) != nil { // singular to working precision
		return nil, 0, false
	}
	var u, z float64
	for i, gi := range index {
		u += sums[gi] * sol.At(i, 0)
		z += sums[gi] * sol.At(i, 1)
	}
	nu = (u - total) / z
	for i, gi := range index {
		x[gi] = sol.At(i, 0) - nu*sol.At(i, 1)
	}
	return x, nu, true
}

func countTrue(b []bool) int {
	n := 0
	for _, v := range b {
		if v {
			n++
		}
	}
	return n
}
