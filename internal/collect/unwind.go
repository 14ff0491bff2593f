package collect

import (
	"runtime"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
)

// Stacks says where the callers of user code are from. The kernel's own part of a callchain is always the kernel's.
type Stacks struct {
	// Method is what the summary calls it: "fp", "dwarf", "bpf" or "lbr"; "" if there are none. Samples with registers
	// (Event.UserRegs) are unwound whatever it is.
	Method string
	// BPF walks stacks in the kernel, and gets from the Collector the tables that it lacks. What it writes comes before
	// the sample that it is of, as a sample of WalkEvent with RawData.
	BPF *bpf.Stacks
}

// WalkEvent is what Record gets as the event of what Stacks.BPF wrote.
const WalkEvent = -2

// The methods of Stacks that make a difference to what is done with samples.
const (
	methodDWARF = "dwarf"
	methodBPF   = "bpf"
	methodLBR   = "lbr"
)

// unwinder completes the user's part of callchains by the tables of binaries.
type unwinder struct {
	rules   *unwind.Rules
	walkers [2]*unwind.Walker                 // by architecture, nil until one is needed
	modules map[*symbol.Binary]*unwind.Module // nil: for another processor
	byID    []*unwind.Module                  // with ID 1 first
	python  map[int]*unwind.Module            // trampolines, by the bytes that each takes
	loader  loader
	chain   []uint64 // of the sample, until the next one
	walked  bool     // the user's part of the sample's callchain says itself how it ends
	// interrupted is the kernel's part of a sample without a callchain.
	interrupted [2]uint64
}

func newUnwinder() unwinder {
	return unwinder{rules: unwind.NewRules(), modules: map[*symbol.Binary]*unwind.Module{}, loader: newLoader()}
}

// walker returns the walker for an architecture.
func (u *unwinder) walker(a unwind.Arch) *unwind.Walker {
	if u.walkers[a] == nil {
		u.walkers[a] = unwind.NewWalker(a, u.rules)
	}
	return u.walkers[a]
}

// native is the architecture of this machine.
func native() unwind.Arch {
	if runtime.GOARCH == "arm64" {
		return unwind.ARM64
	}
	return unwind.AMD64
}

// archOf tells the architecture from a mask of PERF_SAMPLE_REGS_USER: those of arm64 begin with x0 to x30
// (arch/arm64/include/uapi/asm/perf_regs.h), of which amd64 leaves bits 24 to 31 free (arch/x86/include/uapi/asm/perf_regs.h).
func archOf(mask uint64) unwind.Arch {
	if mask>>24&0xff != 0 {
		return unwind.ARM64
	}
	return unwind.AMD64
}

// The answers of PERF_SAMPLE_REGS_ABI_*.
const (
	abiNone = 0
	abi32   = 1
)

// complete puts the whole callchain into a sample for which there is a walk by BPF, or that brings registers and a copy of the
// stack, which it loses. The chain is valid until the next sample.
func (c *Collector) complete(state *cpuState, s *perfring.Sample, e *Event) {
	c.unwinder.walked = c.opt.Past != nil && c.opt.Stacks.Walked()
	switch {
	case c.opt.Stacks.BPF != nil && len(s.UserRegs) == 0: // some events run no programs, and bring copies
		c.fromWalk(state, s)
	case e.UserRegs != 0:
		c.fromRegisters(s, e)
	case c.opt.Stacks.Method == methodLBR:
		if chain, ok := s.CallStack(c.unwinder.chain[:0]); ok {
			s.Callchain, c.unwinder.chain, s.Branches = chain, chain, nil
		}
	}
}

