package collect

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/unwind"
)

// loader brings to the BPF program what walks lacked. Walks that were made before it came can still be on their way, so
// that when is kept with what.
type loader struct {
	spaces map[bpf.SpaceKey]*loadedSpace
	keys   map[*process][]bpf.SpaceKey
	stale  map[*process]bool // what is mapped has changed since it was told
	chunks map[chunkKey]int64
	err    error // the first
}

type loadedSpace struct {
	generation uint64 // of the mappings that were told
	at         int64  // CLOCK_MONOTONIC
}

type chunkKey struct {
	module uint32
	number uint64
}

func newLoader() loader {
	return loader{spaces: map[bpf.SpaceKey]*loadedSpace{}, keys: map[*process][]bpf.SpaceKey{},
		stale: map[*process]bool{}, chunks: map[chunkKey]int64{}}
}

func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// lacks gives the program what a walk of a process lacked.
func (c *Collector) lacks(p *process, w *walk) {
	l := &c.unwinder.loader
	switch w.Missing {
	case bpf.MissingSpace:
		if s := l.spaces[w.Space]; s == nil || s.at < w.time {
			c.tellSpace(p, w.Space)
		}
	case bpf.MissingMapping:
		if s := l.spaces[w.Space]; s == nil || s.generation != p.space.generation {
			c.tellSpace(p, w.Space)
		}
	case bpf.MissingChunk:
		key := chunkKey{w.MissingModule, w.MissingNumber}
		if at, ok := l.chunks[key]; !ok || at < w.time {
			c.tellChunk(key)
		}
	}
}

// tellSpace tells the program what is mapped in a process.
func (c *Collector) tellSpace(p *process, key bpf.SpaceKey) {
	l := &c.unwinder.loader
	s := l.spaces[key]
	if s == nil {
		s = &loadedSpace{}
		l.spaces[key] = s
		l.keys[p] = append(l.keys[p], key)
	}
	list := make([]bpf.StackMapping, 0, len(p.space.mappings))
	for _, m := range p.space.mappings {
		code := c.code(p, m)
		told := bpf.StackMapping{Start: m.start, Limit: m.limit, Bias: code.bias, Kind: bpf.Tables}
		switch {
		case code.failed:
			told.Kind = bpf.NoTables
		case code.module == nil:
			told.Kind = bpf.FramePointers
		default:
			told.Module = code.module.ID
		}
		list = append(list, told)
	}
	if err := c.opt.Stacks.BPF.SetSpace(key, list); err != nil {
		l.fail(fmt.Errorf("the mappings of process %d: %w", p.pid, err))
	}
	s.generation, s.at = p.space.generation, monotonic()
}

// tellChunk tells the program the rows of a piece of a binary.
func (c *Collector) tellChunk(key chunkKey) {
	u := &c.unwinder
	if key.module == 0 || int(key.module) > len(u.byID) {
		u.loader.fail(fmt.Errorf("rows of module %d of %d", key.module, len(u.byID)))
		return
	}
	rows := u.byID[key.module-1].Chunk(key.number)
	err := c.opt.Stacks.BPF.SetRules(u.rules.List())
	if err == nil {
		err = c.opt.Stacks.BPF.Load(key.module, key.number, rows)
	}
	if err != nil {
		u.loader.fail(fmt.Errorf("unwind tables: %w", err))
	}
	u.loader.chunks[key] = monotonic()
}

func (l *loader) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// remapped remembers that the mappings of a process are not those that the program knows.
func (l *loader) remapped(p *process) {
	if len(l.keys[p]) > 0 {
		l.stale[p] = true
	}
}

// refresh tells the program what has been mapped since: else it would walk by the tables of what was there before.
func (c *Collector) refresh() {
	l := &c.unwinder.loader
	for p := range l.stale {
		for _, key := range l.keys[p] {
			if l.spaces[key].generation != p.space.generation {
				c.tellSpace(p, key)
			}
		}
	}
	clear(l.stale)
}

// unload makes the program forget a process that has ended, or executed another program.
func (c *Collector) unload(p *process) {
	l := &c.unwinder.loader
	for _, key := range l.keys[p] {
		c.opt.Stacks.BPF.Drop(key)
		delete(l.spaces, key)
	}
	delete(l.keys, p)
	delete(l.stale, p)
}

// newModule numbers the tables of a binary.
func (u *unwinder) newModule(img unwind.Image) *unwind.Module {
	m := unwind.NewModule(img, u.rules, uint32(len(u.byID)+1))
	u.byID = append(u.byID, m)
	return m
}
