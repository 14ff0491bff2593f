package collect

import (
	"cmp"
	"debug/elf"
	"fmt"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/internal/unwind"
)

// walkSpace is the code of a process with its tables.
func (c *Collector) walkSpace(p *process) *unwind.Space {
	s := p.space
	if s.walk == nil {
		list := make([]unwind.Mapping, 0, len(s.mappings))
		for _, m := range s.mappings {
			list = append(list, c.code(p, m).mapping(m))
		}
		s.walk = unwind.NewSpace(list)
	}
	return s.walk
}

// code is what is known of a mapping to unwind by.
type code struct {
	bias   uint64
	arch   unwind.Arch    // of module
	module *unwind.Module // nil for code without a file
	failed bool           // there is a file, and it cannot be used
	alone  *unwind.Space  // see space
}

// mapping is the mapping m with its code.
func (c *code) mapping(m *mapping) unwind.Mapping {
	return unwind.Mapping{Start: m.start, Limit: m.limit, Bias: c.bias, Module: c.module, Err: c.failed}
}

// space is that mapping alone, for who wants to know no more: all others of the process need not be opened.
func (c *code) space(m *mapping) *unwind.Space {
	if c.alone == nil {
		c.alone = unwind.NewSpace([]unwind.Mapping{c.mapping(m)})
	}
	return c.alone
}

// code finds the tables of a mapping, once.
func (c *Collector) code(p *process, m *mapping) *code {
	if m.code == nil {
		m.code = c.findCode(p, m)
	}
	return m.code
}

func (c *Collector) findCode(p *process, m *mapping) *code {
	i := m.image.Value()
	if !i.hasFile() && i.file != vdso {
		return &code{bias: m.start, module: c.trampolines(p, m)}
	}
	if c.opt.Resolver == nil {
		return &code{failed: true}
	}
	b, err := c.openBinary(p, m)
	if err != nil || b == nil {
		return &code{failed: true}
	}
	bias, ok := bias(b, m)
	arch, _ := machine(b)
	module := c.unwinder.module(b)
	return &code{bias: bias, arch: arch, module: module, failed: !ok || module == nil}
}

// bias is how much higher a mapping lies than in its file's numbering.
func bias(b *symbol.Binary, m *mapping) (uint64, bool) {
	v, ok := b.Mapped(m.offset, m.limit-m.start)
	return m.start - v, ok
}

// module returns the tables of a binary, nil if it is for another processor than those that are known.
func (u *unwinder) module(b *symbol.Binary) *unwind.Module {
	if m, ok := u.modules[b]; ok {
		return m
	}
	var m *unwind.Module
	if a, ok := machine(b); ok {
		m = u.newModule(imageOf(b, a))
	}
	u.modules[b] = m
	return m
}

// newModule numbers the tables of a binary.
func (u *unwinder) newModule(img unwind.Image) *unwind.Module {
	m := unwind.NewModule(img, u.rules, uint32(len(u.byID)+1))
	u.byID = append(u.byID, m)
	return m
}

// machine is the architecture of a binary.
func machine(b *symbol.Binary) (unwind.Arch, bool) {
	switch b.Machine() {
	case elf.EM_X86_64:
		return unwind.AMD64, true
	case elf.EM_AARCH64:
		return unwind.ARM64, true
	}
	return 0, false
}

// imageOf is what of a binary tells how to unwind it.
func imageOf(b *symbol.Binary, a unwind.Arch) unwind.Image {
	img := unwind.Image{Name: b.Path, Arch: a}
	for _, r := range b.Code() {
		img.Text = append(img.Text, unwind.Range{Start: r.Start, Limit: r.Limit})
	}
	section := func(name string) unwind.Section {
		s, _ := b.Section(name)
		return unwind.Section{Addr: s.Addr, Size: s.Size, Data: s.Data}
	}
	span := func(name string) unwind.Range {
		s, _ := b.Section(name)
		return unwind.Range{Start: s.Addr, Limit: s.Addr + s.Size}
	}
	img.Entry, img.Code = b.Entry(), section(".text")
	img.EHFrame, img.EHFrameHdr = section(".eh_frame"), section(".eh_frame_hdr")
	img.DebugFrame = section(".debug_frame")
	img.Go, _ = b.GoTable() // of a damaged one there is nothing to go by, as of none
	if a == unwind.ARM64 && b.Path == vdso {
		img.Trampoline = section(".text")
	}
	img.PLT = span(".plt")
	for _, name := range []string{".plt.sec", ".plt.got", ".iplt"} {
		if r := span(name); r.Limit > r.Start {
			img.Stubs = append(img.Stubs, r)
		}
	}
	return img
}

// damaged says whose tables were wrong: stacks through what they tell of end early.
func (u *unwinder) damaged() []string {
	var first error
	n := 0
	for _, m := range u.byID {
		if err := m.Err(); err != nil {
			first = cmp.Or(first, err)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("stacks through %d files may end early, the first: %v", n, first)}
}