// fromRegisters unwinds a sample by its registers and its copy of the stack.
func (c *Collector) fromRegisters(s *perfring.Sample, e *Event) {
	user := s.CPUMode() == perfring.MiscUser
	kernels, callers := c.parts(s)
	switch {
	case len(s.UserStack) == 0 && len(callers) > 0:
		// Whoever wrote the file has unwound it, as simpleperf does.
	case !user && (s.UserRegsABI == abiNone || len(s.UserStack) == 0):
		// A thread of the kernel, or one that has given up its memory, has no other part.
	case s.UserRegsABI == abiNone:
		c.ended(s, kernels, []uint64{s.IP}, unwind.NoStack)
	case s.UserRegsABI == abi32:
		c.ended(s, kernels, c.innermost(s, callers), unwind.OtherWidth)
	default:
		arch := archOf(e.UserRegs)
		r := unwind.FromPerf(arch, e.UserRegs, s.UserRegs)
		p := c.processOf(s)
		chain := append(c.startOf(kernels), perfring.ContextUser)
		chain, outcome := c.unwinder.walker(arch).Walk(chain, c.walkSpace(p), &r, s.UserStack, stackPointer(arch, &r), c.room(kernels))
		if !user && p.between(outcome) {
			s.Callchain = kernels
		} else {
			c.put(s, chain, outcome)
		}
	}
	s.UserRegs, s.UserRegsABI, s.UserStack = nil, 0, nil
}

// between tells whether a sample in the kernel, from whose registers a walk ended so, is of an execve that has left one program and
// not begun the other: such a stack has no part in user code.
func (p *process) between(outcome unwind.Outcome) bool {
	return p.executing && outcome == unwind.NoMapping
}

// stackPointer is where a copy of the stack begins (perf_user_stack_pointer, by the numbers of unwind.Registers).
func stackPointer(a unwind.Arch, r *unwind.Registers) uint64 {
	if a == unwind.ARM64 {
		return r.R[31]
	}
	return r.R[7]
}

// innermost is what there is of the user's part where nobody can walk it.
func (c *Collector) innermost(s *perfring.Sample, callers []uint64) []uint64 {
	if len(callers) == 0 && s.CPUMode() == perfring.MiscUser {
		return []uint64{s.IP}
	}
	return callers
}

// ended puts a callchain into a sample that ends before its entry point.
func (c *Collector) ended(s *perfring.Sample, kernels, callers []uint64, why unwind.Outcome) {
	chain := append(c.startOf(kernels), perfring.ContextUser)
	c.put(s, append(chain, callers...), why)
}

// startOf begins a chain with the kernel's part.
func (c *Collector) startOf(kernels []uint64) []uint64 {
	return append(c.unwinder.chain[:0], kernels...)
}

// put puts a chain into a sample, with how it ended.
func (c *Collector) put(s *perfring.Sample, chain []uint64, outcome unwind.Outcome) {
	if outcome != unwind.Complete {
		chain = append(chain, outcome.Address())
	}
	s.Callchain, c.unwinder.chain, c.unwinder.walked = chain, chain, true
}

// parts splits a callchain into what comes before the user's part, markers included, and the user's addresses. Without
// a chain the kernel's part is where it was interrupted.
func (c *Collector) parts(s *perfring.Sample) (kernels, callers []uint64) {
	for i, addr := range s.Callchain {
		if addr == perfring.ContextUser {
			return s.Callchain[:i], s.Callchain[i+1:]
		}
		if addr == perfring.ContextUserDeferred {
			return s.Callchain[:i], nil
		}
	}
	if len(s.Callchain) == 0 && s.CPUMode() == perfring.MiscKernel {
		c.unwinder.interrupted = [2]uint64{perfring.ContextKernel, s.IP}
		return c.unwinder.interrupted[:], nil
	}
	return s.Callchain, nil
}

// room is how many frames the user's part may have, so that the chain is no longer than the kernel's would be.
func (c *Collector) room(kernels []uint64) int {
	n := c.opt.MaxDepth
	for _, addr := range kernels {
		if addr < perfring.ContextMax {
			n--
		}
	}
	return max(1, n)
}

// processOf returns the process of a sample, with its mappings.
func (c *Collector) processOf(s *perfring.Sample) *process {
	p := c.table.thread(s.PID, s.TID).process
	c.table.load(p)
	return p
}
