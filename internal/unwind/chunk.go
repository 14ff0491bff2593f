package unwind

import (
	"fmt"
	"slices"
	"sort"
)

// maxChunks are kept of a module: those of 4 GiB of code.
const maxChunks = 1 << 16

// Rule is the number of the rule that holds at an offset in the chunk.
func (c Chunk) Rule(at uint16) uint16 {
	i := sort.Search(len(c), func(i int) bool { return c[i].At > at })
	if i == 0 {
		return RuleNone
	}
	return c[i-1].Rule
}

// Chunk returns the rows of the addresses from n<<ChunkShift to below (n+1)<<ChunkShift, in the binary's own numbering. They
// are compiled at first use: from Go's function table, where that has none from .eh_frame, where that has none from
// .debug_frame. A binary without any of them is taken to keep frame pointers. It must not be changed.
func (m *Module) Chunk(n uint64) Chunk {
	c, ok := m.chunks[n]
	if !ok {
		if len(m.chunks) >= maxChunks {
			clear(m.chunks)
		}
		c = m.compile(n)
		m.chunks[n] = c
	}
	return c
}

// span is a run of addresses with one rule.
type span struct {
	start, limit uint64
	rule         uint16
}

// spans are in order of address, and none overlaps another.
type spans []span

// add appends a span. One that starts below the end of those before it ends them: a search for an address finds the last
// one that starts at or below it.
func (s spans) add(start, limit uint64, rule uint16) spans {
	if start >= limit {
		return s
	}
	for len(s) > 0 && s[len(s)-1].start >= start {
		s = s[:len(s)-1]
	}
	if n := len(s); n > 0 {
		last := &s[n-1]
		last.limit = min(last.limit, start)
		if last.limit == start && last.rule == rule {
			last.limit = limit
			return s
		}
	}
	return append(s, span{start, limit, rule})
}

// over fills the gaps of s with what is in the spans below.
func (s spans) over(below spans) spans {
	if len(s) == 0 {
		return below
	}
	if len(below) == 0 {
		return s
	}
	out := make(spans, 0, len(s)+len(below))
	at := uint64(0) // all below it is done
	for _, top := range s {
		for len(below) > 0 && below[0].start < top.start {
			b := below[0]
			out = out.add(max(b.start, at), min(b.limit, top.start), b.rule)
			if b.limit > top.start {
				break
			}
			below = below[1:]
		}
		out = out.add(top.start, top.limit, top.rule)
		at = top.limit
		for len(below) > 0 && below[0].limit <= at {
			below = below[1:]
		}
	}
	for _, b := range below {
		out = out.add(max(b.start, at), b.limit, b.rule)
	}
	return out
}

// cover says whether there are no gaps.
func (s spans) cover(lo, hi uint64) bool {
	for _, r := range s {
		if r.start > lo {
			return false
		}
		lo = r.limit
	}
	return lo >= hi
}

func (m *Module) compile(n uint64) Chunk {
	if n >= 1<<(64-ChunkShift)-1 { // the last one would have a limit of 0
		return Chunk{{}}
	}
	if m.image.Trampolines > 0 {
		return m.trampolines(m.image.Trampolines)
	}
	lo, hi := n<<ChunkShift, (n+1)<<ChunkShift
	var rows spans
	goTable := m.goRows(lo, hi, func(start, limit uint64, r Rule) {
		rows = rows.add(max(start, lo), min(limit, hi), m.number(r))
	})
	if !goTable && m.eh == nil && m.debug == nil {
		return Chunk{{Rule: RuleFramePointer}}
	}
	for _, f := range []*frames{m.eh, m.debug} {
		if f != nil && !rows.cover(lo, hi) {
			rows = rows.over(m.frames(f, lo, hi))
		}
	}
	rows = m.known(rows.bridge(), lo, hi)

	out, at := make(Chunk, 1, len(rows)+1), lo
	for _, s := range rows {
		if s.start > at {
			out = out.add(at-lo, RuleNone)
		}
		out = out.add(s.start-lo, s.rule)
		at = s.limit
	}
	if at < hi {
		out = out.add(at-lo, RuleNone)
	}
	return slices.Clip(out)
}

// add appends a row if it says anything new.
func (c Chunk) add(at uint64, rule uint16) Chunk {
	last := &c[len(c)-1]
	switch {
	case last.Rule == rule:
		return c
	case uint64(last.At) == at:
		last.Rule = rule
		return c
	}
	return append(c, Row{uint16(at), rule})
}

// frames is what a section of call frame information tells of the addresses from lo to below hi.
func (m *Module) frames(f *frames, lo, hi uint64) (out spans) {
	next, err := f.find(lo, hi)
	m.fault(err)
	work := min(f.work, maxChunkWork)
	w := f.section.open(work)
	defer func() {
		f.work -= work - max(w.work, 0)
		m.fault(w.err)
		w.close()
	}()
	p := program{arch: m.image.Arch}
	for at, ok := next(); ok; at, ok = next() {
		if w.err != nil {
			continue // to the end, which closes the table
		}
		e, err := f.entry(w, at.entry)
		var d fde
		if err == nil {
			d, err = f.function(w, e)
		}
		if err == nil && d.start != at.start {
			err = f.damaged(at.entry, "entry of another function than the search table says")
		}
		m.fault(err)
		if err == nil && d.start < hi && d.limit > lo {
			out = m.function(out, &p, d, lo, hi)
		}
	}
	return out
}

// maxModuleRules is how many rules a module may bring, so that one does not take all numbers; libLLVM brings 900.
const maxModuleRules = 1 << 13

// number is the number of a rule.
func (m *Module) number(r Rule) uint16 {
	n, ok := m.rules.index[r]
	if !ok && m.brought < maxModuleRules {
		m.brought++
		return m.rules.number(r)
	}
	if !ok {
		return RuleUnsupported
	}
	return n
}

// function adds the rows of one function.
func (m *Module) function(out spans, p *program, d fde, lo, hi uint64) spans {
	p.cie, p.now, p.loc, p.limit = d.cie, d.initial, d.start, min(d.limit, hi)
	p.remembered = p.remembered[:0]
	var known state
	var rule uint16
	first := true
	ok := p.run(d.instructions, d.here, func(start, limit uint64) {
		if limit <= lo {
			return
		}
		if first || p.now != known {
			known, first = p.now, false
			rule = m.number(known.rule(m.image.Arch, d.cie))
		}
		out = out.add(max(start, lo), limit, rule)
	})
	if !ok {
		m.fault(fmt.Errorf("%w: instruction for the code at %#x", errFormat, p.loc))
	}
	return out
}
