package unwind

import (
	"fmt"
	"slices"
	"sort"
)

// maxChunks and maxRows are kept of a module: the chunks of 4 GiB of code, and 16 MiB of rows, four times those of all of rustc.
const (
	maxChunks = 1 << 16
	maxRows   = 4 << 20
)

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
		if len(m.chunks) >= maxChunks || m.kept >= maxRows {
			clear(m.chunks)
			m.kept = 0
		}
		c = m.compile(n)
		m.chunks[n] = c
		m.kept += len(c)
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
	// What is known of gaps depends on the functions around them, so those near the chunk are looked at, too.
	from, to := lo-min(lo, maxStart), hi+maxBridge
	var rows spans
	goTable := m.goRows(from, to, func(start, limit uint64, r Rule) {
		rows = rows.add(max(start, from), min(limit, to), m.number(r))
	})
	if goTable || m.eh != nil || m.debug != nil {
		for _, f := range []*frames{m.eh, m.debug} {
			if f != nil && !rows.cover(from, to) {
				rows = rows.over(m.frames(f, from, to))
			}
		}
		rows = m.known(rows.bridge(), lo, hi)
	} else {
		rows = m.stubs(nil, lo, hi).over(spans{{lo, hi, RuleFramePointer}})
	}

	out, at := make(Chunk, 1, len(rows)+1), lo
	for _, s := range rows {
		start, limit := max(s.start, lo), min(s.limit, hi)
		if start >= limit {
			continue
		}
		if start > at {
			out = out.add(at-lo, RuleNone)
		}
		out = out.add(start-lo, s.rule)
		at = limit
	}
	if at < hi {
		out = out.add(at-lo, RuleNone)
	}
	return slices.Clone(out) // without the room to grow
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
	if f.work <= 0 {
		return nil // has been told
	}
	m.fault(f.open())
	work := min(f.work, maxChunkWork)
	w := f.section.open(work)
	defer func() {
		f.work -= work - max(w.work, 0)
		m.fault(w.err)
		m.fault(f.err)
		w.close()
	}()
	p := program{arch: m.image.Arch}
	for at := range f.find(lo, hi) {
		if !w.spend(entryWork) || w.err != nil {
			break
		}
		e, err := f.entry(w, at.entry)
		var d fde
		if err == nil {
			d, err = f.function(w, e)
		}
		if err == nil && d.start != at.start {
			err = f.damaged(at.entry, "entry of another function than the search table says")
		}
		if err != nil {
			m.fault(err)
			w.spend(faultWork)
			continue
		}
		if d.start < hi && d.limit > lo {
			out = m.function(out, &p, d, w, lo, hi)
		}
	}
	return out
}

// ruleShare: of the numbers that are left a module may take one in so many, so that none can leave nothing to those after it.
// The first may bring 4,096 rules, the fiftieth of those that bring all they may, 180; rustc brings 1,100, of which most
// programs have most.
const ruleShare = 16

// number is the number of a rule.
func (m *Module) number(r Rule) uint16 {
	n, ok := m.rules.index[r]
	if !ok && m.brought < (maxRules-len(m.rules.list))/ruleShare {
		m.brought++
		return m.rules.number(r)
	}
	if !ok {
		return RuleUnsupported
	}
	return n
}

// function adds the rows of one function, as far as the work on the window's section goes.
func (m *Module) function(out spans, p *program, d fde, w *window, lo, hi uint64) spans {
	p.cie, p.now, p.loc, p.limit = d.cie, d.initial, d.start, min(d.limit, hi)
	p.remembered = p.remembered[:0]
	var known state
	var rule uint16
	first := true
	ok := p.run(d.instructions, d.here, func(start, limit uint64) bool {
		if limit <= lo {
			return true
		}
		if first || p.now != known {
			if !w.spend(ruleWork) {
				return false
			}
			known, first = p.now, false
			rule = m.number(known.rule(m.image.Arch, d.cie))
		}
		out = out.add(max(start, lo), limit, rule)
		return true
	})
	if !ok {
		m.fault(fmt.Errorf("%w: instruction for the code at %#x", errFormat, p.loc))
	}
	return out
}
