package collect

import (
	"time"

	"github.com/energyprof/energyprof/internal/unwind"
)

// ahead is what the BPF program is told of before a walk lacks it: all code of the small binaries that a sampled process has. A walk
// that gets stuck is finished on a copy of the stack that it is on, whose end is not the thread's where a frame is larger than
// the copy, or where Go has switched stacks.
type ahead struct {
	queue []chunkKey
	seen  map[chunkKey]bool // what is in the queue, or has been
	rows  int               // told
	last  int64             // until when time has been used, CLOCK_MONOTONIC
}

const (
	// aheadCode is the most that a small binary has of code: libc's, or that of a Go program that knows no network.
	aheadCode = 2 << 20
	// aheadRows leaves three quarters of the program's tables to what walks lack.
	aheadRows = 1 << 18
	// aheadPart is the part of the time that compiling may take, aheadMost what it takes at once, and aheadLeast what is
	// worth beginning for.
	aheadPart  = 4
	aheadMost  = int64(2 * time.Millisecond)
	aheadLeast = int64(250 * time.Microsecond)
)

// expect puts the code of a mapping in the queue.
func (a *ahead) expect(m *mapping, code *code) {
	if m.limit-m.start > aheadCode || a.rows >= aheadRows {
		return
	}
	if len(a.queue) == 0 {
		a.last = monotonic()
	}
	for n := (m.start - code.bias) >> unwind.ChunkShift; n <= (m.limit-1-code.bias)>>unwind.ChunkShift; n++ {
		if key := (chunkKey{code.module.ID, n}); !a.seen[key] {
			a.seen[key] = true
			a.queue = append(a.queue, key)
		}
	}
}

// tellAhead tells the program of what is in the queue, as far as there is time for it. Programs that end at once cost nothing.
func (c *Collector) tellAhead() {
	l := &c.unwinder.loader
	a := &l.ahead
	if len(a.queue) == 0 {
		return
	}
	now := monotonic()
	left := min((now-a.last)/aheadPart, aheadMost)
	if left < aheadLeast {
		return
	}
	for len(a.queue) > 0 && left > 0 {
		key := a.queue[0]
		a.queue = a.queue[1:]
		if _, told := l.chunks[key]; told {
			continue
		}
		if a.rows += c.tellChunks([]chunkKey{key}); a.rows >= aheadRows {
			a.queue = nil
		}
		begin := now
		now = monotonic()
		left -= now - begin
	}
	a.last = now + max(0, -left)*aheadPart // what one took too long the next ones wait for
}
