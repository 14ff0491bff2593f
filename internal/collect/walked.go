package collect

import (
	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
)

// walks are those of a CPU for which no sample has come yet. A sample that interrupts another one comes between
// that and its walk.
type walks struct {
	list [4]walk
	next int
}

// walk is what BPF said of a sample that is to come.
type walk struct {
	bpf.Walked
	raw  []byte // what Walked lies in
	time int64
	open bool // its sample has not come
}

// walked keeps a walk until its sample comes.
func (c *Collector) walked(state *cpuState, s *perfring.Sample) {
	if c.opt.Stacks.BPF == nil {
		return
	}
	if state.walks == nil {
		state.walks = &walks{}
	}
	w := &state.walks.list[state.walks.next]
	w.raw = append(w.raw[:0], s.RawData...)
	w.time = int64(s.Time)
	if w.open = bpf.DecodeWalk(w.raw, &w.Walked) == nil; !w.open {
		c.books.BadWalks++
		return
	}
	state.walks.next = (state.walks.next + 1) % len(state.walks.list)
}

// take returns the walk of a sample, nil without one. The program still knows the ids of a task that is being reaped.
func (ws *walks) take(s *perfring.Sample) *walk {
	if ws == nil {
		return nil
	}
	is := func(walked, sampled uint32) bool { return walked == sampled || sampled == goneID }
	for i := range ws.list {
		w := &ws.list[(ws.next+len(ws.list)-1-i)%len(ws.list)] // the latest first
		if w.open && is(w.TID, s.TID) && is(w.PID, s.PID) && w.IP == s.IP {
			w.open = false
			return w
		}
	}
	return nil
}

// bare tells whether a walk found no memory where the stack pointer is: copies begin there or below it, or else at the first page that can be
// read. It is of a thread that has given up its memory, as in execve before the stack of the new program is there.
func (w *walk) bare() bool {
	return len(w.Stack) == 0 && w.Base > stackPointer(native(), &w.Regs)
}

// fromWalk completes a sample by the walk that came before it, which is finished here if it got stuck.
func (c *Collector) fromWalk(state *cpuState, s *perfring.Sample) {
	user := s.CPUMode() == perfring.MiscUser
	kernels, callers := c.parts(s)
	w := state.walks.take(s)
	c.tellAhead()
	if w == nil {
		if user || len(c.processOf(s).space.mappings) > 0 { // else a thread of the kernel
			c.books.NoWalk++
			c.ended(s, kernels, c.innermost(s, callers), unwind.NoStack)
		}
		return
	}
	frames, outcome := w.Frames, w.Outcome
	if w.Stuck {
		p := c.processOf(s)
		frames, outcome = c.unwinder.walker(native()).Resume(frames, c.walkSpace(p), &w.Regs, w.Stack, w.Base, c.opt.MaxDepth, w.First)
		if !user && (p.between(outcome) || w.bare()) {
			return
		}
		w.Frames = frames
		c.lacks(p, w)
	}
	if len(frames) == 0 {
		if !user && outcome != unwind.OtherWidth {
			return // a thread of the kernel, or one that has given up its memory
		}
		frames = c.innermost(s, callers)
	}
	if room := c.room(kernels); len(frames) > room {
		frames, outcome = frames[:room], unwind.Deep
	}
	chain := append(c.startOf(kernels), perfring.ContextUser)
	c.put(s, append(chain, frames...), outcome)
}
