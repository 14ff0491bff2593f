package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/perfring"
)

// open prepares everything that can fail, before the command runs.
func (r *recording) open() error {
	r.prepareBusy()
	var err error
	switch {
	case len(r.opt.Command) > 0:
		if r.command, err = launch.Start(r.opt.Command); err != nil {
			return err
		}
		r.followBusy(r.command.PID)
		r.child.Store(r.command)
		r.pidfds = []int{r.command.PIDFD}
		if err := r.openEverywhere(r.command.PID, r.present); err != nil {
			return err
		}
	case len(r.opt.PIDs) > 0:
		if err := ownProc(r.opt.Proc, os.Getpid()); err != nil {
			return err
		}
		for _, pid := range r.opt.PIDs {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				if err == unix.ESRCH || err == unix.EINVAL {
					err = ErrNoProcess
				}
				return fmt.Errorf("process %d: %w", pid, err)
			}
			r.pidfds = append(r.pidfds, fd)
		}
		r.followBusy(r.opt.PIDs...)
		if err := r.attach(r.opt.PIDs, r.present, r.online); err != nil {
			return err
		}
	default:
		if err := ownProc(r.opt.Proc, os.Getpid()); err != nil {
			return err
		}
		if err := r.openEverywhere(-1, r.online); err != nil {
			return err
		}
	}
	if err := r.checkOpened(); err != nil {
		return err
	}
	return r.openEnergy()
}

// ownProc refuses a /proc in which this process, pid, has another number: `unshare --pid` without a mount of its own leaves
// such a one. Threads and mappings read there would be those of other processes.
func ownProc(proc string, pid int) error {
	self, err := os.Readlink(filepath.Join(proc, "self"))
	if err != nil || self == strconv.Itoa(pid) {
		return nil // what cannot be read is told where it is needed
	}
	return fmt.Errorf("%s: %w: this process is %s there, and %d by itself", proc, ErrForeignProc, self, pid)
}

// openEnergy asks the kernel to stamp energy into samples. Where it cannot, the
// recorder polls.
func (r *recording) openEnergy() error {
	if r.opt.Energy == nil {
		return nil
	}
	err := r.opt.Energy.OpenStamps(func(cpu int) *perfring.Event {
		if c := r.rings[cpu]; c != nil {
			return c.owner
		}
		return nil
	})
	if err != nil {
		return nil // the recorder's books say why
	}
	for _, e := range r.opt.Energy.StampEvents() {
		if err := r.decoder.Add(&e.Attr, e.ID); err != nil {
			return fmt.Errorf("decoding energy stamps: %w", err)
		}
		r.stampID[e.ID] = true
	}
	return nil
}

// start lets the target and the clocks run.
func (r *recording) start() error {
	r.result.Wall = time.Now()
	r.result.Start = monotonic()
	r.horizon = r.result.Start
	if r.opt.Delay == 0 {
		if err := r.beginSampling(); err != nil {
			if r.command != nil {
				r.command.Abandon()
			}
			return err
		}
	} else if r.command == nil {
		if err := r.enable(sidebandEvent); err != nil {
			return err
		}
	}
	if r.command != nil {
		return r.command.Go()
	}
	// The sideband is on: what /proc shows now and what the rings bring from
	// now on leave no gap.
	for _, pid := range r.opt.PIDs {
		err := r.sink.Existing(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has just ended; the others are recorded
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beginSampling turns on energy and the sampling events, unless the execve of
// the command does it.
func (r *recording) beginSampling() error {
	if !r.opt.All {
		// Not before: busy time without samples of the same time would all be others'.
		r.startBusy()
	}
	if err := r.startPolled(); err != nil {
		return err
	}
	r.sampling = true
	r.result.Wall = time.Now()
	r.result.Start = monotonic()
	if r.command != nil && r.opt.Delay == 0 {
		return nil
	}
	for i := range r.opt.Events {
		if err := r.enable(i); err != nil {
			return err
		}
	}
	if r.busy.account != nil {
		// What ran while events were being enabled was not to be sampled yet.
		r.missed.before, _ = r.busy.account.RanOn()
	}
	return nil
}

// enable turns on the events of one index.
func (r *recording) enable(index int) error {
	for _, e := range r.events {
		if e.index != index {
			continue
		}
		if err := e.Enable(); err != nil {
			return fmt.Errorf("enabling %s on CPU %d: %w", r.eventName(index), e.CPU, err)
		}
	}
	return nil
}
