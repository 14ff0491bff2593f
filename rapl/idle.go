package rapl

import (
	"fmt"
	"os"
	"time"
)

// Idle is what a machine uses while nothing is asked of it.
type Idle struct {
	Watts []float64 // by domain of the source
	// Busy is the share of all CPUs' time that was busy all the same: the watts
	// include what that took.
	Busy float64
}

// MeasureIdle watches src for the given time. The caller sees to it that the
// machine has nothing to do, or judges Idle.Busy.
func MeasureIdle(m Machine, src Source, over time.Duration) (Idle, error) {
	names := src.Info().Domains
	domains := len(names)
	from, to := make([]float64, domains), make([]float64, domains)
	begin, err := src.Read(from)
	if err != nil {
		return Idle{}, err
	}
	if err := begin.failed(names); err != nil {
		return Idle{}, err
	}
	busy, cpus, err := m.busySeconds()
	if err != nil {
		return Idle{}, err
	}
	time.Sleep(over)
	end, err := src.Read(to)
	if err != nil {
		return Idle{}, err
	}
	if err := end.failed(names); err != nil {
		return Idle{}, err
	}
	if end.Dropped > 0 {
		return Idle{}, fmt.Errorf("%d of %d counters could not be followed for %v", end.Dropped, domains, over)
	}
	busyThen, _, err := m.busySeconds()
	if err != nil {
		return Idle{}, err
	}
	seconds := float64(end.Before-begin.Before) / 1e9
	idle := Idle{Watts: make([]float64, domains), Busy: (busyThen - busy) / (seconds * float64(cpus))}
	for i := range to {
		idle.Watts[i] = (to[i] - from[i]) / seconds
	}
	return idle, nil
}

// busySeconds is the busy time since boot, over all CPUs, and their number.
func (m Machine) busySeconds() (seconds float64, cpus int, err error) {
	content, err := os.ReadFile(m.proc("stat"))
	if err != nil {
		return 0, 0, err
	}
	ticks, err := busyTicks(content)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", m.proc("stat"), err)
	}
	var sum uint64
	for _, t := range ticks {
		sum += t
	}
	return float64(sum) / userHz, max(1, len(ticks)), nil
}
