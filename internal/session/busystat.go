package session

import (
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// statTimes reads the kernel's account of each CPU's busy time from /proc/stat,
// in windows of a second or more since it counts in ticks of 10 ms, and holds
// a window back until the samples of the same time have been delivered.
type statTimes struct {
	proc    procfs.FS
	on      bool
	at      int64             // time of the last reading, CLOCK_MONOTONIC ns
	busy    map[int64]float64 // seconds since boot per CPU at that time
	pending []busyWindowOf
}

type busyWindowOf struct {
	cpu          int
	from, to, ns int64
}

// start takes the first reading. Without /proc/stat what others used stays
// unknown, and the caller says so.
func (b *statTimes) start(root string) error {
	proc, err := procfs.NewFS(root)
	if err != nil {
		return err
	}
	b.proc = proc
	if b.at, b.busy, err = b.read(); err != nil {
		return err
	}
	b.on = true
	return nil
}

func (b *statTimes) read() (int64, map[int64]float64, error) {
	before := monotonic()
	stat, err := b.proc.Stat()
	if err != nil {
		return 0, nil, fmt.Errorf("busy time of the CPUs: %w", err)
	}
	at := before + (monotonic()-before)/2
	busy := make(map[int64]float64, len(stat.CPU))
	for cpu, t := range stat.CPU {
		// Guest time is part of user time; steal is not ours; iowait is idle.
		busy[cpu] = t.User + t.Nice + t.System + t.IRQ + t.SoftIRQ
	}
	return at, busy, nil
}

// poll closes the window if it is long enough, or at the end of the recording.
func (b *statTimes) poll(now int64, end bool) {
	if !b.on || now-b.at < int64(busyWindow) && !end {
		return
	}
	at, busy, err := b.read()
	if err != nil {
		return // the next window will cover this one
	}
	for cpu, s := range busy {
		old, seen := b.busy[cpu]
		if !seen {
			continue // the CPU came online in this window
		}
		ns := int64((s - old) * float64(time.Second))
		// A tick of 10 ms can be longer than the window.
		b.pending = append(b.pending, busyWindowOf{int(cpu), b.at, at, min(max(0, ns), at-b.at)})
	}
	b.at, b.busy = at, busy
}

// deliver hands over the windows that ended before until.
func (b *statTimes) deliver(until int64, sink Sink) {
	kept := b.pending[:0]
	for _, w := range b.pending {
		if w.to <= until {
			sink.Busy(w.cpu, w.from, w.to, w.ns)
		} else {
			kept = append(kept, w)
		}
	}
	b.pending = kept
}
