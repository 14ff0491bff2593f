package perfdata

import "math"

// maxShift is how far back in its run a record is inserted: a ring inverts
// neighbours, when an interrupt took its time after, and its place before, the
// record that it interrupted.
const maxShift = 32

// hold keeps records until they can be delivered in the order of their times.
// perf writes a ring at a time, so the file is a sequence of runs that are in
// order, one for each visit to a ring: they are merged. Records stay where they
// were read; an entry is 16 bytes.
type hold struct {
	pool    *pool
	entries []entry
	runs    []int  // index in entries of each run's first
	horizon uint64 // what is not younger has been delivered
	late    uint64
	max     int // bytes
	heap    []head
	next    []int // scratch of flush: the first undelivered entry of each run
}

type entry struct {
	time   uint64
	block  uint32
	offset uint32
}

const entryBytes = 16

// add keeps the record at an offset of a block.
func (h *hold) add(time uint64, block uint32, offset int) {
	if time < h.horizon {
		h.late++
	}
	h.pool.blocks[block].live++
	e := entry{time, block, uint32(offset)}
	i := len(h.entries)
	first := 0
	if n := len(h.runs); n > 0 {
		first = h.runs[n-1]
	} else {
		h.runs = append(h.runs, 0)
	}
	if i == first || h.entries[i-1].time <= time {
		h.entries = append(h.entries, e)
		return
	}
	stop := max(first, i-maxShift)
	at := i
	for at > stop && h.entries[at-1].time > time {
		at--
	}
	if at == stop && stop > first && h.entries[at-1].time > time {
		h.runs = append(h.runs, i)
		h.entries = append(h.entries, e)
		return
	}
	h.entries = append(h.entries, e)
	copy(h.entries[at+1:], h.entries[at:i])
	h.entries[at] = e
}

// bytes is the memory that records take.
func (h *hold) bytes() int { return h.pool.used + len(h.entries)*entryBytes }

// full reports whether relieve is due.
func (h *hold) full() bool { return h.bytes() >= h.max }

// flush delivers, in order, the records that are not younger than until. Of
// equal times that which came first goes first.
func (h *hold) flush(until uint64, deliver func(record []byte)) {
	h.merge(until, 0, deliver)
	h.horizon = max(h.horizon, until)
}

// relieve delivers the oldest records until half of the room is free, though
// older ones may still come, and returns the time of the last.
func (h *hold) relieve(deliver func(record []byte)) uint64 {
	last := h.merge(math.MaxUint64, h.max/2, deliver)
	h.horizon = max(h.horizon, last)
	return last
}

// head is the next record of a run.
type head struct {
	time uint64
	run  int
}

func (a head) before(b head) bool { return a.time < b.time || a.time == b.time && a.run < b.run }

func (h *hold) merge(until uint64, target int, deliver func([]byte)) (last uint64) {
	h.heap, h.next = h.heap[:0], h.next[:0]
	for run, first := range h.runs {
		h.next = append(h.next, first)
		if first < h.runEnd(run) && h.entries[first].time <= until {
			h.heap = append(h.heap, head{h.entries[first].time, run})
		}
	}
	for i := len(h.heap)/2 - 1; i >= 0; i-- {
		siftDown(h.heap, i)
	}
	for len(h.heap) > 0 && (target == 0 || h.bytes() > target) {
		top := h.heap[0]
		// Up to here the run goes on alone.
		rival := head{until, math.MaxInt}
		for _, other := range h.heap[1:min(3, len(h.heap))] {
			if other.before(rival) {
				rival = other
			}
		}
		at, end := h.next[top.run], h.runEnd(top.run)
		stop := end
		if target > 0 {
			stop = min(end, at+1024)
		}
		for at < stop && (head{h.entries[at].time, top.run}).before(rival) {
			e := h.entries[at]
			h.deliver(e, deliver)
			last = e.time
			at++
		}
		h.next[top.run] = at
		if at < end && h.entries[at].time <= until {
			h.heap[0].time = h.entries[at].time
		} else {
			n := len(h.heap) - 1
			h.heap[0] = h.heap[n]
			h.heap = h.heap[:n]
		}
		siftDown(h.heap, 0)
	}
	h.compact()
	return last
}

func (h *hold) deliver(e entry, deliver func([]byte)) {
	buf := h.pool.blocks[e.block].buf[e.offset:]
	_, size := head8(buf, false)
	deliver(buf[:size:size])
	h.pool.release(e.block)
}

func (h *hold) runEnd(run int) int {
	if run+1 < len(h.runs) {
		return h.runs[run+1]
	}
	return len(h.entries)
}

// compact removes what has been delivered, and joins runs that follow on each other.
func (h *hold) compact() {
	kept, runs := 0, 0
	for run := range h.runs {
		from, to := h.next[run], h.runEnd(run)
		if from == to {
			continue
		}
		if kept == 0 || h.entries[kept-1].time > h.entries[from].time {
			h.next[runs] = kept
			runs++
		}
		kept += copy(h.entries[kept:], h.entries[from:to])
	}
	h.entries = h.entries[:kept]
	h.runs = append(h.runs[:0], h.next[:runs]...)
	// The last run may have been delivered in part: what comes next may be older.
}

// siftDown moves heap[i] to where neither child comes before it.
func siftDown(heap []head, i int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && heap[child+1].before(heap[child]) {
			child++
		}
		if !heap[child].before(heap[i]) {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}
