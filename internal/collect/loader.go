package collect

import (
	"fmt"
	"slices"
	"time"

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
	ahead  ahead
	err    error // the first
}

type loadedSpace struct {
	generation uint64 // of the mappings that were told
	at         int64  // CLOCK_MONOTONIC
	astray     int    // walks that came to no mapping although it knew them all
	since      int64  // the time of the first of them
}

// So many walks that go astray within a second, while nothing is mapped, are of code that keeps no frame pointers and has no tables. Each brings a
// copy of the stack, which helps nobody: from then on they bring none, until something is mapped. New code
// is not known before the next drain, so this is not for the few that any program has.
const manyAstray = 64

type chunkKey struct {
	module uint32
	number uint64
}

func newLoader() loader {
	return loader{spaces: map[bpf.SpaceKey]*loadedSpace{}, keys: map[*process][]bpf.SpaceKey{},
		stale: map[*process]bool{}, chunks: map[chunkKey]int64{}, ahead: ahead{seen: map[chunkKey]bool{}}}
}

func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// lacks gives the program what a walk of a process lacked, and what it would have lacked next: the tables of all
// addresses that it came to once it was finished. Every lack costs a copy of the stack with each sample until
// it is told of.
func (c *Collector) lacks(p *process, w *walk) {
	l := &c.unwinder.loader
	var keys []chunkKey
	switch s := l.spaces[w.Space]; w.Missing {
	case bpf.MissingSpace:
		if s == nil || s.at < w.time {
			c.tellSpace(p, w.Space)
		}
	case bpf.MissingMapping:
		if s == nil || s.generation != p.space.generation {
			c.tellSpace(p, w.Space)
		} else if s.at < w.time && s.strayed(w.time) {
			c.opt.Stacks.BPF.Sure(w.Space)
		}
	case bpf.MissingChunk:
		key := chunkKey{w.MissingModule, w.MissingNumber}
		if at, told := l.chunks[key]; (!told || at < w.time) && key.module > 0 && int(key.module) <= len(c.unwinder.byID) {
			keys = append(keys, key) // if it was told, it has been forgotten since
		}
	default:
		return
	}
	for _, addr := range w.Frames {
		if key, ok := c.chunkOf(p, addr); ok {
			if _, told := l.chunks[key]; !told && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	if len(keys) > 0 {
		c.tellChunks(keys)
	}
}

// chunkOf is the piece of a binary that a return address of a process lies in.
func (c *Collector) chunkOf(p *process, addr uint64) (chunkKey, bool) {
	m := p.space.find(addr - 1)
	if m == nil {
		return chunkKey{}, false
	}
	code := c.code(p, m)
	if code.failed || code.module == nil {
		return chunkKey{}, false
	}
	return chunkKey{code.module.ID, (addr - 1 - code.bias) >> unwind.ChunkShift}, true
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
			l.ahead.expect(m, code)
		}
		list = append(list, told)
	}
	if err := c.opt.Stacks.BPF.SetSpace(key, list); err != nil {
		l.fail(fmt.Errorf("the mappings of process %d: %w", p.pid, err))
	}
	*s = loadedSpace{generation: p.space.generation, at: monotonic()}
}

// strayed counts a walk that has gone astray, and tells whether they are many.
func (s *loadedSpace) strayed(at int64) bool {
	if s.astray == 0 || at-s.since > int64(time.Second) {
		s.astray, s.since = 0, at
	}
	s.astray++
	return s.astray == manyAstray
}

// tellChunks tells the program the rows of pieces of binaries, and returns how many.
func (c *Collector) tellChunks(keys []chunkKey) (told int) {
	u := &c.unwinder
	rows := make([]unwind.Chunk, len(keys))
	for i, key := range keys {
		rows[i] = u.byID[key.module-1].Chunk(key.number)
	}
	// Compiling them has made rules that they name.
	if err := c.opt.Stacks.BPF.SetRules(u.rules.List()); err != nil {
		u.loader.fail(fmt.Errorf("unwind rules: %w", err))
		return 0
	}
	for i, key := range keys {
		if err := c.opt.Stacks.BPF.Load(key.module, key.number, rows[i]); err != nil {
			u.loader.fail(fmt.Errorf("unwind tables: %w", err))
		}
		u.loader.chunks[key] = monotonic()
		told += len(rows[i])
	}
	return told
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
