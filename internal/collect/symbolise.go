package collect

import (
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/report/pprofile"
)

// symbolise returns all locations as the profile has them, with names: each binary is asked once,
// for all of its addresses that nobody has asked for before.
func (c *Collector) symbolise() []*pprofile.Location {
	list := c.stacks.locations.list
	out := make([]*pprofile.Location, len(list))
	mappings := map[*segment]*pprofile.Mapping{}
	asked := map[*process]bool{}
	for i, l := range list {
		if then := c.opt.Past.location(i, &l); then != nil {
			out[i] = then
			continue
		}
		s := l.segment
		if s == nil {
			continue
		}
		if p := s.owner; p != nil && !asked[p] {
			asked[p] = true
			c.refreshPerfMap(p)
		}
		if s == c.kernel.segment {
			c.kernel.load(c.opt.Resolver)
		}
		if mappings[s] == nil {
			mappings[s] = s.profile()
		}
	}
	c.lookUpCompiled()
	c.lookUp(func(*symbol.Binary) bool { return true })
	for i, l := range list {
		if out[i] == nil {
			out[i] = &pprofile.Location{Address: l.addr, Mapping: mappings[l.segment], Lines: c.lines(int32(i))}
		}
	}
	c.named = out
	return out
}

// lookUp asks the binaries that are wanted for the names of all locations that have none yet.
func (c *Collector) lookUp(wanted func(*symbol.Binary) bool) {
	list := c.stacks.locations.list
	for len(c.frames) < len(list) {
		c.frames = append(c.frames, nil)
	}
	batches := map[*symbol.Binary][]int{}
	for i := range list {
		l := &list[i]
		if l.segment == nil || l.compiled != nil || c.frames[i] != nil || c.opt.Past.location(i, l) != nil {
			continue
		}
		if b := l.segment.names(); b != nil && wanted(b) {
			batches[b] = append(batches[b], i)
		}
	}
	for b, batch := range batches {
		addrs := make([]uint64, len(batch))
		for k, i := range batch {
			addrs[k] = list[i].segment.lookup(list[i].addr, c.kernel.segment)
		}
		for k, frames := range b.Resolve(addrs) {
			if frames == nil && list[batch[k]].segment.owner == nil {
				frames = []symbol.Frame{} // it has none, and only compiled code can still get one
			}
			c.frames[batch[k]] = frames
		}
	}
}

// lines are the names of a location as far as they are known.
func (c *Collector) lines(i int32) []pprofile.Frame {
	if name := c.stacks.locations.list[i].name; name != "" {
		return []pprofile.Frame{{Function: name}}
	}
	if f := c.stacks.locations.list[i].compiled; f != nil {
		return []pprofile.Frame{frameOf(f.Frame(c.stacks.locations.list[i].addr))}
	}
	if int(i) >= len(c.frames) {
		return nil
	}
	var lines []pprofile.Frame
	for _, f := range c.frames[i] {
		lines = append(lines, frameOf(f))
	}
	return lines
}

func frameOf(f symbol.Frame) pprofile.Frame {
	return pprofile.Frame{Function: f.Function, SystemName: f.SystemName, File: f.File, Line: int64(f.Line), StartLine: int64(f.StartLine)}
}

// names is where the names of the segment's functions come from, nil without.
func (s *segment) names() *symbol.Binary {
	if s.owner != nil {
		return s.owner.jit.binary
	}
	return s.binary
}

// lookup is the address by which names are asked for: the offset in the file, or the address
// itself in the kernel and in code that a process made.
func (s *segment) lookup(addr uint64, kernel *segment) uint64 {
	if s == kernel || s.owner != nil {
		return addr
	}
	return addr - s.start + s.offset
}
