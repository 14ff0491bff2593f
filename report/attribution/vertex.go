package attribution

import "math"

// vertex is how far, in steps, the vertex of the parabola through the least of the
// errors and its neighbours is from it: -0.5 to 0.5, and 0 where it has no two
// neighbours that are finite.
func vertex(errors []float64, least int) float64 {
	if least == 0 || least == len(errors)-1 {
		return 0
	}
	l, m, r := errors[least-1], errors[least], errors[least+1]
	curve := l - 2*m + r
	if !(curve > 0) || math.IsInf(curve, 1) {
		return 0
	}
	return max(-0.5, min(0.5, (l-r)/(2*curve)))
}
