package pmu

import (
	"slices"

	"golang.org/x/sys/unix"
)

// The terms that any event takes between slashes; perf's, with why some are
// refused here. A PMU that has a field of such a name gives it that meaning.
var refusedTerms = map[string]string{
	"percore":         "how counts are summed is no property of an event",
	"metric-id":       "it is for perf's metrics",
	"cpu":             "which CPUs are counted is no property of an event",
	"branch_type":     sampled,
	"time":            sampled,
	"call-graph":      sampled,
	"stack-size":      sampled,
	"max-stack":       sampled,
	"nr":              sampled,
	"overwrite":       sampled,
	"no-overwrite":    sampled,
	"aux-output":      sampled,
	"aux-action":      sampled,
	"aux-sample-size": sampled,
	"ratio-to-prev":   sampled,
	"driver-config":   sampled,
}

const sampled = "it says what perf record writes, and is not for counting"

// take applies a term that any event has. done is false if t is none of them.
func (ev *Event) take(t term) (done bool, bad *EventError) {
	switch t.name {
	case "name":
		if t.text == "" {
			return true, refuse(t.name, nil, "a name is needed")
		}
		ev.Label = t.text
		return true, nil
	case "period", "freq":
		number, bad := t.number()
		switch {
		case bad != nil:
			return true, bad
		case number == 0 || number > 1<<63-1:
			return true, refuse(t.name, nil, "%d is out of range 1-%d", number, uint64(1<<63-1))
		case ev.Period != 0 || ev.Frequency != 0:
			return true, refuse(t.name, nil, "an event has a period or a frequency, not both")
		case t.name == "period":
			ev.Period = number
		default:
			ev.Frequency = number
		}
		return true, nil
	case "inherit", "no-inherit":
		on := uint64(1)
		if t.hasValue {
			if on, bad = t.number(); bad != nil {
				return true, bad
			}
			if on > 1 {
				return true, refuse(t.name, nil, "%d is out of range 0-1", on)
			}
		}
		ev.NoInherit = (t.name == "inherit") == (on == 0)
		return true, nil
	}
	if t.name[0] == '@' {
		return true, refuse(t.name, nil, "settings for a driver are for tracing units, which do not count")
	}
	if reason, ok := refusedTerms[t.name]; ok {
		return true, refuse(t.name, nil, "%s", reason)
	}
	return false, nil
}

// shape applies what is between the slashes of an event that has no PMU's
// directory: cycles/name=x,period=1000/. config= replaces the event's number.
func (ev *parsed) shape(body string) *EventError {
	terms, bad := parseTerms(body, false)
	if bad != nil {
		return bad
	}
	for _, t := range terms {
		word, isWord := wordIndex(t.name)
		if isWord && ev.Type != unix.PERF_TYPE_TRACEPOINT {
			value, bad := t.number()
			if bad != nil {
				return bad
			}
			*ev.words()[word] = value
			continue
		}
		done, bad := ev.take(t)
		if bad != nil {
			return bad
		}
		if !done {
			return refuse(t.name, ErrNoEvent, "%s has no such field; an event that is of no PMU's directory takes config to config4, name, period, freq, inherit and no-inherit", ev.describe())
		}
	}
	return nil
}

// generic events are those that the kernel counts with the PMU of the core.
func generic(ev *Event) bool {
	return ev.Type == unix.PERF_TYPE_HARDWARE || ev.Type == unix.PERF_TYPE_HW_CACHE || ev.Type == unix.PERF_TYPE_RAW
}

func (ev *Event) describe() string {
	kinds := []string{"a generic event", "a software event", "a tracepoint", "a cache event", "a raw code"}
	if int(ev.Type) < len(kinds) {
		return kinds[ev.Type]
	}
	return "an event by number"
}

func (ev *Event) words() [Words]*uint64 {
	return [Words]*uint64{&ev.Config, &ev.Config1, &ev.Config2, &ev.Config3, &ev.Config4}
}

// generalTerms takes out of terms those that any event has, except where the PMU
// has a field of that name.
func (p *PMU) generalTerms(terms []term, ev *Event) ([]term, *EventError) {
	var rest []term
	for _, t := range terms {
		if _, isField := p.Format[t.name]; !isField {
			done, bad := ev.take(t)
			if bad != nil {
				return nil, bad
			}
			if done {
				continue
			}
		}
		rest = append(rest, t)
	}
	return slices.Clip(rest), nil
}
