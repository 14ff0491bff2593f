package rapl

import "time"

// channel is what a meter reads for one domain.
type channel struct {
	counter
	read func() (uint64, error)
	// watts marks a channel that shows power in µW, to be integrated over time.
	watts      bool
	lastMicroW uint64
	integrated float64 // joules

	// steady tells that what it counts never ends: a processor package, memory.
	steady bool
	rest   rest
	failed failures
}

// take follows a value and reports whether that was possible. While the machine
// slept, the registers may have counted on or been reset: nothing tells.
func (c *channel) take(value uint64, dt float64, asleep bool) bool {
	if !c.watts {
		if asleep {
			c.started = false
		}
		return c.follow(value, dt) && !asleep
	}
	if c.started && !asleep {
		c.integrated += (float64(c.lastMicroW) + float64(value)) / 2 * 1e-6 * dt
	}
	c.moved = c.moved || value > 0
	c.lastMicroW, c.started = value, true
	return !asleep
}

func (c *channel) joules() float64 {
	if c.watts {
		return c.integrated
	}
	return c.counter.joules()
}

// rest is how long a counter did not grow.
type rest struct{ now, longest, total float64 } // seconds

// leastRest is a rest of a steady counter that is worth a note: those of
// hardware move every millisecond, and a reading may be late.
const leastRest = 0.5 // seconds

func (r *rest) add(seconds float64) {
	before := r.now
	r.now += seconds
	r.longest = max(r.longest, r.now)
	switch {
	case before >= leastRest:
		r.total += seconds
	case r.now >= leastRest:
		r.total += r.now
	}
}

// failures are readings that failed while others did not.
type failures struct {
	count  int
	err    error         // of this reading, if it failed
	last   error         // of the last one that did
	passed time.Duration // since the last that did not fail
	asleep bool          // the machine slept meanwhile
}
