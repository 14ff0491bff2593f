package session

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// loop waits for rings, clocks, signals and the end of the target, all in this
// goroutine.
func (r *recording) loop() error {
	begin := monotonic()
	nextTick := begin + int64(tick)
	nextHurry := r.nextHurry(begin)
	sampleFrom := begin + int64(r.opt.Delay)
	drained := begin
	for {
		now := monotonic()
		wake := min(nextTick, nextHurry)
		for _, p := range r.polled {
			wake = min(wake, p.next)
		}
		if !r.sampling {
			wake = min(wake, sampleFrom)
		} else if r.opt.Duration > 0 {
			wake = min(wake, r.result.Start+int64(r.opt.Duration))
		}
		full, end, err := r.wait(time.Duration(max(0, wake-now)))
		if err != nil {
			return err
		}
		now = monotonic()
		if !r.sampling && now >= sampleFrom && !end {
			if err := r.beginSampling(); err != nil {
				return err
			}
		}
		if r.sampling && r.opt.Duration > 0 && now >= r.result.Start+int64(r.opt.Duration) {
			end = true
		}
		if end {
			return nil
		}
		r.poll(now)
		if full && r.opt.hurries() {
			full, nextHurry = false, min(nextHurry, drained+int64(hurried))
		}
		if full || now >= nextTick {
			r.pollBusy(now, false)
			r.drain()
			if err := r.followCPUs(); err != nil {
				r.note(NoteHotplug, "a CPU that came online is not sampled: %v", err)
			}
			drained, nextTick, nextHurry = now, now+int64(tick), r.nextHurry(now)
		} else if now >= nextHurry {
			r.hurry()
			drained, nextHurry = now, r.nextHurry(now)
		}
	}
}

// wait sleeps until a ring is nearly full, the target ended, a signal came or
// the time is over.
func (r *recording) wait(timeout time.Duration) (full, end bool, err error) {
	fds := []unix.PollFd{{Fd: int32(r.signals.FD), Events: unix.POLLIN}}
	for _, fd := range r.pidfds {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	firstRing := len(fds)
	var rings []*cpuRing
	for _, c := range r.rings {
		if !c.hungUp {
			fds = append(fds, unix.PollFd{Fd: int32(c.owner.FD()), Events: unix.POLLIN})
			rings = append(rings, c)
		}
	}
	ts := unix.NsecToTimespec(int64(timeout))
	if _, err := unix.Ppoll(fds, &ts, nil); err != nil && err != unix.EINTR {
		return false, false, fmt.Errorf("waiting for the rings: %w", err)
	}
	if fds[0].Revents != 0 {
		for _, sig := range r.signals.Take() {
			end = r.signal(sig) || end
		}
	}
	alive := r.pidfds[:0]
	for i, fd := range r.pidfds {
		if fds[1+i].Revents == 0 {
			alive = append(alive, fd)
		} else if r.command == nil {
			unix.Close(fd)
		}
	}
	if len(alive) == 0 && len(r.pidfds) > 0 {
		end = true
	}
	r.pidfds = alive
	for i, c := range rings {
		switch ev := fds[firstRing+i].Revents; {
		case ev&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0:
			// Its task is gone but others may still write to the ring: the tick
			// goes on draining it.
			c.hungUp = true
		case ev&unix.POLLIN != 0:
			full = true
		}
	}
	return full, end, nil
}
