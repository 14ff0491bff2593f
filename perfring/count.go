package perfring

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// ErrEventError is the answer to reading a pinned event that the kernel could
// not keep on the PMU: it counts nothing any more.
var ErrEventError = errors.New("perf event is in error state")

// Count is one reading of a counter. What the event's ReadFormat does not ask
// for is zero.
type Count struct {
	Value   uint64
	Enabled uint64 // ns since the event was enabled
	Running uint64 // ns of those in which it counted
	ID      uint64
	Lost    uint64 // samples that found no room in the ring
}

// Scaled estimates what the counter would have counted had it run all the
// time that it was enabled. It needs ReadTotalTimeEnabled and
// ReadTotalTimeRunning; ok is false if the counter never ran, which is no
// count of zero.
func (c Count) Scaled() (value float64, ok bool) {
	if c.Running == 0 {
		return 0, false
	}
	if c.Running >= c.Enabled {
		return float64(c.Value), true
	}
	return float64(c.Value) * (float64(c.Enabled) / float64(c.Running)), true
}

// ReadCount reads the counter of an event without ReadGroup.
func (e *Event) ReadCount() (Count, error) {
	f := e.Attr.ReadFormat
	if f&ReadGroup != 0 {
		return Count{}, fmt.Errorf("read perf event %d: its format is a group's", e.ID)
	}
	var buf [5 * 8]byte
	n, err := e.read(buf[:])
	if err != nil {
		return Count{}, err
	}
	c := cursor{b: buf[:n]}
	count := Count{Value: c.u64()}
	count.Enabled, count.Running = c.times(f)
	v := c.member(f)
	count.ID, count.Lost = v.ID, v.Lost
	if c.reason != nil || len(c.b) != 0 {
		return Count{}, fmt.Errorf("read perf event %d: %d bytes do not match read format %#x", e.ID, n, uint64(f))
	}
	return count, nil
}

// ReadGroupCount appends the counters of all members of the group to dst, the
// leader's first. The event's format must have ReadGroup. The times are the
// group's and the same in every member.
func (e *Event) ReadGroupCount(dst []Count) ([]Count, error) {
	f := e.Attr.ReadFormat
	if f&ReadGroup == 0 {
		return dst, fmt.Errorf("read perf event %d: its format is not a group's", e.ID)
	}
	var few [64 * 8]byte
	buf := few[:]
	n, err := e.read(buf)
	for errors.Is(err, unix.ENOSPC) && len(buf) < math.MaxUint16 {
		buf = make([]byte, 4*len(buf))
		n, err = e.read(buf)
	}
	if err != nil {
		return dst, err
	}
	c := cursor{b: buf[:n]}
	members := c.u64()
	enabled, running := c.times(f)
	counts := dst
	for ; members > 0 && c.reason == nil; members-- {
		value := c.u64()
		v := c.member(f)
		counts = append(counts, Count{Value: value, Enabled: enabled, Running: running, ID: v.ID, Lost: v.Lost})
	}
	if c.reason != nil || len(c.b) != 0 {
		return dst, fmt.Errorf("read perf event %d: %d bytes do not match read format %#x", e.ID, n, uint64(f))
	}
	return counts, nil
}

func (e *Event) read(b []byte) (int, error) {
	for {
		n, err := unix.Read(e.fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, fmt.Errorf("read perf event %d: %w", e.ID, err)
		case n == 0:
			return 0, fmt.Errorf("read perf event %d: %w", e.ID, ErrEventError)
		}
		return n, nil
	}
}
