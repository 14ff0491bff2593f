package rapl

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reading is a look at two clocks. CLOCK_BOOTTIME goes on while the machine is
// suspended and CLOCK_MONOTONIC does not (clock_gettime(2)), so the distance
// between them grows by the time asleep and by nothing else.
type reading struct {
	mono int64 // ns
	// The distance lies in [low, high]: the clocks cannot be read at one instant.
	low, high int64
}

// readClocks takes CLOCK_MONOTONIC before and after CLOCK_BOOTTIME.
func readClocks() (reading, error) {
	before, err := clock(unix.CLOCK_MONOTONIC)
	if err != nil {
		return reading{}, err
	}
	boot, err := clock(unix.CLOCK_BOOTTIME)
	if err != nil {
		return reading{}, err
	}
	after, err := clock(unix.CLOCK_MONOTONIC)
	if err != nil {
		return reading{}, err
	}
	return reading{mono: after, low: boot - after, high: boot - before}, nil
}

func clock(id int32) (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, fmt.Errorf("read clock %d: %w", id, err)
	}
	return ts.Nano(), nil
}

// suspended tells whether the machine slept between two looks. The two clocks
// are slewed together; a millisecond is beyond what they can differ otherwise.
func (r reading) suspended(later reading) bool { return later.low > r.high+1e6 }
