package collect

import (
	"slices"

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
// at the entry into the kernel. All others are return addresses, and the call is before them. It
// reports whether the leaf lies in no mapping, and whether the kernel cut the stack.
func (c *Collector) resolve(p *process, chain []uint64, leaf mode) (unmapped, truncated bool) {
	locations := &c.stacks.locations
	frames := c.scratch[:0]
	part, first := leaf, true
	depth := 0
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
		depth++
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
	if len(frames) > 0 && frames[0] != none {
		unmapped = locations.list[frames[0]].name == frameUnknown
	}
	if depth >= c.opt.MaxDepth {
		truncated = true
		frames = append(frames, locations.frame(frameTruncated))
	}
	c.scratch = frames
	return unmapped, truncated
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
