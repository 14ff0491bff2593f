package attribution

import "math"

// findCompany looks for the company that explains the energies best, beginning from
// none. Both numbers stay 0 where they do not predict one half of the recording from the
// other better than without.
func (id *identified) findCompany(r *rows, c *changes, cpus int, threads bool) (company, bool) {
	if cpus < 2 || id.correction() > maxCorrection {
		return company{}, false
	}
	plain, ok := newProblem(r, id.model, c, id.pool).crossValidate(id.model.watts)
	if !ok {
		return company{}, false
	}
	m := id.model
	if threads {
		m.company.shared = id.search(r, c, m, func(m *model, v float64) { m.company.shared = v })
	}
	m.company.crowd = id.search(r, c, m, func(m *model, v float64) { m.company.crowd = v })
	if threads && m.company.crowd != 0 { // once more, knowing the other
		m.company.shared = id.search(r, c, m, func(m *model, v float64) { m.company.shared = v })
	}
	better, ok := newProblem(r, m, c, id.pool).crossValidate(id.model.watts)
	return m.company, ok && better.beats(plain) && better.error() < leastGain*plain.error()
}

const (
	// Where the correction for errors of the columns moves more than this part of the
	// functions' joules, company only makes up for what is left of those errors.
	maxCorrection = 0.05
	// Company has to make the predictions so much better at least, in part.
	leastGain = 0.985
)

// correction is the part of the functions' joules that the correction moves, all of
// them at most: where functions draw nothing, rounding alone would be any multiple.
func (id *identified) correction() float64 {
	var moved, all float64
	for j, plain := range id.uncorrected() {
		if j != id.model.terms.base && j != id.model.terms.active {
			moved += math.Abs(plain - id.joules[j])
			all += id.joules[j]
		}
	}
	return min(1, moved/max(all, math.SmallestNonzeroFloat64))
}

// search tries values from -0.7 to 0.7 and returns the vertex of the parabola through the
// best of them and its neighbours.
func (id *identified) search(r *rows, c *changes, m model, set func(*model, float64)) float64 {
	const steps, step = 7, 0.1
	errors := make([]float64, 2*steps+1)
	best := 0
	for i := range errors {
		set(&m, float64(i-steps)*step)
		errors[i] = math.Inf(1)
		if f, ok := newProblem(r, m, c, id.pool).solve(); ok {
			errors[i] = 0
			for k, y := range f.problem.y {
				d := y - f.predict(k)
				errors[i] += f.problem.trust[k] * d * d
			}
		}
		if errors[i] < errors[best] {
			best = i
		}
	}
	return (float64(best-steps) + vertex(errors, best)) * step
}
