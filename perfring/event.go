package perfring

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Event is an open perf event. Its methods may be called from one goroutine
// at a time.
type Event struct {
	Attr Attr
	PID  int    // as given to Open: a thread id, 0 for the caller, -1 for all
	CPU  int    // as given to Open; -1 for any
	ID   uint64 // the number by which records name the event

	fd int
}

// OpenError says which event perf_event_open(2) refused, and why.
type OpenError struct {
	Attr     Attr
	PID, CPU int
	Errno    syscall.Errno
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("open perf event type %d config %#x on pid %d cpu %d: %v",
		e.Attr.Type, e.Attr.Config, e.PID, e.CPU, e.Errno)
}

func (e *OpenError) Unwrap() error { return e.Errno }

// Open opens the event that a describes for the thread pid (0 the caller, -1
// all) on cpu (-1 any), in the group of leader unless that is nil. The file
// descriptor is closed on exec. If the kernel refuses, the error is an
// *OpenError.
func Open(a *Attr, pid, cpu int, leader *Event) (*Event, error) {
	raw, err := a.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	group := -1
	if leader != nil {
		// A closed leader has -1, which the kernel takes for "no group".
		if leader.fd < 0 {
			return nil, fmt.Errorf("open perf event: group leader is closed: %w", unix.EBADF)
		}
		group = leader.fd
	}
	fd, errno := openEvent(raw, pid, cpu, group)
	runtime.KeepAlive(leader)
	if errno != 0 {
		return nil, &OpenError{Attr: *a, PID: pid, CPU: cpu, Errno: errno}
	}
	e := &Event{Attr: *a, PID: pid, CPU: cpu, fd: fd}
	if err := e.control("read id", unix.PERF_EVENT_IOC_ID, uintptr(unsafe.Pointer(&e.ID))); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func openEvent(attr []byte, pid, cpu, group int) (int, syscall.Errno) {
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_PERF_EVENT_OPEN, uintptr(unsafe.Pointer(&attr[0])),
			uintptr(pid), uintptr(cpu), uintptr(group), unix.PERF_FLAG_FD_CLOEXEC, 0)
		// The kernel waits interruptibly for a task that is in execve.
		if errno == unix.EINTR {
			continue
		}
		return int(fd), errno
	}
}

// FD is the file descriptor, for poll(2) and BPF; -1 after Close.
func (e *Event) FD() int { return e.fd }

// Enable starts the event alone. The members of a group count only while
// their leader is enabled.
func (e *Event) Enable() error { return e.control("enable", unix.PERF_EVENT_IOC_ENABLE, 0) }

// Disable stops the event alone.
func (e *Event) Disable() error { return e.control("disable", unix.PERF_EVENT_IOC_DISABLE, 0) }

// Reset sets the count, but not the times, to zero.
func (e *Event) Reset() error { return e.control("reset", unix.PERF_EVENT_IOC_RESET, 0) }

// EnableGroup starts all members of the group that e leads or belongs to.
func (e *Event) EnableGroup() error {
	return e.control("enable group", unix.PERF_EVENT_IOC_ENABLE, unix.PERF_IOC_FLAG_GROUP)
}

// DisableGroup stops all members of the group that e leads or belongs to.
func (e *Event) DisableGroup() error {
	return e.control("disable group", unix.PERF_EVENT_IOC_DISABLE, unix.PERF_IOC_FLAG_GROUP)
}

// Refresh enables the event for n more overflows, after which the kernel
// disables it.
func (e *Event) Refresh(n int) error {
	return e.control("refresh", unix.PERF_EVENT_IOC_REFRESH, uintptr(n))
}

// SetPeriod changes the period, in events, or the frequency, in Hz with
// FlagFreq, from the next overflow on.
func (e *Event) SetPeriod(period uint64) error {
	return e.control("set period", unix.PERF_EVENT_IOC_PERIOD, uintptr(unsafe.Pointer(&period)))
}

// SetOutput sends the records of e to the ring of to, or back to its own if
// to is nil. Both must be on one CPU and have the same clock, to must be
// mapped and e must not be; otherwise the error is EINVAL.
func (e *Event) SetOutput(to *Event) error {
	fd := -1
	if to != nil {
		if to.fd < 0 {
			return fmt.Errorf("perf event %d: set output: the target is closed: %w", e.ID, unix.EBADF)
		}
		fd = to.fd
	}
	return e.control("set output", unix.PERF_EVENT_IOC_SET_OUTPUT, uintptr(fd))
}

// SetFilter sets the filter expression of a tracepoint, or the address
// filters of a PMU that has them.
func (e *Event) SetFilter(filter string) error {
	p, err := unix.BytePtrFromString(filter)
	if err != nil {
		return fmt.Errorf("perf event %d: set filter %q: %w", e.ID, filter, err)
	}
	return e.control("set filter", unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(p)))
}

// SetBPF lets the BPF program with that file descriptor, of type BPF_PROG_TYPE_PERF_EVENT, run at each overflow of e
// and of the copies of it that children inherit from then on. Where it returns 0 there is no sample. The kernel
// refuses it for events of tracepoints (EINVAL), and a second program (EEXIST).
func (e *Event) SetBPF(program int) error {
	return e.control("set BPF program", unix.PERF_EVENT_IOC_SET_BPF, uintptr(program))
}

// Close closes the event. A ring that was mapped from it stays readable.
func (e *Event) Close() error {
	fd := e.fd
	e.fd = -1
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("close perf event %d: %w", e.ID, err)
	}
	return nil
}

// control calls ioctl(2).
//
//go:uintptrescapes
func (e *Event) control(what string, request, arg uintptr) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(e.fd), request, arg)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return fmt.Errorf("perf event %d: %s: %w", e.ID, what, errno)
	}
}
