package collect

import (
	"github.com/energyprof/energyprof/internal/symbol"
)

// location is one place in code.
type location struct {
	segment *segment // nil if it lies in no mapping, or is no place at all
	addr    uint64   // in the first process that showed it; 0 if it is no place
	name    string   // of a frame that no symbol table has
	// compiled is what was there when the location was first seen, of code that a process compiled and kept a
	// journal of.
	compiled *symbol.JITFunction
	seen     int64 // when that was
}

// The frames that stand for something other than a place in code.
const (
	frameTruncated  = "[truncated]"  // the stack was cut here, or the copy of it ended
	frameFolded     = "[folded]"     // there were too many different stacks
	frameKernel     = "[kernel]"     // kernel addresses are hidden
	frameGuest      = "[guest]"      // a virtual machine's code
	frameHypervisor = "[hypervisor]" // code below this kernel
	frameUnknown    = "[unknown]"    // in no known mapping; has an address
)

// segment is a mapping as the profile shows it: one for all processes that map the same part of a
// file, wherever they do.
type segment struct {
	start, limit, offset uint64 // in the process that showed it first
	image                image
	owner                *process       // of code that a process made itself, else nil
	binary               *symbol.Binary // nil while it could not be opened
	err                  error          // why not
}

// segmentKey is what mappings of one segment have in common.
type segmentKey struct {
	image        image
	offset, size uint64
	start        uint64 // of memory without a file
	owner        *process
}

type place struct {
	segment *segment
	at      uint64 // from the segment's start; the address itself without a segment
	name    string
}

// locations keeps each location once.
type locations struct {
	list     []location
	index    map[place]int32
	segments map[segmentKey]*segment
	frozen   bool // no new ones: they could be part of no stack
}

func newLocations() locations {
	l := locations{index: map[place]int32{}, segments: map[segmentKey]*segment{}}
	for _, name := range []string{frameTruncated, frameFolded, frameKernel, frameGuest, frameHypervisor} {
		l.frame(name)
	}
	return l
}

// add returns the number of a location, none for a new one that is refused, and whether it is new.
func (l *locations) add(segment *segment, at uint64, name string) (id int32, added bool) {
	key := place{segment, at, name}
	if id, ok := l.index[key]; ok {
		return id, false
	}
	if l.frozen {
		return none, false
	}
	addr := at
	if segment != nil {
		addr += segment.start
	}
	id = int32(len(l.list))
	l.list = append(l.list, location{segment: segment, addr: addr, name: name})
	l.index[key] = id
	return id, true
}

// frame returns the location of a frame without a place.
func (l *locations) frame(name string) int32 {
	id, _ := l.add(nil, 0, name)
	return id
}

// user returns the location of a user address in a process.
func (c *Collector) user(p *process, addr uint64) int32 {
	m := p.space.find(addr)
	if m == nil {
		id, _ := c.stacks.locations.add(nil, addr, frameUnknown)
		return id
	}
	if m.segment == nil {
		if c.stacks.locations.frozen {
			return none
		}
		m.segment = c.segment(p, m)
	}
	at := addr - m.start
	if m.segment.owner != nil {
		at = addr - m.segment.start // of which m may be what is left
	}
	id, added := c.stacks.locations.add(m.segment, at, "")
	if owner := m.segment.owner; added && owner != nil {
		if f := owner.compiled(addr); f != nil {
			c.stacks.locations.list[id].compiled = f
		} else {
			c.stacks.locations.list[id].seen = owner.jit.journal.now
			c.readPerfMap(owner)
		}
	}
	return id
}

// segment returns the segment of a mapping and opens what is behind it. Failing
// that it is tried again for the next process that maps the same.
func (c *Collector) segment(p *process, m *mapping) *segment {
	key := segmentKey{image: m.image.Value(), offset: m.offset, size: m.limit - m.start}
	if !key.image.hasFile() && key.image.file != vdso {
		key.owner, key.start = m.owner, m.start
	}
	s := c.stacks.locations.segments[key]
	if s == nil {
		s = &segment{start: m.start, limit: m.limit, offset: m.offset, image: key.image, owner: key.owner}
		c.stacks.locations.segments[key] = s
	}
	if s.binary == nil && s.owner == nil && c.opt.Resolver != nil {
		s.binary, s.err = c.openBinary(p, m)
	}
	return s
}

// openBinary opens the file behind a mapping.
func (c *Collector) openBinary(p *process, m *mapping) (*symbol.Binary, error) {
	pid := int(p.pid)
	if c.opt.Proc == "" {
		pid = 0 // somebody else has this number now
	}
	i := m.image.Value()
	b, err := c.opt.Resolver.Open(symbol.Mapping{PID: pid, Start: m.start, Limit: m.limit, Offset: m.offset,
		File: i.file, BuildID: i.buildID, Major: i.major, Minor: i.minor, Inode: i.inode})
	if i.file == vdso && c.opt.Proc == "" && b != nil && c.kernel.foreign && b.BuildID != i.buildID {
		return nil, symbol.ErrReplaced // of another kernel
	}
	return b, err
}

// vdso is the code that the kernel maps into each process: the same for all.
const vdso = "[vdso]"

// jitCode is the code that a process made itself, as far as its perf map or its journal tells.
type jitCode struct {
	places int // locations in such code
	next   int // places at which the map is read again
	uid    uint32
	binary *symbol.Binary
	// journal tells more, of runtimes that keep one.
	journal journal
}

// readPerfMap reads the perf map of a process when the number of places it should name has doubled, since
// code is compiled all the time and the process may end any time.
func (c *Collector) readPerfMap(p *process) {
	p.jit.places++
	if p.jit.places >= p.jit.next {
		p.jit.next = 2 * p.jit.places
		c.refreshPerfMap(p)
	}
}

func (c *Collector) refreshPerfMap(p *process) {
	if c.opt.Resolver == nil || p.jit.places == 0 {
		return
	}
	if c.opt.Proc == "" {
		if c.opt.PerfMapsOf != nil {
			if b, err := c.opt.Resolver.SavedPerfMap(int(p.pid), *c.opt.PerfMapsOf); err == nil {
				p.jit.binary = b
			}
		}
		return
	}
	if uid, err := readUID(c.opt.Proc, p.pid); err == nil {
		p.jit.uid = uid
	} else if p.jit.binary == nil {
		return // whose map it would have to be is unknown
	}
	if b, err := c.opt.Resolver.PerfMap(int(p.pid), p.jit.uid); err == nil {
		p.jit.binary = b
	}
}
