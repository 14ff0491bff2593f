package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// leave is what the counter is told at the end of any function.
var leave = []byte{'-'}

// openCounter returns the simulated counter's file, which wants to know what each
// thread runs.
func openCounter() (int, error) {
	const device = "/dev/simrapl"
	fd, err := unix.Open(device, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w (-mute does without)", device, err)
	}
	return fd, nil
}

// openPMU returns the simulated PMU's file, which wants to know what memory each
// thread walks.
func openPMU() (int, error) {
	const device = "/dev/simpmu"
	fd, err := unix.Open(device, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", device, err)
	}
	return fd, nil
}

// tell writes a statement, if there is a file and a statement.
//
//go:nosplit
func tell(fd int, statement []byte) syscall.Errno {
	if fd < 0 || len(statement) == 0 {
		return 0
	}
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(statement))), uintptr(len(statement)))
	return errno
}

// once runs a function, and tells the counter and the PMU before and after, where
// there is something to say. In one go: no clock, and no place at which the Go
// scheduler, which finds that 10 ms are enough, takes the thread off its processor.
//
//go:nosplit
func (p *plan) once(f *function, rounds int) syscall.Errno {
	walked := leave
	if f.walk == nil {
		walked = nil
	}
	if errno := tell(p.pmu, f.walk); errno != 0 {
		return errno
	}
	if errno := tell(p.counter, f.enter); errno != 0 {
		return errno
	}
	f.code(f.memory, rounds)
	if errno := tell(p.counter, leave); errno != 0 {
		return errno
	}
	return tell(p.pmu, walked)
}

// calibrate finds out how fast the functions are here.
func (p *plan) calibrate() error {
	const rounds = 200000
	for i := range p.functions {
		f := &p.functions[i]
		before := now()
		if errno := p.once(f, rounds); errno != 0 {
			return fmt.Errorf("telling %q, %q: %w", f.enter, f.walk, errno)
		}
		f.rate = rounds / (now() - before).Seconds()
	}
	return nil
}

// sleep is one that the Go scheduler does not see: it would look for other work
// and wake a thread for it.
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// withoutPreemption starts this program again, with a Go runtime that sends its
// threads no signals, and whose own threads take no CPU from them. The first is for
// the environment alone, the second must be so before there are such threads.
func withoutPreemption() error {
	const variable, off = "GODEBUG", "asyncpreemptoff=1"
	if os.Getenv(variable) == off {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	os.Setenv(variable, off)
	if err := schedule(unix.SCHED_IDLE); err != nil {
		return err
	}
	return unix.Exec(self, os.Args, os.Environ())
}

// schedule gives the calling thread a policy, which it passes on to those it makes. A
// real-time one is of the lowest priority.
func schedule(policy uint32) error {
	a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy}
	if policy == unix.SCHED_FIFO {
		a.Priority = 1
	}
	if err := unix.SchedSetAttr(0, &a, 0); err != nil {
		return fmt.Errorf("scheduling policy %d: %w", policy, err)
	}
	return nil
}
