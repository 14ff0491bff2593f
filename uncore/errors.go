package uncore

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// Why an event is not counted while others are.
var (
	// ErrNotSupported says that the kernel or the hardware knows no such event.
	ErrNotSupported = errors.New("not supported")
	// ErrBusy says that somebody else holds the PMU.
	ErrBusy = errors.New("the PMU is busy")
	// ErrKernelOnly says that the event happens in the kernel, where this user may not count.
	ErrKernelOnly = errors.New("this user may not count in the kernel, and nowhere else does it happen")
)

// OpenError names the event that the kernel refused. It wraps fs.ErrPermission where the
// user may not count.
type OpenError struct {
	Event  string // as the user wrote it
	Thread int    // -1: whatever runs on the CPU
	CPU    int    // -1: wherever the thread runs
	Err    error
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("counting %s %s: %s", e.Event, where(e.Thread, e.CPU), answer(e.Err))
}

func (e *OpenError) Unwrap() error { return e.Err }

// MisfitError says which member does not fit into its group, though it can be counted alone.
type MisfitError struct {
	Members []string // as the user wrote them, up to the one that does not fit
	Why     string
	Err     error // what the kernel answered
}

func (e *MisfitError) Error() string {
	last := len(e.Members) - 1
	return fmt.Sprintf("group {%s}: %s does not fit in beside %s: %s (%s)",
		strings.Join(e.Members, ","), e.Members[last], strings.Join(e.Members[:last], ", "), e.Why, answer(e.Err))
}

func (e *MisfitError) Unwrap() error { return e.Err }

func where(thread, cpu int) string {
	if thread >= 0 {
		return fmt.Sprintf("for thread %d", thread)
	}
	return fmt.Sprintf("on CPU %d", cpu)
}

// answer is what the kernel said; what was asked for is named elsewhere.
func answer(err error) string {
	if kernel := (*perfring.OpenError)(nil); errors.As(err, &kernel) {
		return fmt.Sprintf("%v (%s)", kernel.Errno, unix.ErrnoName(kernel.Errno))
	}
	return err.Error()
}
