package gate

import "math"

// logMean is the logarithmic mean of two positive numbers, (b-a)/ln(b/a).
func logMean(a, b float64) float64 {
	x := math.Log(b / a)
	if math.Abs(x) < 1e-9 {
		return math.Sqrt(a * b)
	}
	return (b - a) / x
}

// parts are what time and power contribute to a difference of energy. Of joules = seconds x watts the difference is
// L ln(s1/s0) + L ln(w1/w0) with the logarithmic mean L of the joules, without a rest that belongs to both (Törnqvist,
// Vartia and Vartia, The American Statistician 39, 1985).
func parts(energy, time Change) (timePart, powerPart float64) {
	timePart = logMean(energy.Old, energy.New) * math.Log(time.New/time.Old)
	return timePart, energy.New - energy.Old - timePart
}

// because names what moved, of the p-values of time and power, at an error of alpha for both together (Holm).
func because(time, power, alpha float64) string {
	if math.IsNaN(time + power) {
		return ""
	}
	t, p := time, power
	holm([]*float64{&t, &p})
	switch {
	case t <= alpha && p <= alpha:
		return "both"
	case t <= alpha:
		return "time"
	case p <= alpha:
		return "power"
	}
	return ""
}
