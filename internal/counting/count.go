package counting

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
)

// count is the state of one Count.
type count struct {
	opt     Options
	each    func(Reading) error
	signals *launch.Signals
	child   atomic.Pointer[launch.Command] // of the present repeat, for the signal goroutine
	result  *Result
	files   unix.Rlimit // of open files, of the first repeat's command
}

func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// Count counts. each, if it is not nil, is given a Reading for every interval, the last of
// which may be short; together they are the repeat. It is called from the goroutine that
// counts, and its error ends counting. The error of Count is that, when the command has
// ended, too, or is of what prevented counting; no command has been executed then, or
// not this time. The caller closes the Result.
//
// A signal that ends counting (launch.Ends) is passed on to the command, which gets a
// moment to end before the last reading.
func Count(opt Options, each func(Reading) error) (*Result, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	c := &count{opt: opt, each: each, result: &Result{}}
	var err error
	if c.signals, err = launch.Catch(c.second); err != nil {
		return nil, err
	}
	c.result.signals = c.signals
	for repeat := range max(1, opt.Repeats) {
		if repeat > 0 {
			if err = c.reapBefore(); err != nil || c.take() || c.result.Signal != 0 {
				break
			}
		}
		if err = c.once(repeat); err != nil || c.result.Signal != 0 {
			break
		}
	}
	c.signals.Release(c.pass)
	if err != nil {
		c.result.Wait() // what it was started for matters more than the numbers
		c.result.Close()
		return nil, err
	}
	return c.result, nil
}

// once is one repeat, from opening to closing.
func (c *count) once(repeat int) error {
	r := repetition{count: c, Run: Run{Reading: Reading{Repeat: repeat}}}
	defer r.close()
	if err := r.open(); err != nil {
		if r.command != nil {
			r.command.Abandon()
		}
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	err := r.loop()
	if r.command != nil {
		if failed := r.command.Began(); failed != nil {
			return failed
		}
	}
	if err == nil {
		err = r.stop()
		c.result.Runs = append(c.result.Runs, r.Run)
	}
	c.result.pending = r.command
	if err == nil && r.command != nil && r.ended {
		if err = c.result.Wait(); err == nil {
			c.noteIdentity(&c.result.Runs[repeat])
		}
	}
	return err
}

// reapBefore waits for the command of the repeat before, if that outlives its counting, but
// not after a signal that ends counting.
func (c *count) reapBefore() error {
	for c.result.Running() {
		fds := []unix.PollFd{{Fd: int32(c.signals.FD), Events: unix.POLLIN}, {Fd: int32(c.result.pending.PIDFD), Events: unix.POLLIN}}
		if _, err := unix.Ppoll(fds, nil, nil); err != nil && err != unix.EINTR {
			return fmt.Errorf("waiting for the command: %w", err)
		}
		if fds[0].Revents != 0 && c.take() {
			return nil
		}
		if fds[1].Revents != 0 {
			return c.result.Wait()
		}
	}
	return nil
}

// take passes on the signals that have come and tells whether one of them ends counting.
func (c *count) take() (end bool) {
	for _, sig := range c.signals.Take() {
		c.pass(sig)
		if launch.Ends(sig) {
			c.result.Signal, end = sig, true
		}
	}
	return end
}

// pass passes sig on to the command. It may be called from any goroutine.
func (c *count) pass(sig syscall.Signal) {
	if command := c.child.Load(); command != nil {
		command.Signal(sig)
	}
}

// second is called for the second signal, from the signal's goroutine.
func (c *count) second(sig os.Signal) {
	c.pass(sig.(syscall.Signal))
	if c.opt.Abort != nil {
		c.opt.Abort(sig)
	}
}

// Wait waits for a command that outlives its counting.
func (r *Result) Wait() error {
	if r.pending == nil {
		return nil
	}
	exit, used, err := r.pending.Wait()
	r.pending = nil
	if err != nil {
		return err
	}
	if len(r.Runs) > 0 {
		run := &r.Runs[len(r.Runs)-1]
		run.Exit, run.Usage = &exit, used
	}
	return nil
}

// Close gives the signals back to their default actions.
func (r *Result) Close() {
	if r.signals != nil {
		r.signals.Close()
		r.signals = nil
	}
}

func (o *Options) check() error {
	switch {
	case len(o.Command) == 0 && len(o.PIDs) == 0 && !o.All:
		return errors.New("nothing to count: no command, processes or CPUs")
	case len(o.PIDs) > 0 && o.All:
		return errors.New("either processes or whole CPUs are counted")
	case o.CPUs != nil && !o.All:
		return errors.New("a list of CPUs is for counting whole CPUs")
	case o.Repeats > 1 && len(o.Command) == 0 && o.Duration == 0:
		return errors.New("repeats need a command or a duration")
	case o.Repeats < 0 || o.Interval < 0 || o.Delay < 0 || o.Duration < 0:
		return errors.New("repeats and times cannot be negative")
	}
	return nil
}

// signalGrace is what a command that was told to end gets before the last reading.
const signalGrace = time.Second
