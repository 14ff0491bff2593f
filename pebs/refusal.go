package pebs

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNone says that no PMU of this machine samples accesses to memory, for this user.
var ErrNone = errors.New("nothing here samples accesses to memory")

// ErrTrace says that a PMU writes a trace into a ring of its own (AUX), and no samples: Arm's
// SPE. perf decodes it into samples.
var ErrTrace = errors.New("it writes a trace, which perf has to decode into samples")

// ErrWholeCPUs says that an event is refused for a process, and not for all that runs on a CPU.
var ErrWholeCPUs = errors.New("only whole CPUs are sampled")

// Refusal is something that an event has to do without.
type Refusal struct {
	What string // "precise_ip 3", "physical addresses"
	Why  string // in plain English
	Err  error  // what the kernel answered, a *perfring.OpenError; nil if it was not asked
}

// String is one line, with the errno's name.
func (r Refusal) String() string { return r.What + ": " + r.answer() }

func (r Refusal) answer() string {
	var errno unix.Errno
	if errors.As(r.Err, &errno) {
		if name := unix.ErrnoName(errno); name != "" {
			return r.Why + " (" + name + ")"
		}
	}
	return r.Why
}

// Reason is why a PMU, or an event, samples nothing of what was asked for.
type Reason struct {
	PMU     string // "cpu", "ibs_op"; or the event that was tried, "cpu/mem-loads/"
	Why     string // in plain English, with the errno's name where the kernel answered
	Err     error  // ErrTrace, a *perfring.OpenError of the last trial, with ErrWholeCPUs if that is it, or what is wrong with the event; nil if nothing was tried
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
