package main

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
)

const (
	defaultFrequency = 997 // Hz; no multiple of a usual timer, so nothing runs in step with it
	// Below 10 us the kernel's clock events keep their period in name only
	// (perf_swevent_init_hrtimer), and every weight would be wrong.
	minClockPeriod = 10_000
)

// sampling is -F, -c and -e.
type sampling struct {
	frequency    uint64
	period       uint64
	frequencySet bool
	periodSet    bool
	specs        []string
}

// events puts a clock first, from which time comes, and gives each event its
// frequency or period.
func (s *sampling) events(fs pmu.FS) ([]session.Event, error) {
	if s.frequencySet && s.periodSet {
		return nil, usagef("-F and -c exclude each other")
	}
	if s.frequency == 0 || s.periodSet && s.period == 0 {
		return nil, usagef("a rate of 0 samples nothing: -F and -c take numbers from 1 up")
	}
	if s.period > math.MaxInt64 {
		return nil, usagef("-c %d: the kernel's periods end at %d", s.period, int64(math.MaxInt64))
	}
	if limit, err := sysctl("kernel/perf_event_max_sample_rate"); err == nil && s.frequency > uint64(limit) {
		return nil, usagef("-F %d: the kernel's limit is %d Hz (kernel.perf_event_max_sample_rate); `sudo sysctl kernel.perf_event_max_sample_rate=%d` raises it, up to what kernel.perf_cpu_time_max_percent allows", s.frequency, limit, s.frequency)
	}
	if s.frequency > 1e9/minClockPeriod {
		return nil, usagef("-F %d: the kernel's clocks sample at %d Hz at most", s.frequency, int(1e9/minClockPeriod))
	}
	clock := -1
	var parsed []pmu.Event
	for _, spec := range s.specs {
		events, err := fs.ParseList(spec)
		if err != nil {
			return nil, usageError{err}
		}
		for _, e := range events {
			if e.Uncore {
				return nil, usagef("event %q counts outside the cores and cannot be sampled; as a source of energy it goes with --energy-event", e.Name)
			}
			if e.Clock && clock < 0 {
				clock = len(parsed)
			}
			parsed = append(parsed, e)
		}
	}
	if clock < 0 {
		e, err := fs.Parse("cpu-clock")
		if err != nil {
			return nil, err
		}
		parsed = append([]pmu.Event{e}, parsed...)
	} else {
		parsed[0], parsed[clock] = parsed[clock], parsed[0]
	}
	onlyClocks := true
	for _, e := range parsed {
		onlyClocks = onlyClocks && e.Clock
	}
	var out []session.Event
	for _, e := range parsed {
		event := session.Event{Event: e}
		switch {
		case e.Clock && onlyClocks && s.periodSet:
			if s.period < minClockPeriod {
				return nil, usagef("-c %d: a clock's period is in nanoseconds, %d at least", s.period, minClockPeriod)
			}
			event.Period = s.period
		case e.Clock:
			event.Frequency = s.frequency
		case s.periodSet:
			event.Period = s.period
		case everyOne(e):
			event.Period = 1
		default:
			event.Frequency = s.frequency
		}
		out = append(out, event)
	}
	return out, nil
}

// everyOne tells whether an event is sampled each time it happens unless the
// user says otherwise, as perf does it: tracepoints and breakpoints.
func everyOne(e pmu.Event) bool {
	return e.Type == unix.PERF_TYPE_TRACEPOINT || e.Type == unix.PERF_TYPE_BREAKPOINT
}

// describeEvents names the events and their rates for the profile's comments.
func describeEvents(events []session.Event) string {
	text := ""
	for i, e := range events {
		if i > 0 {
			text += ", "
		}
		if e.Period > 0 {
			text += fmt.Sprintf("%s every %d", e.Name, e.Period)
		} else {
			text += fmt.Sprintf("%s at %d Hz", e.Name, e.Frequency)
		}
	}
	return text
}
