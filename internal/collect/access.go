package collect

import (
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// access is what samples of memory accesses have in common that are one stack.
type access struct {
	pprofile.Access
	level pebs.Level
}

// accesses keeps each once.
type accesses struct {
	list []access
	ids  map[access]int32
	// known saves the words of data sources as samples have them.
	known map[pebs.DataSource]int32
	at    map[dataAddress]int32
}

// dataAddress is an access at an address.
type dataAddress struct {
	access  int32 // without it; none of what has no data source
	address uint64
}

// maxKnown is more than a machine has data sources; damaged samples can have any.
const maxKnown = 1 << 12

func newAccesses() accesses {
	return accesses{ids: map[access]int32{}, known: map[pebs.DataSource]int32{}, at: map[dataAddress]int32{}}
}

// accessOf returns the number of what a sample of an event says of its access, none if it is of no event with addresses.
// Beyond the limit of stacks addresses are told apart no more, and beyond the second nothing is: ok is false then.
func (c *Collector) accessOf(s *perfring.Sample, e *Event) (id int32, ok bool) {
	a := &c.accesses
	id = none
	if e.Memory {
		if id, ok = a.source(pebs.DataSource(s.DataSrc), c.stacks.full(2)); !ok {
			return none, false
		}
	}
	if !c.opt.Memory.Addresses {
		return id, true
	}
	place := dataAddress{id, s.Addr}
	if at, ok := a.at[place]; ok {
		return at, true
	}
	if c.stacks.full(1) {
		return id, true
	}
	var all access
	if id != none {
		all = a.list[id]
	}
	all.Address, all.HasAddress = s.Addr, true
	id = a.add(all)
	a.at[place] = id
	return id, true
}

// source is the number of a data source. full says that there is no room for another.
func (a *accesses) source(d pebs.DataSource, full bool) (id int32, ok bool) {
	if id, ok := a.known[d]; ok {
		return id, true
	}
	this := access{Access: pprofile.Access{Op: d.OpWords(), DataSource: d.LevelWords(), Snoop: d.SnoopWords(), TLB: d.TLBWords(),
		Locked: d.LockWords()}, level: d.Level()}
	id, ok = a.ids[this]
	if !ok && full {
		return none, false
	}
	if !ok {
		id = a.add(this)
	}
	if len(a.known) < maxKnown {
		a.known[d] = id
	}
	return id, true
}

func (a *accesses) add(this access) int32 {
	id := int32(len(a.list))
	a.list = append(a.list, this)
	a.ids[this] = id
	return id
}

// exact is a callchain that begins at the instruction that accessed memory. The kernel begins it where the CPU was when
// the sample was written, some instructions later (perf_sample_save_callchain with the registers of the interrupt,
// arch/x86/events/intel/ds.c), which may be in the other part of the stack.
func (c *Collector) exact(s *perfring.Sample, chain []uint64) []uint64 {
	leaf := modeOf(s.Misc)
	marker := uint64(perfring.ContextUser)
	switch {
	case s.Misc&perfring.MiscExactIP == 0 || s.IP == 0:
		return chain
	case leaf == modeKernel:
		marker = perfring.ContextKernel
	case leaf != modeUser:
		return chain
	}
	var callers []uint64
	if leaf == modeKernel {
		callers = chain // if the kernel's part is not there
	}
	part := leaf
	for i, addr := range chain {
		if addr == perfring.ContextUserDeferred {
			break // what follows is no address
		}
		if addr >= perfring.ContextMax {
			part = modeAfter(addr, part)
			continue
		}
		if part == leaf {
			callers = chain[i+1:]
			break
		}
	}
	c.exactly = append(append(c.exactly[:0], marker, s.IP), callers...)
	return c.exactly
}
