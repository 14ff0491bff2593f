package pebs

import (
	"errors"
	"strings"
)

// ErrNone says that no PMU of this machine samples accesses to memory, for this user.
var ErrNone = errors.New("nothing here samples accesses to memory")

// ErrTrace says that a PMU writes a trace into a ring of its own (AUX), and no samples:
// Arm's SPE. perf decodes it into samples.
var ErrTrace = errors.New("it writes a trace, and no samples")

// Refusal is something that an event has to do without.
type Refusal struct {
	What string // "precise_ip 3", "physical addresses"
	Why  string // in plain English, without the errno
	Err  error  // what the kernel answered, a *perfring.OpenError; nil if it was not asked
}

// Reason is why a PMU samples nothing of what was asked for.
type Reason struct {
	PMU     string // "cpu", "ibs_op"; an event that was written by hand
	Why     string // in plain English, with the errno's name where the kernel answered
	Err     error  // ErrTrace, or what the kernel answered last, a *perfring.OpenError; nil if it was not asked
	Refused []Refusal
}

func (r Reason) Error() string { return r.PMU + ": " + r.Why }

func (r Reason) Unwrap() error { return r.Err }

// NoneError is ErrNone with the reason of each PMU that was looked at.
type NoneError struct{ Reasons []Reason }

func (e *NoneError) Error() string {
	texts := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		texts[i] = r.Error()
	}
	return ErrNone.Error() + ": " + strings.Join(texts, "; ")
}

func (e *NoneError) Unwrap() []error {
	errs := []error{ErrNone}
	for _, r := range e.Reasons {
		errs = append(errs, r)
	}
	return errs
}
