package rapl

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

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

// Read reads all channels once. One that fails does not move, and what it counts
// meanwhile comes with its next reading; if all fail, that is an error.
func (m *meter) Read(joules []float64) (Moment, error) {
	if len(joules) != len(m.channels) {
		return Moment{}, fmt.Errorf("energy source %s: room for %d domains, not %d", m.info.Name, len(joules), len(m.channels))
	}
	before, err := m.clocks()
	if err != nil {
		return Moment{}, err
	}
	if err := m.readAll(); err != nil {
		return Moment{}, err
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
		m.advance(i, passed, asleep, &moment)
		joules[i] = m.channels[i].joules()
	}
	m.span += int64(passed)
	m.last, m.started = before, true
	return moment, nil
}

// readAll reads the registers into values. At first each of them must be
// readable: a domain is counted from there.
func (m *meter) readAll() error {
	var first error
	failed := 0
	for i := range m.channels {
		c := &m.channels[i]
		value, err := c.read()
		m.values[i], c.failed.err = value, err
		if err == nil {
			continue
		}
		failed++
		if first == nil {
			first = fmt.Errorf("energy source %s: %s: %w", m.info.Name, m.info.Domains[i], err)
		}
	}
	if failed == len(m.channels) || !m.started {
		return first
	}
	return nil
}

// advance takes the value that was read of a channel.
func (m *meter) advance(i int, passed time.Duration, asleep bool, moment *Moment) {
	c := &m.channels[i]
	if f := &c.failed; f.err != nil {
		f.count, f.last = f.count+1, f.err
		f.passed, f.asleep = f.passed+passed, f.asleep || asleep
		if moment.Failed == nil {
			moment.Failed = make([]error, len(m.channels))
		}
		moment.Failed[i] = f.err
		return
	}
	passed, asleep = passed+c.failed.passed, asleep || c.failed.asleep
	c.failed.passed, c.failed.asleep = 0, false
	before := c.joules()
	switch {
	case !c.take(m.values[i], passed.Seconds(), asleep):
		moment.Dropped++
		m.lost[i].add(asleep, passed)
		c.rest.now = 0
	case c.joules() == before:
		c.rest.add(passed.Seconds())
	default:
		c.rest.now = 0
	}
	if c.blind(passed) && !asleep {
		m.blind = max(m.blind, passed)
	}
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
	for i := range m.channels {
		c := &m.channels[i]
		if c.steady && c.moved && c.rest.longest >= leastRest {
			info.Notes = append(info.Notes, fmt.Sprintf(
				"%s: the counter stood still for up to %.1f s, %.1f s in all: what was used meanwhile came later, or never",
				info.Domains[i], c.rest.longest, c.rest.total))
		}
		if c.failed.count > 0 {
			info.Notes = append(info.Notes, fmt.Sprintf(
				"%s: %d readings of the counter failed (%v): what was used meanwhile is in the one after, if any followed",
				info.Domains[i], c.failed.count, c.failed.last))
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
