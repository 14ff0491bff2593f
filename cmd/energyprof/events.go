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
	if err := s.checkRate(); err != nil {
		return nil, err
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
			if err := sampleable(e); err != nil {
				return nil, err
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
		case e.Period > 0 || e.Frequency > 0: // period=, freq= of the event itself
			event.Period, event.Frequency = e.Period, e.Frequency
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

// checkRate refuses a rate that no event can have. One that nobody asked for is lowered to what the kernel takes.
func (s *sampling) checkRate() error {
	switch {
	case s.frequencySet && s.periodSet:
		return usagef("-F and -c exclude each other")
	case s.frequency == 0 || s.periodSet && s.period == 0:
		return usagef("a rate of 0 samples nothing: -F and -c take numbers from 1 up")
	case s.period > math.MaxInt64:
		return usagef("-c %d: the kernel's periods end at %d", s.period, int64(math.MaxInt64))
	}
	if !s.frequencySet {
		s.frequency = allowed(s.frequency)
		return nil
	}
	return checkFrequency(fmt.Sprintf("-F %d", s.frequency), s.frequency)
}

// allowed is a frequency, or the kernel's limit where that is lower: it lowers it by itself where samples take long
// (kernel.perf_cpu_time_max_percent).
func allowed(frequency uint64) uint64 {
	if limit, err := sysctl("kernel/perf_event_max_sample_rate"); err == nil && limit > 0 {
		return min(frequency, uint64(limit))
	}
	return frequency
}

// checkFrequency refuses what the kernel does not sample at; what names it.
func checkFrequency(what string, frequency uint64) error {
	if limit, err := sysctl("kernel/perf_event_max_sample_rate"); err == nil && frequency > uint64(limit) {
		return usagef("%s: the kernel's limit is %d Hz (kernel.perf_event_max_sample_rate); `sudo sysctl kernel.perf_event_max_sample_rate=%d` raises it, up to what kernel.perf_cpu_time_max_percent allows", what, limit, frequency)
	}
	if frequency > 1e9/minClockPeriod {
		return usagef("%s: the kernel's clocks sample at %d Hz at most", what, int(1e9/minClockPeriod))
	}
	return nil
}

// sampleable refuses what an event asks for and a recording does not do.
func sampleable(e pmu.Event) error {
	switch {
	case e.MaxPrecise:
		return usagef("event %q: P would try how precise this machine can be; say p, pp or ppp", e.Name)
	case e.NoInherit:
		return usagef("event %q: what a command starts is recorded with it", e.Name)
	case e.Clock && e.Period > 0 && e.Period < minClockPeriod:
		return usagef("event %q: a clock's period is in nanoseconds, %d at least", e.Name, minClockPeriod)
	case e.Frequency > 0:
		return checkFrequency(fmt.Sprintf("event %q", e.Name), e.Frequency)
	}
	return nil
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
