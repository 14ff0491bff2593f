package rapl

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// channel is what a meter reads for one domain.
type channel struct {
	counter
	read func() (uint64, error)
	// watts marks a channel that shows power in µW, to be integrated over time.
	watts      bool
	lastMicroW uint64
	integrated float64 // joules
}

// meter is a source whose domains are registers or files read one by one.
type meter struct {
	info     Info
	channels []channel // one for each domain
	counters []Counter // of a source on perf events
	closers  []func() error
	clocks   func() (reading, error)

	values  []uint64 // by domain, of the reading that is being taken
	last    reading
	started bool
	lost    []lostInterval // by domain
	span    int64          // ns read over
	blind   time.Duration  // the longest stretch in which a second wrap would go unseen
}

// lostInterval counts what a domain could not follow.
type lostInterval struct {
	suspended, broken int
	seconds           float64
}

// begin takes the first reading, from which the joules are counted.
func (m *meter) begin() error {
	if m.clocks == nil {
		m.clocks = readClocks
	}
	m.values = make([]uint64, len(m.channels))
	m.lost = make([]lostInterval, len(m.channels))
	_, err := m.Read(make([]float64, len(m.channels)))
	if err != nil {
		return errors.Join(err, m.Close())
	}
	return nil
}

// Read reads all channels once. If one of them fails, none has moved.
func (m *meter) Read(joules []float64) (Moment, error) {
	if len(joules) != len(m.channels) {
		return Moment{}, fmt.Errorf("energy source %s: room for %d domains, not %d", m.info.Name, len(joules), len(m.channels))
	}
	before, err := m.clocks()
	if err != nil {
		return Moment{}, err
	}
	for i := range m.channels {
		if m.values[i], err = m.channels[i].read(); err != nil {
			return Moment{}, fmt.Errorf("energy source %s: %s: %w", m.info.Name, m.info.Domains[i], err)
		}
	}
	after, err := m.clocks()
	if err != nil {
		return Moment{}, err
	}
	moment := Moment{Before: before.mono, After: after.mono}
	asleep := m.started && m.last.suspended(after)
	var passed time.Duration // since the reading before, at most: both took their time
	if m.started {
		passed = time.Duration(after.mono - m.last.mono)
	}
	for i := range m.channels {
		if !m.channels[i].take(m.values[i], passed.Seconds(), asleep) {
			moment.Dropped++
			m.lost[i].add(asleep, passed)
		}
		if m.channels[i].blind(passed) && !asleep {
			m.blind = max(m.blind, passed)
		}
		joules[i] = m.channels[i].joules()
	}
	m.span += int64(passed)
	m.last, m.started = before, true
	return moment, nil
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

func (l *lostInterval) add(asleep bool, dt time.Duration) {
	if asleep {
		l.suspended++
	} else {
		l.broken++
	}
	l.seconds += dt.Seconds()
}

// Counters lists the perf events behind the domains that are worth a stamp in
// samples: none if the source is not on perf events.
func (m *meter) Counters() []Counter { return slices.Clone(m.counters) }

// Info adds to what was known at Open what the readings have shown since.
func (m *meter) Info() Info {
	info := m.info
	info.Domains = slices.Clone(info.Domains)
	info.Notes = slices.Clone(info.Notes)
	for i, l := range m.lost {
		if l.suspended+l.broken == 0 {
			continue
		}
		info.Notes = append(info.Notes, fmt.Sprintf(
			"%s: %d intervals of %.3f s in all are left out: %d across a suspend, in %d the counter went back or leapt beyond reason",
			info.Domains[i], l.suspended+l.broken, l.seconds, l.suspended, l.broken))
	}
	const patience = int64(time.Second)
	for i := range m.channels {
		if !m.channels[i].moved && m.span >= patience {
			info.Notes = append(info.Notes, fmt.Sprintf("%s: the counter has not moved in %.1f s", info.Domains[i], float64(m.span)/1e9))
		}
	}
	if m.blind > 0 {
		info.Notes = append(info.Notes, fmt.Sprintf("readings were up to %.0f s apart: a counter may have wrapped twice between two of them", m.blind.Seconds()))
	}
	return info
}

// Close releases what the source holds.
func (m *meter) Close() error {
	var errs []error
	for _, c := range m.closers {
		errs = append(errs, c())
	}
	m.closers = nil
	return errors.Join(errs...)
}
