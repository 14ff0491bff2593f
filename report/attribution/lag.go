package attribution

import (
	"cmp"
	"math"
	"slices"
)

const (
	// The beginning of a recording shows the lag: so many slices, or as many as there
	// are in lagRows intervals where many CPUs run, up to a bound.
	lagSlices     = 50_000
	lagRows       = 200
	mostLagSlices = 4 * lagSlices
	// maxLag is beyond the lag of any counter that is known, ns. RAPL is updated
	// about every 1 ms (Intel SDM volume 3B, section 16.10).
	maxLag = 5_000_000
	// lagSteps is how many lags are tried.
	lagSteps = 12
)

// findLag finds by how many ns the counter is behind the CPU time, as it was
// given: the counter's own lag, and half a period, since what a sample saw is taken
// to have run before it, and ran around it. It is the lag with which what ran
// explains the energy best.
func (h *history) findLag() int64 {
	period := h.period()
	best := period / 2
	var s *seriesHistory
	for _, o := range h.series {
		if s == nil || o.energy() > s.energy() {
			s = o
		}
	}
	if len(h.slices) == 0 {
		return best
	}
	n := lagSlices
	if len(s.readings) > lagRows {
		in, _ := slices.BinarySearchFunc(h.slices, s.readings[lagRows].t, func(s slice, t int64) int { return cmp.Compare(s.start, t) })
		n = max(n, min(in, mostLagSlices))
	}
	part := h.slices[:min(n, len(h.slices))]
	until := part[len(part)-1].start
	step := (maxLag + period/2) / lagSteps
	try := func(lag int64) float64 {
		probe := newSeriesHistory(nil, s.cut.probe())
		probe.readings = slices.Clone(s.readings)
		probe.process(part, lag, until)
		return h.unexplained(probe)
	}
	atBest := try(best)
	if math.IsInf(atBest, 1) {
		return best
	}
	errors := make([]float64, lagSteps+1)
	least := 0
	for i := range errors {
		errors[i] = try(int64(i) * step)
		if errors[i] < errors[least] {
			least = i
		}
	}
	found := int64((float64(least) + vertex(errors, least)) * float64(step))
	if try(found) < atBest {
		return found
	}
	return best
}

// period is the usual length of a sample's slice, ns.
func (h *history) period() int64 {
	var sum, n int64
	for _, s := range h.slices {
		if s.key >= 0 && n < 1000 {
			sum += s.end - s.start
			n++
		}
	}
	return sum / max(n, 1)
}

// rate is what a busy ns weighs: 1, or the counts of an event that was put in the
// place of time. Samples of a clock weigh a little more or less than the time since the one
// before.
func (h *history) rate() float64 {
	var weight, length float64
	n := 0
	for _, s := range h.slices {
		if s.key >= 0 && s.end > s.start {
			weight += s.weight
			length += float64(s.end - s.start)
			if n++; n == 1000 {
				break
			}
		}
	}
	if r := weight / max(length, 1); r > 0 && (r < 0.8 || r > 1.25) {
		return r
	}
	return 1
}

// unexplained is the mean square of what a plain regression leaves of the energies.
func (h *history) unexplained(s *seriesHistory) float64 {
	const fewest = 50
	if len(s.rows.list) < fewest {
		return math.Inf(1)
	}
	// Whether there are columns of which one too many makes the equations singular
	// (the active package of one CPU, the static power of one that is always busy) is
	// tried out.
	var f *fit
	var ok bool
	for _, static := range [][2]bool{{true, true}, {true, false}, {false, false}} {
		if static[1] && h.functions.sampled != nil {
			continue
		}
		t := chooseTerms(h.functions, s.ran(), s.other(), s.lost(), len(s.rows.list), static[0], static[1])
		if f, ok = newProblem(&s.rows, model{terms: t}, &changes{}, 1).solve(); ok {
			break
		}
	}
	if !ok {
		return math.Inf(1)
	}
	p := f.problem
	var sum float64
	for k := range p.y {
		d := p.y[k] - f.predict(k)
		sum += d * d
	}
	return sum / float64(p.rows())
}

// energy is what the readings that are kept span, J.
func (s *seriesHistory) energy() float64 {
	if len(s.readings) == 0 {
		return 0
	}
	return s.readings[len(s.readings)-1].joules - s.readings[0].joules
}

// ran is the CPU time of the units, s.
func (s *seriesHistory) ran() []float64 {
	ran := make([]float64, s.cut.functions.units())
	for _, e := range s.rows.entries {
		ran[e.unit] += float64(e.ns) * 1e-9
	}
	return ran
}

// lost is the CPU time of KeyLost that is taken for no function's, s.
func (s *seriesHistory) lost() float64 {
	var sum float64
	for _, w := range s.rows.list {
		sum += w.lost * 1e-9
	}
	return sum
}

// other is the CPU time of others, s.
func (s *seriesHistory) other() float64 {
	var sum float64
	for _, w := range s.rows.list {
		sum += w.other * 1e-9
	}
	return sum
}
