package attribution

// interval is what a method is given: the energy between two successive
// readings of a series and the CPU time of every key in between.
type interval struct {
	ns     float64 // length
	joules float64
	ran    *tally // valid during the call
}

// hand shares out one interval.
func (t *track) hand(m Method, iv interval) {
	t.busy += iv.ran.total
	switch m {
	case Auto, Regression, Proportional: // where a regression finds nothing, proportional is what there is
		t.proportional(iv)
	case Share:
		t.share(iv)
	}
}

// proportional: the baseline first, as far as the energy goes, then the rest by
// CPU time. Energy of an interval in which nothing ran is idle energy, and that
// is baseline.
func (t *track) proportional(iv interval) {
	base := min(t.watts*iv.ns/1e9, iv.joules)
	if iv.ran.total == 0 {
		base = iv.joules
	}
	t.baseline += base
	t.credit(iv.ran, iv.joules-base, iv.ran.total)
}

// share: by CPU time over the CPU time there was, on all CPUs; the rest is idle.
// Weights beyond what the CPUs have (a sample's weight reaches a little beyond
// its interval) are scaled down to it.
func (t *track) share(iv interval) {
	capacity := float64(len(t.CPUs)) * iv.ns
	if iv.ran.total >= capacity {
		t.credit(iv.ran, iv.joules, iv.ran.total)
		return
	}
	t.credit(iv.ran, iv.joules, capacity)
	t.idle += iv.joules * (1 - iv.ran.total/capacity)
}

// credit gives every key joules x its weight / of.
func (t *track) credit(ran *tally, joules, of float64) {
	if len(t.byKey) < len(ran.weight) {
		t.byKey = grow(t.byKey, len(ran.weight))
	}
	for _, slot := range ran.keys {
		t.byKey[slot] += joules * (ran.weight[slot] / of)
	}
}
