// Package order puts the records of many rings into one time order with bounded memory.
//
// The kernel keeps one ring per CPU. Inside a ring records are nearly in time order (an
// interrupt can take its timestamp after, and its place before, the record it interrupted);
// across rings there is no order at all. A fork seen on one CPU must nevertheless be applied
// before the first sample of the child on another, so records are held back until nothing
// older can arrive any more.
//
// How long is that? The reader drains all rings in rounds:
//
//	            round n-1                        round n
//	time ---|=============|-------------------|=============|--->
//	        B(n-1)                            B(n)
//	ring 0   ^ head loaded                     ^ head loaded
//	ring 1            ^ head loaded                     ^ head loaded
//	                x                 record of ring 0 with a time in round n-1:
//	                                  missed by n-1, found by n
//
// After round n every ring has been read at least once after B(n), so the only records with a
// time before B(n-1) that could be missing are those that took longer than B(n) - B(n-1), a
// whole tick, from taking their timestamp to becoming visible in the ring. The kernel does both
// in one interrupt, within microseconds. B(n) itself would not be safe: a record can have taken its
// timestamp just before B(n) and become visible just after the head of its ring was loaded.
// So after round n the reader calls Flush(B(n-1)), and what remains held is one to two rounds.
//
// The bytes live in chunks that are reused as soon as all of their records are delivered; an
// index entry is 16 bytes; each stream is its own sorted list and Flush merges the lists.
// In the steady state nothing is allocated.
package order

import (
	"math"
	"slices"
)

// maxShift is how far back a record is inserted into its stream's sorted list one by one. Real
// rings invert neighbours only; a stream that is worse is sorted as a whole by the next Flush.
const maxShift = 32

// A Merge holds records until they can be delivered in time order. It is not safe for
// concurrent use.
type Merge struct {
	// Late counts the records that were added with a time before the horizon of a flush that
	// had already happened. They are delivered, out of order, by the next flush.
	Late uint64
	// Forced counts the records that Relieve delivered before their horizon had come.
	Forced uint64

	maxBytes int
	arena    arena
	streams  []stream
	entries  int
	horizon  uint64 // everything before it has been delivered
	heap     []head // scratch of a flush
}

// entry is the index of one held record.
type entry struct {
	time uint64
	at   place
	size uint32
}

const entryBytes = 16

// stream is the held part of one ring, sorted by time unless dirty.
type stream struct {
	held  []entry
	next  int // first entry that the flush under way has not delivered
	dirty bool
}

// New returns an empty Merge that reports Full when it holds maxBytes or more, index included. Values
// below one MiB are raised to it, because memory is taken in chunks of 256 KiB.
func New(maxBytes int) *Merge {
	return &Merge{maxBytes: max(maxBytes, 4*chunkBytes)}
}

// Add copies record, which carries the given time and was found in the given stream. Streams are
// numbered from 0 without large gaps. A record is at most 64 KiB, as a perf record's 16-bit size
// implies; a longer one panics. If Full reports true afterwards, call Relieve before adding more.
func (m *Merge) Add(streamIndex int, time uint64, record []byte) {
	for streamIndex >= len(m.streams) {
		m.streams = append(m.streams, stream{})
	}
	if time < m.horizon {
		m.Late++
	}
	at := m.arena.put(record)
	m.streams[streamIndex].add(entry{time: time, at: at, size: uint32(len(record))})
	m.entries++
}

func (s *stream) add(e entry) {
	s.held = append(s.held, e)
	i := len(s.held) - 1
	if s.dirty || i == 0 || s.held[i-1].time <= e.time {
		return
	}
	stop := max(0, i-maxShift)
	for i > stop && s.held[i-1].time > e.time {
		s.held[i] = s.held[i-1]
		i--
	}
	s.held[i] = e
	if i == stop && i > 0 && s.held[i-1].time > e.time {
		// Sorting later must still see equal times in order of arrival: e sits before its
		// larger predecessors only, so a stable sort keeps that.
		s.dirty = true
	}
}

// Bytes returns the memory that held records occupy now, in bytes: whole chunks plus the index.
func (m *Merge) Bytes() int { return m.arena.bytes() + m.entries*entryBytes }

// Full reports whether the limit is reached and Relieve is due.
func (m *Merge) Full() bool { return m.Bytes() >= m.maxBytes }

// Flush delivers every held record with a time before until, ordered by time, then stream, then arrival;
// until = math.MaxUint64 delivers everything. The record passed to f is valid, and 8-byte
// aligned, during that call only. f must not call back into m.
func (m *Merge) Flush(until uint64, f func(stream int, record []byte)) {
	m.flush(until, 0, f)
	m.horizon = max(m.horizon, until)
}

// Relieve delivers the oldest records, in order, until half of the limit is free again, whether or
// not older ones can still arrive. Those that then do are counted as Late.
func (m *Merge) Relieve(f func(stream int, record []byte)) {
	n, last := m.flush(math.MaxUint64, m.maxBytes/2, f)
	m.Forced += uint64(n)
	if n > 0 {
		m.horizon = max(m.horizon, last)
	}
}

// flush delivers in order while the next time is before until and more than target bytes are
// held. It returns the number of records delivered and the time of the last.
func (m *Merge) flush(until uint64, target int, f func(int, []byte)) (n int, last uint64) {
	m.heap = m.heap[:0]
	for i := range m.streams {
		s := &m.streams[i]
		if s.dirty {
			slices.SortStableFunc(s.held, compareTime)
			s.dirty = false
		}
		if len(s.held) > 0 && due(s.held[0].time, until) {
			m.heap = append(m.heap, head{s.held[0].time, i})
		}
	}
	heapify(m.heap)

	for len(m.heap) > 0 && m.Bytes() > target {
		top := m.heap[0].stream
		s := &m.streams[top]
		e := s.held[s.next]
		f(top, m.arena.get(e.at, e.size))
		m.arena.release(e.at)
		m.entries--
		n, last = n+1, e.time
		s.next++
		if s.next < len(s.held) && due(s.held[s.next].time, until) {
			m.heap[0].time = s.held[s.next].time
		} else {
			end := len(m.heap) - 1
			m.heap[0] = m.heap[end]
			m.heap = m.heap[:end]
		}
		siftDown(m.heap, 0)
	}
	for i := range m.streams {
		s := &m.streams[i]
		if s.next > 0 {
			s.held = s.held[:copy(s.held, s.held[s.next:])]
			s.next = 0
		}
	}
	return n, last
}

func due(time, until uint64) bool { return time < until || until == math.MaxUint64 }

func compareTime(a, b entry) int {
	switch {
	case a.time < b.time:
		return -1
	case a.time > b.time:
		return 1
	}
	return 0
}
