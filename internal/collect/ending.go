package collect

import (
	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/report"
)

// fate is what the books say of a stack.
type fate struct {
	unmapped bool // the leaf lies in no mapping
	end      ending
}

// ending is how the user's part of a stack ends: an unwind.Outcome, or one of those below.
type ending uint8

const (
	// noEntry: whoever walked it, not by tables, came to no entry point. The next frame kept no frame pointer.
	noEntry ending = 32 + iota
	// noTables: whether it came to one cannot be told, for want of the binary.
	noTables
	endings
)

// Walked tells whether chains are walked by tables, and so end in how that ended.
func (s *Stacks) Walked() bool { return s.Method == methodDWARF || s.Method == methodBPF }

// frame is what stands at the root of a stack that ends so, "" for nothing. What the kernel made of frame pointers is
// shown as it is.
func (e ending) frame() string {
	switch o := unwind.Outcome(e); {
	case e >= noEntry || o == unwind.Complete:
		return ""
	case o == unwind.Truncated, o == unwind.Deep:
		return frameTruncated
	default:
		return "[unwind failed: " + o.String() + "]"
	}
}

// String is the reason that the summary gives.
func (e ending) String() string {
	switch e {
	case noEntry:
		return "no entry point"
	case noTables:
		e = ending(unwind.NoBinary)
	}
	return unwind.Outcome(e).String()
}

// endAt is how a chain ends that the kernel or the processor made: at an entry point, if its root is in one. alone says
// that the root is no return address.
func (c *Collector) endAt(p *process, root uint64, alone bool) ending {
	if c.opt.Stacks.Method == "" || c.opt.Past != nil { // whoever recorded it has told
		return noTables
	}
	if alone {
		root++
	}
	m := p.space.find(root - 1)
	if m == nil {
		return noEntry
	}
	code := c.code(p, m)
	switch {
	case code.failed:
		return noTables
	case code.module == nil || !c.unwinder.walker(code.module.Arch).IsEntry(code.space(m), root):
		return noEntry
	}
	return ending(unwind.Complete)
}

// ended counts a sample by what became of its stack.
func (b *Books) ended(f fate) {
	b.Ended[f.end]++
	if f.end == ending(unwind.Deep) {
		b.Truncated++
	}
	if f.unmapped {
		b.NoMapping++
	}
}

// wholeStacks is what the summary says of whole stacks, nil if no callers were recorded or nothing can be said.
func (c *Collector) wholeStacks() *report.Stacks {
	if c.opt.Stacks.Method == "" {
		return nil
	}
	s := &report.Stacks{Method: c.opt.Stacks.Method}
	var all uint64
	for _, n := range c.books.Ended {
		all += n
	}
	if 2*c.books.Ended[noTables] > all {
		return nil // of programs that are not here, nobody can tell
	}
	for e, n := range c.books.Ended {
		s.Samples += int64(n)
		switch {
		case n == 0:
		case unwind.Outcome(e) == unwind.Complete:
			s.Complete = int64(n)
		case unwind.Outcome(e) == unwind.Truncated, unwind.Outcome(e) == unwind.Deep:
			s.Truncated += int64(n)
		default:
			if s.Failed == nil {
				s.Failed = map[string]int64{}
			}
			s.Failed[ending(e).String()] += int64(n)
		}
	}
	return s
}
