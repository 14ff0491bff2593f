package counting

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/uncore"
)

// repetition is the state of one repeat.
type repetition struct {
	*count
	Run

	command  *launch.Command
	waiter   *waiter
	pidfds   []int
	counters *uncore.Counters // nil without events

	counting  bool  // the delay is over
	started   int64 // when the command got its go-ahead, or else From
	cpus      []int // that were online when all were to be counted on
	processes int   // how many of PIDs run, without a command
	ended     bool  // the command, or all processes, have ended

	first, last point // where the repeat and the present interval began
	latest      point // the last one with a reading of the energy
}

// energyEvery is the longest time between two readings of the energy source: counters of
// 32 bits, at the resolution that servers have, wrap after 13 s at 5 kW.
const energyEvery = time.Second

// open prepares everything that can fail, before the command runs.
func (r *repetition) open() (err error) {
	if len(r.opt.Command) > 0 {
		if r.command, err = launch.Start(r.opt.Command); err != nil {
			return err
		}
		r.child.Store(r.command)
		if err := r.keepFileLimit(); err != nil {
			return err
		}
	}
	switch {
	case len(r.opt.PIDs) > 0:
		if err := r.openProcesses(); err != nil {
			return err
		}
	case r.opt.All:
		r.cpus = r.online()
		err = r.openCounters(uncore.Target{CPUs: r.opt.CPUs})
	default:
		err = r.openCounters(uncore.Target{Threads: []int{r.command.PID}, OnExec: r.opt.Delay == 0, Inherit: !r.opt.NoInherit})
	}
	if err != nil {
		return err
	}
	if r.counters != nil {
		r.Counters = r.counters.List()
		r.Counts = make([]perfring.Count, len(r.Counters))
	}
	if err := r.watch(); err != nil {
		return err
	}
	for _, c := range r.Counters {
		if c.UserOnly || c.Err != nil && errors.Is(c.Err, uncore.ErrKernelOnly) {
			r.result.note(NoteUserOnly, "this user may not count in the kernel: only user code is counted")
			break
		}
	}
	return nil
}

// watch says what to wait for.
func (r *repetition) watch() (err error) {
	if r.waiter, err = newWaiter(); err != nil {
		return err
	}
	fds := []int{r.signals.FD}
	if r.command != nil {
		fds = append(fds, r.command.PIDFD)
	} else {
		fds = append(fds, r.pidfds...)
		r.processes = len(r.pidfds)
	}
	for _, fd := range fds {
		if err := r.waiter.add(fd); err != nil {
			return err
		}
	}
	return nil
}

// start lets the target and the clocks run.
func (r *repetition) start() error {
	if r.opt.Delay == 0 {
		if err := r.begin(); err != nil {
			if r.command != nil {
				r.command.Abandon()
			}
			return err
		}
	}
	r.started = monotonic()
	if r.command != nil {
		return r.command.Begin()
	}
	return nil
}

// begin begins to count.
func (r *repetition) begin() error {
	r.counting = true
	r.first = r.newPoint()
	if r.opt.Energy != nil {
		r.first.readEnergy(r.opt.Energy, nil)
	}
	r.first.t = monotonic()
	r.last, r.latest = r.first, r.first
	if r.counters != nil {
		if err := r.counters.Enable(); err != nil {
			return err
		}
	}
	return nil
}

// loop waits for clocks, signals and the end of the target, all in this goroutine.
func (r *repetition) loop() error {
	began := monotonic()
	countFrom := began + int64(r.opt.Delay)
	var nextInterval, nextEnergy, until int64
	schedule := func() {
		nextInterval = r.first.t + int64(r.opt.Interval)
		nextEnergy = r.first.t + int64(energyEvery)
		until = r.first.t + int64(r.opt.Duration)
	}
	if r.counting {
		schedule()
	}
	for {
		now := monotonic()
		if !r.counting && now >= countFrom {
			if err := r.begin(); err != nil {
				return err
			}
			schedule()
		}
		wake := int64(-1) // no time limit
		at := func(t int64) {
			if wake < 0 || t < wake {
				wake = t
			}
		}
		switch {
		case !r.counting:
			at(countFrom)
		case r.opt.Duration > 0 && now >= until:
			return nil
		default:
			if r.opt.Energy != nil {
				if now >= nextEnergy {
					r.pollEnergy()
					nextEnergy = now + int64(energyEvery)
				}
				at(nextEnergy)
			}
			if r.opt.Interval > 0 && r.each != nil {
				if now >= nextInterval {
					if err := r.emit(r.read(now)); err != nil {
						return err
					}
					// What was missed is not made up for.
					nextInterval += (now - nextInterval + int64(r.opt.Interval)) / int64(r.opt.Interval) * int64(r.opt.Interval)
				}
				at(nextInterval)
			}
			if r.opt.Duration > 0 {
				at(until)
			}
		}
		if err := r.wait(wake); err != nil {
			return err
		}
		if r.ended {
			return nil
		}
		if r.take() {
			if r.command == nil {
				return nil
			}
			// A command that has been told to end is counted to its end.
			r.ended = r.command.Ended(signalGrace)
			return nil
		}
	}
}

// wait sleeps until the target ended, a signal came or it is time; -1 is no limit.
func (r *repetition) wait(until int64) error {
	ready, err := r.waiter.wait(until)
	for _, fd := range ready {
		switch {
		case fd == r.signals.FD:
		case r.command != nil:
			r.ended = true
		default:
			r.waiter.remove(fd)
			r.processes--
			r.ended = r.processes == 0
		}
	}
	return err
}

// stop takes the last reading.
func (r *repetition) stop() error {
	now := monotonic()
	if !r.counting {
		// It ended within the delay.
		r.Reading = r.nothing(now)
		r.Elapsed = time.Duration(now - r.started)
		return nil
	}
	p := r.read(now)
	r.noteHotplug()
	if r.opt.Interval > 0 && r.each != nil {
		if err := r.emit(p); err != nil {
			return err
		}
	}
	r.Reading = r.reading(r.first, p)
	r.Elapsed = time.Duration(p.t - r.started)
	if r.command == nil {
		r.Elapsed = time.Duration(p.t - r.first.t)
	}
	return nil
}

// emit gives the interval that ends at p to the caller.
func (r *repetition) emit(p point) error {
	err := r.each(r.reading(r.last, p))
	r.last = p
	return err
}

func (r *repetition) close() {
	if r.counters != nil {
		r.counters.Close()
	}
	for _, fd := range r.pidfds {
		unix.Close(fd)
	}
	if r.waiter != nil {
		r.waiter.close()
	}
}
