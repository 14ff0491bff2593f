package collect

import (
	"math"
	"sort"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
)

// kernel is what is known of the running kernel's code.
type kernel struct {
	loaded  bool
	segment *segment // nil when addresses are hidden
	idle    []symbol.Range
}

// firstKernelAddress is the lower end of the kernel's half of the address space, on amd64 and arm64.
const firstKernelAddress = 1 << 63

// load reads the kernel's symbols at the first sample that needs them.
func (c *Collector) loadKernel() *kernel {
	k := &c.kernel
	if k.loaded {
		return k
	}
	k.loaded = true
	if c.opt.Resolver == nil || c.opt.Proc == "" {
		return k
	}
	// Hidden or unreadable comes to the same: the one frame [kernel] says so.
	if b, err := c.opt.Resolver.Kernel(); err == nil {
		k.segment = &segment{start: firstKernelAddress, limit: math.MaxUint64,
			image: image{file: symbol.KernelPath, buildID: b.BuildID}, binary: b}
		k.idle = b.IdleRanges()
	}
	return k
}

func (c *Collector) kernelLocation(addr uint64) int32 {
	k := c.loadKernel()
	if k.segment == nil {
		return c.stacks.locations.frame(frameKernel)
	}
	if addr < firstKernelAddress {
		id, _ := c.stacks.locations.add(nil, addr, frameUnknown)
		return id
	}
	id, _ := c.stacks.locations.add(k.segment, addr-firstKernelAddress, "")
	return id
}

// idleTime is what the idle tasks of the CPUs spent with nothing to do.
type idleTime struct {
	samples uint64
	ns      int64
}

// isIdle tells whether a sample is of a CPU that had nothing to do. Tasks of other pid namespaces
// have pid 0 too, but user code; interrupts that come in the idle task are work. Without
// kernel symbols the two cannot be told apart, and all of pid 0 in the kernel is taken for idle.
func (c *Collector) isIdle(s *perfring.Sample, chain []uint64) bool {
	if s.PID != 0 || s.TID != 0 {
		return false
	}
	addr, m := leafOf(chain, modeOf(s.Misc))
	if m != modeKernel {
		return false
	}
	k := c.loadKernel()
	if k.segment == nil {
		return true
	}
	i := sort.Search(len(k.idle), func(i int) bool { return k.idle[i].Limit > addr })
	return i < len(k.idle) && k.idle[i].Start <= addr
}
