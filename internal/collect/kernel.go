package collect

import (
	"math"
	"sort"
	"strings"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
)

// kernel is what is known of the running kernel's code.
type kernel struct {
	segment *segment // nil when addresses are hidden
	foreign bool     // the kernel that runs here is another one
	idle    []symbol.Range
	early   []symbol.Range // idle as it was while samples came
	missed  bool           // a sample had an address that could not be named
}

// firstKernelAddress is the lower end of the kernel's half of the address space, on amd64 and arm64.
const firstKernelAddress = 1 << 63

// Kernel is whose the kernel's code is when records are not of the running system. Resolver knows its functions
// if the build ids, in lower-case hex, are equal.
type Kernel struct {
	BuildID string // of the kernel of the records; "" until one tells
	Running string // of the one that runs here, "" if that is not known
	// Marks are addresses of symbols of the kernel that runs here (_text, _stext). A record that has
	// them elsewhere is of another boot, at other addresses (KASLR).
	Marks map[string]uint64
}

// openKernel finds out whether the kernel shows its symbols. Reading them takes some 60 ms: for a
// system-wide recording, whose idle samples they tell, before it begins; else only when there are samples
// to name.
func openKernel(opt *Options) kernel {
	visible := kernel{segment: &segment{start: firstKernelAddress, limit: math.MaxUint64, image: image{file: symbol.KernelPath}}}
	if opt.Past != nil {
		if !opt.Past.KernelVisible {
			return kernel{}
		}
		visible.idle, visible.early = opt.Past.Idle, opt.Past.Idle
		return visible
	}
	if opt.Proc == "" {
		visible.foreign = true
		visible.tell(opt, opt.Kernel.BuildID)
		return visible
	}
	if opt.Resolver == nil || opt.Resolver.KernelVisible() != nil {
		return kernel{} // the frame [kernel] and a note say so
	}
	if opt.SystemWide {
		visible.load(opt.Resolver)
		visible.early = visible.idle
	}
	return visible
}

// load reads the kernel's symbols.
func (k *kernel) load(r *symbol.Resolver) {
	if k.segment == nil || k.segment.binary != nil || k.foreign || r == nil {
		return
	}
	b, err := r.Kernel()
	if err != nil {
		k.missed = true
		return
	}
	k.segment.binary, k.segment.image.buildID = b, b.BuildID
	k.idle = b.IdleRanges()
}

// moved takes a mapping of the kernel as perf writes it into its files: "[kernel.kallsyms]_text", with the
// address of that symbol as its offset (perf_event__synthesize_kernel_mmap).
func (c *Collector) moved(file string, at uint64, buildID string) {
	k := &c.kernel
	mark, ok := strings.CutPrefix(file, symbol.KernelPath)
	if !ok || c.opt.Proc != "" || c.opt.Past != nil {
		return
	}
	if k.segment.image.buildID == "" {
		k.tell(&c.opt, buildID)
	}
	if here := c.opt.Kernel.Marks[mark]; here != 0 && here != at {
		k.foreign, k.idle, k.early, k.segment.binary = true, nil, nil, nil
	}
}

// tell says which kernel was recorded.
func (k *kernel) tell(opt *Options, buildID string) {
	k.segment.image.buildID = buildID
	k.foreign = buildID == "" || buildID != opt.Kernel.Running
	if opt.SystemWide {
		k.load(opt.Resolver)
		k.early = k.idle
	}
}

func (c *Collector) kernelLocation(addr uint64) int32 {
	k := &c.kernel
	if k.segment == nil {
		k.missed = true
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
	k := &c.kernel
	if len(k.idle) == 0 {
		return true
	}
	i := sort.Search(len(k.idle), func(i int) bool { return k.idle[i].Limit > addr })
	return i < len(k.idle) && k.idle[i].Start <= addr
}
