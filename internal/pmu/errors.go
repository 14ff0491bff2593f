package pmu

import (
	"errors"
	"fmt"
	"strings"
)

// What an event can fail on, for errors.Is. A tracepoint that the user may not
// look up wraps fs.ErrPermission instead.
var (
	// ErrNoPMU says that the kernel has no PMU of that name.
	ErrNoPMU = errors.New("no such PMU")
	// ErrManyPMUs says that one event was asked for and the name stands for
	// several PMUs, as uncore_imc does for uncore_imc_0 and uncore_imc_1.
	ErrManyPMUs = errors.New("several PMUs of this name")
	// ErrNoEvent says that the name is no event, event alias, format field or
	// tracepoint of this machine.
	ErrNoEvent = errors.New("no such event")
	// ErrNoTracefs says that tracefs, which numbers the tracepoints, is not mounted.
	ErrNoTracefs = errors.New("tracefs is not mounted")
)

// EventError says which part of an event is wrong and why.
type EventError struct {
	Spec   string // the event as it was written
	Part   string // the piece of Spec that is wrong
	Reason string
	Err    error // a sentinel of this package or what the system answered; nil if the syntax is wrong
}

// Error is one line whatever the parts hold.
func (e *EventError) Error() string {
	if e.Part == e.Spec || e.Part == "" {
		return fmt.Sprintf("event %q: %s", e.Spec, e.Reason)
	}
	return fmt.Sprintf("event %q: %q: %s", e.Spec, e.Part, e.Reason)
}

func (e *EventError) Unwrap() error { return e.Err }

// refuse makes the error of a part. The parser fills in the event.
func refuse(part string, err error, format string, args ...any) *EventError {
	return &EventError{Part: part, Reason: fmt.Sprintf(format, args...), Err: err}
}

// enumerate lists names for an error. POWER machines have a thousand events in
// one PMU; the reader of an error wants to see a typing mistake, not a catalogue.
func enumerate(names []string) string {
	const limit = 40
	if len(names) == 0 {
		return "none"
	}
	if len(names) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
	}
	return strings.Join(names, ", ")
}
