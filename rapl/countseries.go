package rapl

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// countSeries is the counters that are summed to one domain.
type countSeries struct {
	name     string // for messages
	counters []*perfring.Event
	last     []perfring.Count // by counter
	clocks   []readClock      // by counter
	ran      []int64          // by counter: when it was last seen to be on, in ns
	counted  uint64           // since the first reading, by the time that the last one was done
	later    uint64           // of these, what came after that had begun
	failed   int              // readings
	why      error            // of the last of them
}

// standsStill is how long a counter that is on can look as if it were not: the clock that the kernel takes
// its time from may be one of jiffies.
const standsStill = 50 * time.Millisecond

// read sums up its counters, at a time in ns; dropped says that one of them could not be followed. A series of which one
// counter cannot be read does not move: what it counts meanwhile comes with its next reading.
func (s *countSeries) read(now int64) (dropped bool, err error) {
	values, done := make([]perfring.Count, len(s.counters)), make([]int64, len(s.counters))
	for i, counter := range s.counters {
		values[i], err = counter.ReadCount()
		if errors.Is(err, perfring.ErrEventError) {
			return false, fmt.Errorf("its PMU has no counter to spare on CPU %d: %w", counter.CPU, err)
		}
		if err != nil {
			return false, fmt.Errorf("on CPU %d: %w", counter.CPU, err)
		}
		if done[i], err = clock(unix.CLOCK_MONOTONIC); err != nil {
			return false, err
		}
	}
	dropped = s.take(now, values, done)
	for i, ran := range s.ran {
		if now-ran > standsStill.Nanoseconds() && s.reopen(i) {
			dropped, s.ran[i] = true, now
		}
	}
	return dropped, nil
}

// take adds up a reading that began at a time in ns; done is when each counter had been read.
func (s *countSeries) take(began int64, values []perfring.Count, done []int64) (dropped bool) {
	if s.last == nil {
		s.last, s.clocks, s.ran = make([]perfring.Count, len(values)), make([]readClock, len(values)), make([]int64, len(values))
		for i, v := range values {
			s.last[i], s.ran[i] = v, began
			s.clocks[i].at(v.Enabled, began, done[i])
		}
		return false
	}
	s.later = 0
	for i, v := range values {
		before := s.last[i]
		s.last[i] = v
		if v.Enabled != before.Enabled {
			s.ran[i] = began
		}
		if v.Value < before.Value {
			dropped = true
			continue
		}
		n := v.Value - before.Value
		s.counted += n
		if at := s.clocks[i].at(v.Enabled, began, done[i]); v.Enabled > before.Enabled {
			s.later += uint64(min(1, float64(at-began)/float64(v.Enabled-before.Enabled)) * float64(n))
		}
	}
	return dropped
}

// readClock tells when a counter was read. With the count the kernel gives the time for which the event has been
// enabled, of that very moment. It differs from CLOCK_MONOTONIC by a constant, but for what the two clocks drift
// apart, and each reading bounds it: it was not before the reader began, nor after it was done.
type readClock struct {
	ahead int64 // of CLOCK_MONOTONIC, ns
	known bool
}

// at gives the CLOCK_MONOTONIC time of a count, all in ns.
func (c *readClock) at(enabled uint64, began, done int64) int64 {
	own := int64(enabled)
	if !c.known {
		c.ahead, c.known = own-began, true
	}
	c.ahead = max(own-done, min(own-began, c.ahead))
	return own - c.ahead
}

// reopen replaces a counter that has ended, unless its CPU is still offline.
func (s *countSeries) reopen(i int) bool {
	old := s.counters[i]
	counter, err := perfring.Open(&old.Attr, -1, old.CPU, nil)
	if err != nil {
		return false
	}
	old.Close()
	s.counters[i], s.last[i], s.clocks[i] = counter, perfring.Count{}, readClock{}
	return true
}
