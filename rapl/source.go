package rapl

import (
	"errors"
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/perfring"
)

// Why a source cannot be used, for errors.Is. A source that this user may not
// read wraps fs.ErrPermission instead.
var (
	// ErrNoHardware says that this machine has no such counter.
	ErrNoHardware = errors.New("no such energy counter in this machine")
	// ErrNoDriver says that the machine should have the counter, and that no
	// driver of the running kernel offers it.
	ErrNoDriver = errors.New("no driver offers the energy counter")
	// ErrNotCounting says that the counter is there and stands at zero.
	ErrNotCounting = errors.New("the energy counter stands at zero")
	// ErrUnknownKind says that the name is no kind of source.
	ErrUnknownKind = errors.New("unknown kind of energy source")
)

// Domain is one thing whose energy is counted.
type Domain struct {
	// Name is "package", "cores", "dram", "gpu", "psys" or "core", or the label
	// of a meter's channel in lower case, with "_" for all but letters and digits.
	Name string
	// Package is the kernel's number of the processor package; 0 for what
	// belongs to no one package. A package of several dies with counters of
	// their own has a domain for each, which differ in CPUs; so have cores.
	Package int
	// CPUs are the online CPUs whose work the energy pays, sorted. Empty if the
	// kernel does not say which they are.
	CPUs []int
	// Sum tells that the domain overlaps no other one with Sum: the joules of
	// those may be added up.
	Sum bool
	// ErrorBand is the relative error of an estimate: 0.5 is plus or minus half.
	// 0 for a measurement.
	ErrorBand float64
	// Unit is the step of the counter in joules, for the error of small differences.
	Unit float64
	// IdleWatts is the power, in W, that an estimate takes for CPUs with nothing to
	// do: the static power of what it says. 0 for a measurement, of which
	// nobody knows it (see MeasureIdle).
	IdleWatts float64
}

// String names the domain for messages: "package 0".
func (d Domain) String() string { return fmt.Sprintf("%s %d", d.Name, d.Package) }

// Info says what a source is.
type Info struct {
	Name     string   // "perf-power", "powercap", "msr", "hwmon", "model", or the event as the user wrote it
	Measured bool     // false: an estimate, which must never pass for a measurement
	Domains  []Domain // in the order of Read
	Notes    []string // what a reader of the numbers must know, one sentence each
}

// Moment is when a reading was taken.
type Moment struct {
	Before, After int64 // CLOCK_MONOTONIC in ns, just before and after
	// Dropped is the number of domains whose counter could not be followed from
	// the reading before to this one: it went back by something that no wrap
	// explains, it leapt beyond any plausible power, or the machine was
	// suspended. What they used meanwhile is not in the reading.
	Dropped int
	// Failed has the error of each domain that could not be read this time, nil if
	// all could. Such a domain has the joules of its last reading: it did not rest.
	Failed []error
}

// failed gives the error of the first domain that could not be read.
func (m Moment) failed(domains []Domain) error {
	for i, err := range m.Failed {
		if err != nil {
			return fmt.Errorf("%s: %w", domains[i], err)
		}
	}
	return nil
}

// Source is open energy counters. It is for one goroutine at a time.
type Source interface {
	// Info may be called at any time. Notes grow with what the readings show.
	Info() Info
	// Read puts the joules used since Open into joules, one for each domain. The
	// values never decrease. len(joules) must be the number of domains.
	Read(joules []float64) (Moment, error)
	Close() error
}

// Counter is a perf event that can be opened once more inside a group, so that
// the kernel stamps its value into samples (see Recorder).
type Counter struct {
	Attr           perfring.Attr
	CPU            int
	Domain         int // index in Info.Domains
	JoulesPerCount float64
}

// opener opens one kind of source.
type opener struct {
	kind string
	open func(Machine) (Source, error)
}

// openers are the kinds in order of preference: perf has the kernel extend the
// counters to 64 bits and can stamp them into samples; powercap needs root;
// the registers themselves need root and no lockdown; hwmon knows other boards.
func openers() []opener {
	return []opener{
		{"perf-power", openPerf},
		{"powercap", openPowercap},
		{"msr", openMSR},
		{"hwmon", openHwmon},
		{"model", openModel},
	}
}

// Kinds are the names that Open takes, besides "auto", in order of preference.
func Kinds() []string {
	var kinds []string
	for _, o := range openers() {
		kinds = append(kinds, o.kind)
	}
	return kinds
}

// Open opens the energy source of a kind: "perf-power" (or "perf"), "powercap",
// "msr", "hwmon", "model", or "auto" for the first one that can be used. The
// errors wrap ErrNoHardware, ErrNoDriver, ErrNotCounting, ErrUnknownKind or
// fs.ErrPermission where one of them is the cause.
func Open(m Machine, kind string) (Source, error) {
	if kind == "perf" {
		kind = "perf-power"
	}
	m = m.surveyed()
	var errs []error
	for _, o := range openers() {
		if kind != "auto" && kind != o.kind {
			continue
		}
		src, err := o.open(m)
		if err == nil {
			return src, nil
		}
		errs = append(errs, fmt.Errorf("energy source %s: %w", o.kind, err))
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("%w %q: it is none of auto, %q", ErrUnknownKind, kind, Kinds())
	}
	return nil, errors.Join(errs...)
}

// Status is what Probe found out about a kind of source.
type Status struct {
	Kind   string
	Usable bool
	Err    error // why it is not usable; errors.Is as for Open
	Info   Info  // of a usable one
}

// Probe tries every kind of source, in order of preference. It opens them for a
// moment, because nothing less tells whether this user may: the kernel's
// setting, capabilities, file modes, ACLs and lockdown all have a say.
func Probe(m Machine) []Status {
	m = m.surveyed()
	var all []Status
	for _, o := range openers() {
		s := Status{Kind: o.kind}
		src, err := o.open(m)
		if err != nil {
			s.Err = err
		} else {
			s.Info = src.Info()
			s.Err = src.Close()
			s.Usable = s.Err == nil
		}
		all = append(all, s)
	}
	return all
}

// sumless tells whether no domain may be added up.
func sumless(domains []Domain) bool {
	return !slices.ContainsFunc(domains, func(d Domain) bool { return d.Sum })
}
