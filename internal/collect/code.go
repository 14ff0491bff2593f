package collect

import (
	"cmp"
	"fmt"
	"strings"

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

// findCode finds them. Memory that has a name (memfd_create(2)) may hold a binary: programs are run from such, so that nobody changes them meanwhile,
// and libraries loaded. Runtimes that compile have such memory, too, without a binary's form.
func (c *Collector) findCode(p *process, m *mapping) *code {
	i := m.image.Value()
	file := i.hasFile() || i.file == vdso
	if file || c.opt.Proc != "" && strings.HasPrefix(i.file, "/memfd:") {
		if code := c.fileCode(p, m); code != nil {
			return code
		}
	}
	if file {
		return &code{failed: true}
	}
	return &code{bias: m.start, module: c.trampolines(p, m)}
}

// fileCode is what the binary in a mapping tells; nil if it is none that can be used.
func (c *Collector) fileCode(p *process, m *mapping) *code {
	if c.opt.Resolver == nil {
		return nil
	}
	b, err := c.openBinary(p, m)
	if err != nil || b == nil {
		return nil
	}
	bias, ok := bias(b, m)
	module := c.unwinder.module(b)
	if !ok || module == nil {
		return nil
	}
	return &code{bias: bias, module: module}
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
	if img, ok := unwind.ImageOf(b); ok {
		m = u.newModule(img)
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
