package pmu

import "golang.org/x/sys/unix"

// modifiers are the letters of perf-list(1) that shape a counter.
const modifiers = "unknown modifier; there are u, k, h, G, H, I, p, pp, ppp, P, D, e, S and W"

// parsed is an event with what is only of use while its list is read.
type parsed struct {
	Event
	core         bool   // of a PMU that counts in the cores
	letters      string // its own modifiers
	guests       bool   // G or H was given
	sample, weak bool   // S, W
}

// excludeGuest sets what perf stat has without modifiers: the time that the CPU
// runs virtual machines is not counted. The kernel gives the generic events and
// those of the cores that choice; most other PMUs refuse an event that excludes
// anything (PERF_PMU_CAP_NO_EXCLUDE), where perf opens it again without.
func (ev *parsed) excludeGuest(p *PMU) {
	ev.ExcludeGuest = p == nil || p.Core || p.Type <= unix.PERF_TYPE_BREAKPOINT
}

// modify applies modifiers as perf does. Naming a level excludes the levels that
// are not named. Those of a group add to those of its events; those of an event
// replace the defaults, so that alone D, e, I, P, S and W also count guests.
func (ev *parsed) modify(letters string, ofGroup bool) *EventError {
	if letters == "" {
		return refuse(":", nil, "the modifiers are missing")
	}
	if !ofGroup {
		ev.ExcludeGuest = false
	}
	levels := ev.ExcludeUser || ev.ExcludeKernel || ev.ExcludeHV
	precise := false
	seen := map[rune]bool{}
	for i, letter := range letters {
		if seen[letter] && letter != 'p' || letter == 'p' && ev.Precise == 3 {
			return refuse(letters, nil, "too many of modifier %c", letter)
		}
		seen[letter] = true
		if bad := ev.refuseModifier(letter, letters[i:]); bad != nil {
			return bad
		}
		switch letter {
		case 'u', 'k', 'h':
			if !levels {
				ev.ExcludeUser, ev.ExcludeKernel, ev.ExcludeHV = true, true, true
			}
			levels = true
		case 'G', 'H':
			if !ev.guests {
				ev.ExcludeHost, ev.ExcludeGuest = true, true
			}
			ev.guests = true
		}
		switch letter {
		case 'u':
			ev.ExcludeUser = false
			ev.ExcludeGuest = ev.ExcludeGuest || !ev.guests // k and h do not: perf's choice
		case 'k':
			ev.ExcludeKernel = false
		case 'h':
			ev.ExcludeHV = false
		case 'G':
			ev.ExcludeGuest = false
		case 'H':
			ev.ExcludeHost = false
		case 'I':
			ev.ExcludeIdle = true
		case 'p':
			ev.Precise++
			precise = true
		case 'P':
			ev.MaxPrecise = true
		case 'D':
			ev.Pinned = true
		case 'e':
			ev.Exclusive = true
		case 'S':
			ev.sample = true
		case 'W':
			ev.weak = true
		}
	}
	if precise && !ev.guests {
		ev.ExcludeGuest = true // x86's PEBS does not work in a guest's time
	}
	return nil
}

// refuseModifier tells why a letter cannot be had.
func (ev *parsed) refuseModifier(letter rune, rest string) *EventError {
	switch letter {
	case 'u', 'k', 'h', 'G', 'H', 'I', 'p', 'P':
		if ev.Uncore {
			// perf leaves this to the kernel, which answers EINVAL.
			return refuse(rest, nil, "PMU %s counts outside the cores: it knows nothing of who runs there, and has no addresses to be precise about", ev.PMU)
		}
	case 'D', 'e', 'S', 'W':
	case 'b':
		return refuse(rest, nil, "perf's counters in BPF (b) are not for other tools")
	default:
		return refuse(rest, nil, modifiers)
	}
	return nil
}
