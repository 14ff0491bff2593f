package perfring

import (
	"math"
	"time"
)

// EventBooks is what became of one sampled event, over all CPUs and threads that
// it was opened on: what its samples stand for, beside what the kernel counted.
type EventBooks struct {
	Name        string
	Samples     uint64 // that were delivered
	Represented uint64 // sum of their periods, in counts of the event

	// Counted, Enabled and Running are the kernel's own reading at the end, of
	// inherited copies too. HasCount tells that there is one of every copy.
	HasCount bool
	Counted  uint64
	// Enabled is how long the target ran where the event was to count, Running how
	// long it counted: less if it took turns with others on the hardware.
	Enabled, Running time.Duration

	// Lost is how many of the event's records found no room in the ring
	// (PERF_FORMAT_LOST), nearly all of them samples. HasLost tells that the
	// kernel counts it for each event, as it does since Linux 6.0; Lost records
	// themselves name no event.
	HasLost bool
	Lost    uint64

	LostSamples            uint64 // samples that the hardware dropped, as LostSamples records say
	Throttles, Unthrottles uint64
}

// Count adds a record of the event; what names no event is passed over.
func (b *EventBooks) Count(rec Record) {
	switch r := rec.(type) {
	case *Sample:
		b.Samples++
		if b.Represented += r.Period; b.Represented < r.Period {
			b.Represented = math.MaxUint64 // a damaged file has periods of any size
		}
	case *LostSamples:
		b.LostSamples += r.Lost
	case *Throttle:
		b.Throttles++
	case *Unthrottle:
		b.Unthrottles++
	}
}
