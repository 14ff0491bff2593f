package pmu

import (
	"errors"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// Event is an event as the fields of struct perf_event_attr that it sets.
type Event struct {
	Name string // as the user wrote it, without white space around it
	PMU  string // the PMU directory the event came from; "" if it named none
	Type uint32
	// Config to Config4 are the attribute's config words. Those of a breakpoint
	// are bp_addr in Config1 and bp_len in Config2, which share their place.
	Config, Config1, Config2, Config3, Config4 uint64

	BPType uint32  // BreakRead, BreakWrite, BreakExec
	CPUs   []int   // the CPUs it can be opened on, as PMU.CPUs; nil means all
	Uncore bool    // it counts outside the cores: pid -1, one counter for each of CPUs
	Scale  float64 // units per count; 0 if the kernel gives none
	Unit   string  // what the scaled count is in, "Joules"

	// Term is which event of the user's list it belongs to, from 0: the
	// instances that one name stands for share it.
	Term  int
	Label string // name=: what the user wants it called; "" for Name
	Alias string // the event of PMU or of a table that the user named; "" for plain fields

	ExcludeUser, ExcludeKernel, ExcludeHV, ExcludeIdle bool
	// ExcludeHost counts only while a virtual machine runs, ExcludeGuest only while none does.
	ExcludeHost, ExcludeGuest bool

	Pinned    bool // always on its counter or in error, never taking turns; of a group's leader
	Exclusive bool // nothing else on the PMU meanwhile; of a group's leader

	Precise uint8 // precise_ip, 0 to 3
	// MaxPrecise asks for the most precise_ip that this machine takes.
	MaxPrecise bool
	Clock      bool // cpu-clock or task-clock: the count is nanoseconds

	Period, Frequency uint64 // period= and freq=: for sampling; 0 if not given
	NoInherit         bool   // no-inherit: the tasks that it starts are not counted
}

// Parse reads one event:
//
//	cycles  page-faults  L1-dcache-load-misses   a name of perf-list(1)
//	r1a8                                         a raw code of the CPU's own PMU, in hex
//	msr/tsc/  cpu/event=0x3c,umask=1/            an alias, or fields, of a PMU of sysfs
//	sched:sched_switch                           a tracepoint
//	mem:0x1000/8:rw                              a breakpoint, see perf-list(1)
//
// each with modifiers behind a colon (behind the slash of a PMU): u, k and h
// count in user space, the kernel and the hypervisor alone, p to ppp ask for
// precise addresses. Names and numbers are perf's, and so is their meaning.
//
// The error is an *EventError.
func (f FS) Parse(spec string) (Event, error) {
	events, err := f.parse(spec)
	if err != nil {
		return Event{}, err
	}
	if len(events) > 1 {
		names := make([]string, len(events))
		for i, ev := range events {
			names[i] = ev.PMU
		}
		err := refuse("", ErrManyPMUs, "the name stands for several PMUs (%s); one is wanted", enumerate(names))
		err.Spec = events[0].Name
		return Event{}, err
	}
	return events[0], nil
}

// ParseList reads events separated by commas; a comma between the slashes of a
// PMU belongs to the event. An event of a name that stands for several PMUs
// (uncore_imc/cas_count_read/ where there are uncore_imc_0 and uncore_imc_1)
// gives one Event for each, of the same Name.
func (f FS) ParseList(spec string) ([]Event, error) {
	var events []Event
	for rest, more := spec, true; more; {
		var one string
		one, rest, more = cutEvent(rest)
		evs, err := f.parse(one)
		if err != nil {
			return nil, err
		}
		events = append(events, evs...)
	}
	return events, nil
}

// cutEvent splits a list at the comma behind its first event.
func cutEvent(list string) (event, rest string, more bool) {
	comma := strings.IndexByte(list, ',')
	slash := strings.IndexByte(list, '/')
	isMem := strings.HasPrefix(strings.TrimSpace(list), "mem:") // its slash opens nothing
	if slash < 0 || comma < 0 || comma < slash || isMem {
		return strings.Cut(list, ",")
	}
	end := strings.IndexByte(list[slash+1:], '/')
	if end < 0 {
		return list, "", false
	}
	end += slash + 2
	tail, rest, more := strings.Cut(list[end:], ",")
	return list[:end] + tail, rest, more
}

// parse gives the events that one term stands for: more than one only for
// several PMUs of one name.
func (f FS) parse(spec string) ([]Event, error) {
	spec = strings.TrimSpace(spec)
	events, err := f.dispatch(spec)
	var bad *EventError
	if errors.As(err, &bad) {
		bad.Spec = spec
		return nil, bad
	}
	for i := range events {
		ev := &events[i]
		ev.Name = spec
		ev.Clock = ev.Type == unix.PERF_TYPE_SOFTWARE &&
			(ev.Config == unix.PERF_COUNT_SW_CPU_CLOCK || ev.Config == unix.PERF_COUNT_SW_TASK_CLOCK)
	}
	return events, nil
}

func (f FS) dispatch(spec string) ([]Event, error) {
	if spec == "" {
		return nil, refuse("", nil, "no event is named")
	}
	if strings.ContainsAny(spec, "{}") {
		return nil, refuse("", nil, "braces make a group, which is no event")
	}
	if i := strings.IndexFunc(spec, unicode.IsControl); i >= 0 {
		return nil, refuse(spec[i:], nil, "an event holds no control characters")
	}
	if mem, ok := strings.CutPrefix(spec, "mem:"); ok {
		return single(parseBreakpoint(mem))
	}
	if name, body, ok := strings.Cut(spec, "/"); ok {
		return f.parsePMU(name, body)
	}
	return single(f.parseNamed(spec))
}

// single also keeps a nil *EventError from becoming an error that is not nil.
func single(ev Event, err *EventError) ([]Event, error) {
	if err != nil {
		return nil, err
	}
	return []Event{ev}, nil
}

// parseNamed reads what is neither a breakpoint nor of a PMU directory: name,
// name:modifiers, group:tracepoint, group:tracepoint:modifiers.
func (f FS) parseNamed(spec string) (Event, *EventError) {
	parts := strings.Split(spec, ":")
	if len(parts) > 3 {
		return Event{}, refuse(":"+strings.Join(parts[3:], ":"), nil, "an event has at most a group, a name and modifiers")
	}
	ev, ok := lookupName(parts[0])
	if !ok {
		var err *EventError
		if ev, ok, err = parseRaw(parts[0]); err != nil {
			return Event{}, err
		}
	}
	switch {
	case ok && len(parts) == 3:
		return Event{}, refuse(parts[2], nil, "an event has one set of modifiers")
	case ok && len(parts) == 2:
		return ev, ev.modify(parts[1])
	case ok:
		return ev, nil
	case len(parts) == 1:
		return Event{}, f.unknown(spec)
	}
	ev, err := f.tracepoint(parts[0], parts[1])
	if err != nil {
		var probe Event
		if len(parts) == 2 && probe.modify(parts[1]) == nil && !errors.Is(err, ErrNoEvent) {
			// cycels:u: a misspelt name is likelier than a tracepoint called u.
			return Event{}, f.unknown(parts[0])
		}
		return Event{}, err
	}
	if len(parts) == 3 {
		return ev, ev.modify(parts[2])
	}
	return ev, nil
}

// unknown is the error for a name that means nothing, with the PMUs that have an
// event of that name.
func (f FS) unknown(name string) *EventError {
	var holders []string
	pmus, _ := f.PMUs() // only for the hint
	for _, p := range pmus {
		if _, ok := p.alias(name); ok {
			holders = append(holders, p.Name+"/"+name+"/")
		}
	}
	if len(holders) > 0 {
		return refuse(name, ErrNoEvent, "no such event; a PMU has one of that name: %s", enumerate(holders))
	}
	return refuse(name, ErrNoEvent, "no such event")
}

// modify applies modifiers. Naming a level excludes the levels that are not named.
func (ev *Event) modify(modifiers string) *EventError {
	if modifiers == "" {
		return refuse(":", nil, "the modifiers are missing")
	}
	var user, kernel, hv bool
	var precise uint8
	for i, letter := range modifiers {
		again := false
		switch letter {
		case 'u':
			again, user = user, true
		case 'k':
			again, kernel = kernel, true
		case 'h':
			again, hv = hv, true
		case 'p':
			again = precise == 3
			precise++
		default:
			return refuse(modifiers[i:], nil, "unknown modifier; there are u, k, h and p, pp, ppp")
		}
		if again {
			return refuse(modifiers, nil, "too many of modifier %c", letter)
		}
	}
	if user || kernel || hv {
		ev.ExcludeUser, ev.ExcludeKernel, ev.ExcludeHV = !user, !kernel, !hv
	}
	ev.Precise = precise
	return nil
}
