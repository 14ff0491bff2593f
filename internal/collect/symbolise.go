package collect

import (
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/report/pprofile"
)

// symbolise returns all locations as the profile has them, with names: each binary is asked once,
// for all of its addresses.
func (c *Collector) symbolise() []*pprofile.Location {
	list := c.stacks.locations.list
	out := make([]*pprofile.Location, len(list))
	mappings := map[*segment]*pprofile.Mapping{}
	batches := map[*symbol.Binary][]int{}
	asked := map[*process]bool{}
	c.named = out
	for i, l := range list {
		if then := c.opt.Past.location(i, &l); then != nil {
			out[i] = then
			continue
		}
		out[i] = &pprofile.Location{Address: l.addr}
		if l.name != "" {
			out[i].Lines = []pprofile.Frame{{Function: l.name}}
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
		out[i].Mapping = mappings[s]
		if b := s.names(); b != nil {
			batches[b] = append(batches[b], i)
		}
	}
	for b, batch := range batches {
		addrs := make([]uint64, len(batch))
		for k, i := range batch {
			addrs[k] = list[i].segment.lookup(list[i].addr, c.kernel.segment)
		}
		for k, frames := range b.Resolve(addrs) {
			for _, f := range frames {
				out[batch[k]].Lines = append(out[batch[k]].Lines, pprofile.Frame{Function: f.Function,
					SystemName: f.SystemName, File: f.File, Line: int64(f.Line), StartLine: int64(f.StartLine)})
			}
		}
	}
	return out
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
