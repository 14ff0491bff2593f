package pmu

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// named reads what needs no directory of a PMU: a name of perf-list(1), a raw
// code, type:config, or a tracepoint.
func (f FS) named(name string, kinds bool) ([]parsed, bool, *EventError) {
	ev, ok := lookupName(name)
	if !ok {
		var bad *EventError
		if ev, ok, bad = parseRaw(name); bad != nil {
			return nil, false, bad
		}
	}
	if ok {
		events := []parsed{{Event: ev}}
		if kinds && generic(&ev) {
			events = f.ofEachKind(ev)
		}
		for i := range events {
			events[i].excludeGuest(nil)
		}
		return events, true, nil
	}
	first, second, ok := strings.Cut(name, ":")
	if !ok {
		return nil, false, nil
	}
	if isNumber(first[:min(1, len(first))]) {
		ev, bad := f.parseNumeric(first, second)
		events, bad := single(ev, bad)
		return events, true, bad
	}
	tp, bad := f.tracepoint(first, second)
	events, bad := single(tp, bad)
	return events, true, bad
}

// parseNamed reads what has no slash: name, name:modifiers, and the same of
// group:tracepoint or type:config.
func (f FS) parseNamed(spec string, kinds bool) ([]parsed, *EventError) {
	parts := strings.Split(spec, ":")
	if len(parts) > 3 {
		return nil, refuse(":"+strings.Join(parts[3:], ":"), nil, "an event has at most a group, a name and modifiers")
	}
	events, ok, bad := f.named(parts[0], kinds)
	if bad != nil {
		return nil, bad
	}
	if !ok {
		if events, bad = f.ofAnyPMU(parts[0]); bad != nil {
			return nil, bad
		}
		ok = len(events) > 0
	}
	switch {
	case ok && len(parts) == 3:
		return nil, refuse(parts[2], nil, "an event has one set of modifiers")
	case ok && len(parts) == 2:
		return events, modifyAll(events, parts[1])
	case ok:
		return events, nil
	case slices.Contains([]string{"duration_time", "user_time", "system_time"}, parts[0]):
		return nil, refuse(parts[0], ErrNoEvent, "a time that perf takes itself, and no event of the kernel")
	case len(parts) == 1:
		return nil, refuse(spec, ErrNoEvent, "no such event")
	}
	events, _, bad = f.named(parts[0]+":"+parts[1], kinds)
	if bad != nil {
		var probe parsed
		if len(parts) == 2 && probe.modify(parts[1], false) == nil && !errors.Is(bad, ErrNoEvent) {
			// cycels:u: a misspelt name is likelier than a tracepoint called u.
			return nil, refuse(parts[0], ErrNoEvent, "no such event")
		}
		return nil, bad
	}
	if len(parts) == 3 {
		return events, modifyAll(events, parts[2])
	}
	return events, nil
}

// parseNumeric reads type:config.
func (f FS) parseNumeric(first, second string) (parsed, *EventError) {
	number, ok := parseNumber(first)
	if !ok || number > 1<<32-1 {
		return parsed{}, refuse(first, nil, "the number of a type is 0-0xffffffff")
	}
	config, ok := parseNumber(second)
	if !ok {
		return parsed{}, refuse(second, nil, "behind the number of a type is a config: decimal, or 0x and hex digits, of at most 64 bits")
	}
	ev := parsed{Event: Event{Type: uint32(number), Config: config}}
	if number <= unix.PERF_TYPE_BREAKPOINT {
		ev.excludeGuest(nil)
		return ev, nil
	}
	if name := f.ofType(ev.Type); name != "" {
		p, bad := f.usable(name)
		if bad != nil {
			return parsed{}, bad
		}
		ev.of(&p)
	}
	return ev, nil
}
