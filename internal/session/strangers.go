package session

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// Where the fields of a sample are that are mended here: all events of a recording have IDENTIFIER, IP, TID and
// TIME, in this order behind the header.
const (
	sampleIDAt   = 8
	sampleTIDAt  = 28
	sampleTimeAt = 32
)

// sharesSamples tells whether what e counts can also be counted, at the same moment, by the event of somebody else:
// of page faults, migrations and the like the kernel prepares a sample once, for all events of the CPU that count them
// (do_perf_sw_event in kernel/events/core.c). Since sample_flags, Linux 6.1, it skips what it has prepared already
// (perf_prepare_sample), and so a sample in our ring can have the id, and the time, of another profiler's event.
func sharesSamples(e Event) bool {
	if e.Type != unix.PERF_TYPE_SOFTWARE {
		return false
	}
	switch e.Config {
	case unix.PERF_COUNT_SW_CPU_CLOCK, unix.PERF_COUNT_SW_TASK_CLOCK, unix.PERF_COUNT_SW_DUMMY, unix.PERF_COUNT_SW_BPF_OUTPUT:
		return false
	}
	return true
}

// reclaim returns a sample as it would be if no other profiler had been there. One with an id that nobody knows is
// of the event that can have been mistaken, if there is only one; of its time it is known that it is not before that
// of the record before it. Any other record is returned as it is.
func (r *recording) reclaim(c *cpuRing, record []byte) []byte {
	if !r.shares || len(record) < sampleTimeAt+8 || kindOf(record) != perfring.RecordSample {
		return record
	}
	id := binary.NativeEndian.Uint64(record[sampleIDAt:])
	if _, ours := r.byID[id]; ours || r.stampID[id] {
		return record
	}
	var owner *openEvent
	tid := int(binary.NativeEndian.Uint32(record[sampleTIDAt:]))
	for i := range r.events {
		e := &r.events[i]
		if e.CPU != c.cpu || e.index < 0 || !sharesSamples(r.opt.Events[e.index]) {
			continue
		}
		if owner != nil && owner.index != e.index {
			return record
		}
		if owner == nil || e.PID == tid {
			owner = e
		}
	}
	if owner == nil {
		return record
	}
	r.reclaimed = append(r.reclaimed[:0], record...)
	binary.NativeEndian.PutUint64(r.reclaimed[sampleIDAt:], owner.ID)
	at := binary.NativeEndian.Uint64(r.reclaimed[sampleTimeAt:])
	if at < c.last || at > uint64(monotonic()) {
		binary.NativeEndian.PutUint64(r.reclaimed[sampleTimeAt:], max(c.last, uint64(r.result.Start)))
	}
	return r.reclaimed
}
