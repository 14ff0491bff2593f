package pmu

import (
	"errors"
	"strings"
)

// Group is events that are counted at the same times or not at all.
type Group struct {
	Name   string  // name{a,b}; "" if it has none
	Events []Event // the leader first
	Braces bool    // written as {a,b}
	Sample bool    // :S, read the members when the leader is sampled
	Weak   bool    // :W, may be split where the counters do not suffice
}

// ParseGroups reads a list of events, see Parse, and of groups of them:
//
//	cycles,{instructions,branches}:u,{uncore_imc/cas_count_read/,uncore_imc/cas_count_write/}
//
// An event outside braces is a group of one. The modifiers behind a group add to
// those of each of its events, D and e to those of its leader. Where the events of
// a group stand for several PMUs there is one group for each.
//
// On a machine with several kinds of core a generic name or raw code stands for
// one event of each kind: a counter that follows a task counts on one kind
// alone. (Parse and ParseList leave it generic, for an event opened on a CPU.)
//
// The error is an *EventError.
func (f FS) ParseGroups(spec string) ([]Group, error) {
	var groups []Group
	term := 0
	for rest, more := spec, true; more; {
		var one string
		one, rest, more = cutEvent(rest)
		added, terms, err := f.parseItem(strings.TrimSpace(one), term)
		if err != nil {
			return nil, err
		}
		groups = append(groups, added...)
		term += terms
	}
	return groups, nil
}

// parseItem reads one event or group. terms is how many events the user wrote.
func (f FS) parseItem(item string, term int) (groups []Group, terms int, err error) {
	if brace(item) < 0 {
		events, err := f.parse(item, true)
		if err != nil {
			return nil, 0, err
		}
		for _, ev := range events {
			ev.Term = term
			groups = append(groups, Group{Events: []Event{ev.Event}, Sample: ev.sample, Weak: ev.weak})
		}
		return groups, 1, nil
	}
	groups, terms, err = f.parseBraces(item, term)
	if bad := (*EventError)(nil); errors.As(err, &bad) && bad.Spec == "" {
		bad.Spec = item
	}
	return groups, terms, err
}

// parseBraces reads name{a,b}:modifiers.
func (f FS) parseBraces(item string, term int) (groups []Group, terms int, err error) {
	name, body, _ := strings.Cut(item, "{")
	end := strings.LastIndexByte(body, '}')
	if end < 0 || item[brace(item)] == '}' {
		return nil, 0, refuse(item, nil, "the braces of a group are not in pairs")
	}
	body, tail := body[:end], strings.TrimSpace(body[end+1:])
	letters, hasLetters := strings.CutPrefix(tail, ":")
	if tail != "" && !hasLetters {
		return nil, 0, refuse(tail, nil, "a comma or : and modifiers follow a group")
	}
	var members [][]parsed // of each event that was written, its instances
	for rest, more := body, true; more; terms++ {
		var one string
		one, rest, more = cutEvent(rest)
		if brace(one) >= 0 {
			return nil, 0, refuse(strings.TrimSpace(one), nil, "a group holds no groups")
		}
		events, err := f.parse(one, true)
		if err != nil {
			return nil, 0, err
		}
		for i := range events {
			ev := &events[i]
			ev.Term = term + terms
			if len(members) > 0 && (ev.Pinned || ev.Exclusive) {
				return nil, 0, refuse(ev.Name, nil, "only the leader of a group can be pinned (D) or exclusive (e)")
			}
			if hasLetters {
				if bad := ev.join(letters, len(members) == 0); bad != nil {
					return nil, 0, bad
				}
			}
		}
		members = append(members, events)
	}
	groups, bad := split(members)
	if bad != nil {
		return nil, 0, bad
	}
	for i := range groups {
		groups[i].Name = strings.TrimSpace(name)
	}
	return groups, terms, nil
}

// join applies the modifiers of a group. The event's name gets those that change
// what it counts.
func (ev *parsed) join(letters string, leader bool) *EventError {
	pinned, exclusive := ev.Pinned, ev.Exclusive
	if bad := ev.modify(letters, true); bad != nil {
		return bad
	}
	if !leader {
		ev.Pinned, ev.Exclusive = pinned, exclusive
	}
	added := strings.Map(func(r rune) rune {
		if strings.ContainsRune("DeSW", r) || r != 'p' && strings.ContainsRune(ev.letters, r) {
			return -1
		}
		return r
	}, letters)
	if added != "" && ev.letters == "" && (ev.BPType != 0 || !strings.Contains(ev.Name, "/")) {
		ev.Name += ":"
	}
	ev.Name += added
	return nil
}

// split makes one group for each PMU that the members stand for.
func split(members [][]parsed) ([]Group, *EventError) {
	count := len(members[0])
	for _, events := range members[1:] {
		same := len(events) == count
		for i := 0; same && count > 1 && i < count; i++ {
			same = events[i].PMU == members[0][i].PMU
		}
		if !same {
			return nil, refuse(events[0].Name, nil, "in a group all events stand for the same PMUs; %s and this one do not", members[0][0].Name)
		}
	}
	groups := make([]Group, count)
	for i := range groups {
		g := &groups[i]
		g.Braces = true
		var counter *parsed
		for _, events := range members {
			ev := &events[i]
			g.Sample, g.Weak = g.Sample || ev.sample, g.Weak || ev.weak
			switch {
			case counter != nil && (ev.Uncore || counter.Uncore) && ev.PMU != counter.PMU:
				// perf leaves it to the kernel, which answers EINVAL, or makes no group of it.
				return nil, refuse(ev.Name, nil, "in a group of counters outside the cores all are of one PMU, and %s is not of this one", counter.Name)
			case counter != nil && ev.PMU != "" && counter.PMU != "" && ev.core && counter.core && ev.PMU != counter.PMU:
				return nil, refuse(ev.Name, nil, "a group is of one kind of core; %s is of another", counter.Name)
			case counter == nil || ev.core:
				counter = ev
			}
			g.Events = append(g.Events, ev.Event)
		}
	}
	return groups, nil
}
