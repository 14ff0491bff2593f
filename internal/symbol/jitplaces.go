package symbol

import (
	"slices"
	"sort"
)

// jitPiece is where a function, or what is left of it, is.
type jitPiece struct {
	Range
	function *JITFunction
}

// jitPlaces is what is where: pieces that rise and do not overlap, in blocks that rise. A runtime
// may put each function below all others, so a piece must not cost the moving of all that is behind it.
type jitPlaces struct {
	blocks [][]jitPiece // none is empty
}

// jitBlock is how many pieces a block has when it is cut in two.
const jitBlock = 512

// after gives the place of the first piece that ends after addr: a block, which there is none of after the
// last piece, and an index in it.
func (p *jitPlaces) after(addr uint64) (block, at int) {
	block = sort.Search(len(p.blocks), func(i int) bool {
		b := p.blocks[i]
		return b[len(b)-1].Limit > addr
	})
	if block == len(p.blocks) {
		return block, 0
	}
	b := p.blocks[block]
	return block, sort.Search(len(b), func(i int) bool { return b[i].Limit > addr })
}

// find gives the function that is at an address, nil where none is.
func (p *jitPlaces) find(addr uint64) *JITFunction {
	block, at := p.after(addr)
	if block < len(p.blocks) && p.blocks[block][at].Start <= addr {
		return p.blocks[block][at].function
	}
	return nil
}

// put makes a function what is at its place, and says whether that had been another's.
func (p *jitPlaces) put(f *JITFunction) bool {
	first, from := p.after(f.Start)
	if first == len(p.blocks) {
		if first == 0 {
			p.blocks = append(p.blocks, []jitPiece{{f.Range, f}})
			return false
		}
		first--
		from = len(p.blocks[first])
	}
	pieces := make([]jitPiece, 0, 3)
	last, to, taken := first, from, false
	for ; last < len(p.blocks); last, to = last+1, 0 {
		b := p.blocks[last]
		for ; to < len(b) && b[to].Start < f.Limit; to++ {
			if taken = true; b[to].Start < f.Start {
				pieces = append(pieces, jitPiece{Range{b[to].Start, f.Start}, b[to].function})
			}
			if b[to].Limit > f.Limit { // what is left of it stays behind f
				b[to].Start = f.Limit
				break
			}
		}
		if to < len(b) {
			break
		}
	}
	pieces = append(pieces, jitPiece{f.Range, f})
	if last == first {
		p.blocks[first] = slices.Replace(p.blocks[first], from, to, pieces...)
	} else {
		p.blocks[first] = append(p.blocks[first][:from], pieces...)
		if last < len(p.blocks) {
			p.blocks[last] = slices.Delete(p.blocks[last], 0, to)
		}
		p.blocks = slices.Delete(p.blocks, first+1, last)
	}
	if b := p.blocks[first]; len(b) >= jitBlock {
		half := slices.Clone(b[len(b)/2:])
		p.blocks[first] = b[:len(b)/2]
		p.blocks = slices.Insert(p.blocks, first+1, half)
	}
	return taken
}
