package pmu

import (
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

// Parse reads one event, in the syntax of perf:
//
//	cycles  page-faults  L1-dcache-load-misses   a name of perf-list(1)
//	r1a8  1:2                                    a raw code of the CPU's own PMU, in hex; a type and a config
//	msr/tsc/  cpu/event=0x3c,umask=1/            an event, or fields, of a PMU of sysfs
//	energy-pkg                                   an event of that name, whichever PMUs have it
//	sched:sched_switch                           a tracepoint
//	mem:0x1000/8:rw                              a breakpoint, see perf-list(1)
//
// Between the slashes of a PMU are, separated by commas, at most one event of its
// events directory, fields of its format directory (field=VALUE, or field alone
// where it is one bit), rNNN or config=, config1= to config4= for whole words, and
// what any event takes between slashes (cycles/name=x/): name= how to call it, in
// single quotes if it holds a comma or a slash; period= or freq= for sampling;
// inherit, no-inherit. Numbers are decimal, or 0x and hex digits. A value that
// does not fit is refused with the range.
//
// The PMU's name may be the beginning of several, up to the number (uncore_imc for
// uncore_imc_0 and uncore_imc_1, cxl_pmu for cxl_pmu_mem0.0), or a pattern with *,
// ? and [] (uncore_*); uncore_ in front may be left out. Parse wants one.
//
// Modifiers are behind a colon (behind the slash, where there is one): u, k and h
// count in user space, the kernel and the hypervisor alone; G and H in virtual
// machines and outside of them, which is the default; I leaves out idle time; p to
// ppp and P ask for precise addresses; D keeps it on its counter; e lets nothing
// else on the PMU. S and W are for groups, see ParseGroups.
//
// Names and numbers are perf's, and so is their meaning, but that a field beside
// an event replaces the event's bits of it (perf ors them: of mem-loads, which has
// ldlat=3, with ldlat=30 it makes ldlat=31), and that what is given twice is
// refused, also where config= and the event beside it set the same bits.
//
// The error is an *EventError.
func (f FS) Parse(spec string) (Event, error) {
	events, err := f.parse(spec, false)
	if err == nil {
		err = alone(events)
	}
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
	return events[0].Event, nil
}

// ParseList reads events separated by commas. An event of a name that stands for
// several PMUs (uncore_imc/cas_count_read/ where there are uncore_imc_0 and
// uncore_imc_1) gives one Event for each, of the same Name and Term.
func (f FS) ParseList(spec string) ([]Event, error) {
	var events []Event
	term := 0
	for rest, more := spec, true; more; term++ {
		var one string
		one, rest, more = cutEvent(rest)
		found, err := f.parse(one, false)
		if err == nil {
			err = alone(found)
		}
		if err != nil {
			return nil, err
		}
		for _, ev := range found {
			ev.Term = term
			events = append(events, ev.Event)
		}
	}
	return events, nil
}

// alone refuses the modifiers that say how a group is counted.
func alone(events []parsed) error {
	for _, ev := range events {
		if ev.sample || ev.weak {
			err := refuse(ev.letters, nil, "S and W say how a group is counted, and this is a single event")
			err.Spec = ev.Name
			return err
		}
	}
	return nil
}

// parse gives the events that one term stands for: more than one only for
// several PMUs of one name and, with kinds, for several kinds of core.
func (f FS) parse(spec string, kinds bool) ([]parsed, error) {
	spec = strings.TrimSpace(spec)
	events, bad := f.dispatch(spec, kinds)
	if bad != nil {
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

func (f FS) dispatch(spec string, kinds bool) ([]parsed, *EventError) {
	if spec == "" {
		return nil, refuse("", nil, "no event is named")
	}
	if i := strings.IndexFunc(spec, unicode.IsControl); i >= 0 {
		return nil, refuse(spec[i:], nil, "an event holds no control characters")
	}
	if brace(spec) >= 0 {
		return nil, refuse("", nil, "braces make a group, which is no event")
	}
	if mem, ok := strings.CutPrefix(spec, "mem:"); ok {
		return single(parseBreakpoint(mem))
	}
	name, terms, modifiers, hasTerms, closed := cutTerms(spec)
	if !closed {
		return nil, refuse("/"+terms, nil, "the closing / is missing")
	}
	if !hasTerms {
		return f.parseNamed(spec, kinds)
	}
	name = strings.TrimSpace(name)
	events, isNamed, bad := f.named(name, kinds)
	switch {
	case bad != nil:
		return nil, bad
	case isNamed:
		bad = each(events, func(ev *parsed) *EventError { return ev.shape(terms) })
	default:
		events, bad = f.parsePMU(name, terms)
	}
	if bad != nil {
		return nil, bad
	}
	if modifiers = strings.TrimSpace(modifiers); modifiers != "" {
		// perf does without a colon here, and so may the user.
		bad = modifyAll(events, strings.TrimPrefix(modifiers, ":"))
	}
	return events, bad
}

// single also keeps the event of an error from being one.
func single(ev parsed, bad *EventError) ([]parsed, *EventError) {
	if bad != nil {
		return nil, bad
	}
	return []parsed{ev}, nil
}

func each(events []parsed, do func(*parsed) *EventError) *EventError {
	for i := range events {
		if bad := do(&events[i]); bad != nil {
			return bad
		}
	}
	return nil
}

func modifyAll(events []parsed, letters string) *EventError {
	return each(events, func(ev *parsed) *EventError {
		ev.letters = letters
		return ev.modify(letters, false)
	})
}
