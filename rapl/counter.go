package rapl

import "time"

// Plausible maxima of power in W, far above what exists (2026: 500 W sockets,
// 20 kW racks behind one meter). A difference beyond them is an error of
// the counter, such as a reset taken for a wrap.
const (
	maxPackageWatts  = 5e3
	maxPlatformWatts = 50e3
)

// lag is by how much the energy in a difference may belong to time outside of
// it. Counters update about every millisecond; meters on a bus more slowly.
const lag = 0.1 // seconds

// slowest is the longest time between two steps of a register that is made by
// software: a hypervisor's RAPL registers move once a second.
const slowest = 2.0 // seconds

// believable is the share of the plausible maximum that something draws for longer
// than an instant: 1 kW of a package, 10 kW of a platform.
const believable = 0.2

// counter follows one register that grows with energy and wraps.
type counter struct {
	unit     float64  // joules per count
	moduli   []uint64 // by how much a reading may be too small after a wrap; none: it never wraps
	maxWatts float64  // plausible power; 0: no bound is known
	step     float64  // joules the register moves by at once, if more than unit
	extended bool     // the kernel watches the register and undoes its wraps

	last    uint64
	started bool
	count   uint64 // counts since the start; exact, where float64 would round
	moved   bool
	still   float64 // seconds since it last moved

	// After a value that could not be followed: the one before it, and the
	// seconds since then. A register that reads wrong once comes back to it.
	doubt bool
	good  uint64
	since float64
}

// follow takes the register's value dt seconds after the one before and reports
// whether it could be followed. If not, the difference is left out, and the
// value is where the next difference begins.
func (c *counter) follow(value uint64, dt float64) bool {
	if !c.started {
		c.last, c.started, c.doubt = value, true, false
		return true
	}
	last := c.last
	c.last = value
	// A register that rested may be one that software moves: its step holds the
	// energy of the rest, too, at a power that lasts.
	rest := min(c.still, slowest)
	c.still += dt
	if value != last {
		c.still = 0
	}
	if c.doubt {
		c.since += dt
		if value >= c.good && c.plausible(value-c.good, c.since, rest) {
			last, dt = c.good, c.since
		}
	}
	delta, ok := value-last, c.plausible(value-last, dt, rest)
	if value < last {
		delta, ok = c.unwrap(last-value, dt)
	}
	if !ok {
		if !c.doubt {
			c.doubt, c.good, c.since = true, last, dt
		}
		return false
	}
	c.doubt = c.doubt && delta == 0 // standing still tells nothing
	c.count += delta
	c.moved = c.moved || delta > 0
	return true
}

// unwrap finds the growth behind a step back: the one modulus that makes it
// plausible in dt. Where several would, none is right. A rest is granted nothing:
// among the moduli is one of 16 kJ, which would explain many a register set to 0.
func (c *counter) unwrap(back uint64, dt float64) (delta uint64, ok bool) {
	for _, m := range c.moduli {
		if back > m || !c.plausible(m-back, dt, 0) {
			continue
		}
		if ok {
			return 0, false
		}
		delta, ok = m-back, true
	}
	return delta, ok
}

// plausible bounds the growth in dt seconds after a rest.
func (c *counter) plausible(delta uint64, dt, rest float64) bool {
	if c.maxWatts == 0 {
		return true
	}
	return float64(delta)*c.unit <= c.maxWatts*(dt+lag+believable*rest)+2*max(c.unit, c.step)
}

func (c *counter) joules() float64 { return float64(c.count) * c.unit }

// blind tells whether the register can wrap more than once in dt at a power
// that a busy package reaches. Nothing in a reading shows that.
func (c *counter) blind(dt time.Duration) bool {
	const busy = 500 // W
	if c.extended {
		return false
	}
	for _, m := range c.moduli {
		if dt.Seconds()*busy > float64(m)*c.unit {
			return true
		}
	}
	return false
}
