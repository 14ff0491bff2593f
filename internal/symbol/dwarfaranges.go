package symbol

import "github.com/energyprof/energyprof/internal/cursor"

const (
	arangesHead   = 32      // holds the header of a set
	arangesWindow = 4 << 10 // how much is read of a set at a time
)

// lacksRanges says whether an entry that has a list of ranges, or not, cannot tell all of its addresses. Before version 3 there are no
// such lists: gcc -gstrict-dwarf tells the addresses of one piece, or none.
func lacksRanges(u unitHeader, listed bool) bool { return u.version == 2 && !listed }

// indexSets adds what .debug_aranges says of units that lack ranges. A damaged set ends the reading: there are the others' ranges.
func (d *debugInfo) indexSets(lacking map[uint64]bool) {
	if d.aranges == nil {
		return
	}
	for off := uint64(0); off < d.aranges.size && len(d.spans) < maxSpans; {
		c := cursor.Cursor{Bytes: d.aranges.at(off, arangesHead)}
		length, wide := uint64(c.U32()), false
		if length == 0xffffffff {
			wide, length = true, c.U64()
		}
		start := off + uint64(c.Pos)
		version, unit, addrSize, selector := c.U16(), c.Word(wide), c.U8(), c.U8()
		if c.Bad || length > d.aranges.size-start || addrSize != 4 && addrSize != 8 {
			return
		}
		end := start + length
		if version == 2 && selector == 0 && lacking[unit] {
			// Pairs are aligned to their size from the beginning of the set.
			pair := 2 * uint64(addrSize)
			d.indexSet(off+(uint64(c.Pos)+pair-1)/pair*pair, end, unit, addrSize)
		}
		off = end
	}
}

// indexSet adds the ranges of one unit: pairs of address and length, up to one of zeros.
func (d *debugInfo) indexSet(at, end, unit uint64, addrSize uint8) {
	for at < end {
		c := cursor.Cursor{Bytes: d.aranges.at(at, min(arangesWindow, end-at))}
		for c.Left() >= 2*int(addrSize) {
			lo, size := c.Sized(addrSize), c.Sized(addrSize)
			if lo == 0 && size == 0 {
				return
			}
			d.addSpan(lo, lo+size, unit)
		}
		if c.Pos == 0 {
			return
		}
		at += uint64(c.Pos)
	}
}
