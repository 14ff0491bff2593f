package attribution

// Sampled says that weights are amounts of something that samples tell of: bytes that loads got from memory, say.
// Each sample stands for the amount since the one before, of which it saw one instance. Nothing then tells whether a CPU
// ran, so a regression has no package active and no company; and the errors of the weights are those of draws.
//
// Wherever this package says seconds of CPU time they are a billionth of the amounts, and watts of functions are joules for each
// of those: of bytes, GB and J/GB. Static power stays in watts.
//
// A sample that saw none of what is weighed is to be told as well, as a Busy of weight 0 for the key Rest: how
// rare the others are between such samples is what their errors are read from.
type Sampled struct {
	// What the weights are, for notes, where they speak of CPU time: "the traffic of sampled loads".
	What string
	// Rest is the key of what was counted in all and lacks what samples saw. Where it has any weight, that is wrong by as
	// much as those of all other keys together, the other way round. KeyOther where nobody counts.
	Rest Key
}

// draw notes a sample of something other than CPU time. unit is idle where it saw none of it.
func (c *changes) draw(s slice, unit int32) {
	if int(s.cpu) >= len(c.cpus) {
		c.cpus = grow(c.cpus, int(s.cpu)+1)
	}
	st := &c.cpus[s.cpu]
	c.periods += float64(s.end - s.start)
	c.samples++
	if s.weight > 0 {
		st.weight = s.weight
	}
	if st.known {
		c.next(st, unit, st.weight) // what saw none would have weighed as much
	} else {
		st.one, st.two, st.known = unit, unit, true
	}
}

// draw notes a slice of a history of samples. What a sample saw none of is the rest's where there is any rest.
func (h *history) draw(s slice) {
	f := h.functions
	switch rest := f.sampled.Rest; {
	case s.weight > 0 && s.key == rest:
		h.restUntil = max(h.restUntil, s.end)
	case s.weight > 0 && s.key < 0:
	case s.weight > 0:
		h.changes.draw(s, f.unit(f.of(s.key), s.cpu))
	case rest >= 0 && s.start < h.restUntil:
		h.changes.draw(s, f.unit(f.of(rest), s.cpu))
	default:
		h.changes.draw(s, idle)
	}
}
