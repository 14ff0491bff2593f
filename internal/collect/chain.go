package collect

import (
	"slices"

	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
)

// mode is whose code an address is.
type mode uint8

const (
	modeKernel mode = iota
	modeUser
	modeHypervisor
	modeGuest
)

// modeOf is the mode of the instruction that a sample interrupted (header misc, PERF_RECORD_MISC_CPUMODE_MASK).
func modeOf(misc uint16) mode {
	switch misc & perfring.MiscCPUModeMask {
	case perfring.MiscKernel:
		return modeKernel
	case perfring.MiscHypervisor:
		return modeHypervisor
	case perfring.MiscGuestKernel, perfring.MiscGuestUser:
		return modeGuest
	}
	return modeUser
}

// modeAfter is the mode of the addresses that follow a context marker.
func modeAfter(marker uint64, now mode) mode {
	switch marker {
	case perfring.ContextKernel:
		return modeKernel
	case perfring.ContextUser:
		return modeUser
	case perfring.ContextHV:
		return modeHypervisor
	case perfring.ContextGuest, perfring.ContextGuestKernel, perfring.ContextGuestUser:
		return modeGuest
	}
	return now
}

// resolve fills c.scratch with the locations of a callchain, leaf first. The first address of the kernel's
// part and that of the user's part are where the instruction pointer was: at the interrupt, and
// at the entry into the kernel. All others are return addresses, and the call is before them. One that
// was walked by tables ends in the way in which the walk did.
func (c *Collector) resolve(p *process, chain []uint64, leaf mode) fate {
	locations := &c.stacks.locations
	frames := c.scratch[:0]
	part, first := leaf, true
	depth, root := 0, uint64(0)
	end := ending(unwind.Complete)
	locations.frozen = c.stacks.full(2)
	for i := 0; i < len(chain); i++ {
		addr := chain[i]
		if addr >= perfring.ContextMax {
			if addr == perfring.ContextUserDeferred {
				i++ // a cookie, no address
				continue
			}
			part, first = modeAfter(addr, part), true
			continue
		}
		if o, ok := unwind.OutcomeOf(addr); ok {
			end = ending(o)
			continue
		}
		depth++
		if part == modeUser {
			root = addr
		}
		if !first && addr > 0 {
			addr--
		}
		var id int32
		switch part {
		case modeUser:
			id = c.user(p, addr)
		case modeKernel:
			id = c.kernelLocation(addr)
		case modeHypervisor:
			id = locations.frame(frameHypervisor)
		default:
			id = locations.frame(frameGuest)
		}
		first = false
		// Beyond the limit a stack with a new location is itself new, and only its leaf will stay.
		locations.frozen = c.stacks.full(1)
		// Frames without addresses stand for their whole part of the stack.
		if n := len(frames); n > 0 && id != none && frames[n-1] == id && locations.list[id].addr == 0 {
			continue
		}
		frames = append(frames, id)
	}
	locations.frozen = false
	unmapped := len(frames) > 0 && frames[0] != none && locations.list[frames[0]].name == frameUnknown
	switch walked := root != 0 && c.unwinder.walked; {
	case end != ending(unwind.Complete):
	case depth >= c.opt.MaxDepth && !walked:
		end = ending(unwind.Deep)
	case root != 0 && !walked:
		end = c.endAt(p, root, depth == 1)
	}
	if name := end.frame(); name != "" {
		frames = append(frames, locations.frame(name))
	}
	c.scratch = frames
	return fate{unmapped, end}
}

// leafOf returns the instruction pointer of a sample as its callchain has it.
func leafOf(chain []uint64, leaf mode) (uint64, mode) {
	for _, addr := range chain {
		if addr < perfring.ContextMax {
			return addr, leaf
		}
		leaf = modeAfter(addr, leaf)
	}
	return 0, leaf
}

// chainOf returns the callchain of a sample, or the IP if it has none.
func (c *Collector) chainOf(s *perfring.Sample) []uint64 {
	if slices.ContainsFunc(s.Callchain, func(a uint64) bool { return a < perfring.ContextMax }) {
		return s.Callchain
	}
	c.single[0] = s.IP
	return c.single[:]
}
