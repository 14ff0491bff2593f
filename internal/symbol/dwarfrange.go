package symbol

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/energyprof/energyprof/internal/cursor"
)

// span is a range of addresses with the unit that covers it.
type span struct {
	lo, hi uint64
	unit   uint64 // offset of the unit's header in .debug_info
}

// maxSpans bounds the memory of the index.
const (
	maxSpans  = 4 << 20
	spanBytes = 24
)

// index finds the addresses of every unit from its first entry alone: the
// entries below it, nearly all of the debug information, are not looked at.
func (d *debugInfo) index() error {
	var errs []error
	lacking := map[uint64]bool{}
	for off := uint64(0); off < d.info.size; {
		u, err := d.readUnitHeader(off)
		if d.work <= 0 {
			err = d.spent()
		}
		if err != nil {
			errs = append(errs, err)
			break
		}
		if d.units = append(d.units, off); len(d.units) > d.lim.Units {
			errs = append(errs, fmt.Errorf("%w: more than %d units", ErrLimit, d.lim.Units))
			break
		}
		if !u.skip {
			d.indexUnit(off, u, lacking)
		}
		if len(d.spans) >= maxSpans {
			errs = append(errs, fmt.Errorf("%w: more than %d ranges of units", ErrLimit, maxSpans))
			break
		}
		off = u.end
	}
	if len(lacking) > 0 {
		d.indexSets(lacking)
	}
	// Linkers keep the first of several instances of a function and let the units of
	// all others point to it: the first unit comes last, where unitsAt begins.
	slices.SortFunc(d.spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(b.hi, a.hi), cmp.Compare(b.unit, a.unit))
	})
	return errors.Join(errs...)
}

// indexUnit adds the spans of one unit. A unit without code, or whose entry is
// damaged, has none; the others are not affected. One that may have others than it says is noted.
func (d *debugInfo) indexUnit(off uint64, u unitHeader, lacking map[uint64]bool) {
	e, err := d.readUnitEntry(u)
	if err != nil || !e.stmtList.present() {
		return
	}
	if lacksRanges(u, e.ranges.present()) {
		lacking[off] = true
	}
	base, _ := d.address(e.low, &e, u.encoding)
	d.eachRange(e.low, e.high, e.ranges, base, &e, u, func(lo, hi uint64) { d.addSpan(lo, hi, off) })
}

func (d *debugInfo) addSpan(lo, hi, unit uint64) {
	// Linkers leave 0 or 1 where code was dropped.
	if lo > 1 && hi > lo && len(d.spans) < maxSpans && d.im.executable(lo, hi) {
		d.spans = append(d.spans, span{lo, hi, unit})
	}
}

// eachRange gives the ranges of an entry, as its attributes say. base is the lowest address of its unit.
func (d *debugInfo) eachRange(low, high, ranges value, base uint64, e *unitEntry, u unitHeader, add func(lo, hi uint64)) {
	switch lo, ok := d.address(low, e, u.encoding); {
	case ranges.present():
		if u.version >= 5 {
			d.rangeList(ranges, e, u, base, add)
		} else {
			d.rangesV2(ranges.n+e.rangesBase, u, base, add)
		}
	case ok && high.present():
		if hi, ok := d.address(high, e, u.encoding); ok {
			add(lo, hi)
		} else {
			add(lo, lo+high.n)
		}
	}
}

// Most lists are of a few entries; of a long one more and more is read at a time.
const (
	rangeWindowFirst = 128
	rangeWindow      = 4 << 10
)

// rangesV2 reads a list of .debug_ranges: pairs of addresses relative to a
// base, which a pair that starts with the highest address sets.
func (d *debugInfo) rangesV2(off uint64, u unitHeader, base uint64, add func(lo, hi uint64)) {
	wide := u.addrSize == 8
	highest := uint64(1)<<32 - 1
	if wide {
		highest = ^uint64(0)
	}
	entry := 2 * uint64(u.addrSize)
	for window := uint64(rangeWindowFirst); ; window = min(4*window, rangeWindow) {
		c := cursor.Cursor{Bytes: d.ranges.at(off, window)}
		if uint64(c.Left()) < entry {
			return
		}
		for uint64(c.Left()) >= entry {
			lo, hi := c.Word(wide), c.Word(wide)
			switch {
			case lo == 0 && hi == 0:
				return
			case lo == highest:
				base = hi
			default:
				add(base+lo, base+hi)
			}
		}
		if len(d.spans) >= maxSpans {
			return
		}
		off += uint64(c.Pos)
	}
}

// rangeList reads a list of .debug_rnglists.
func (d *debugInfo) rangeList(ranges value, e *unitEntry, u unitHeader, base uint64, add func(lo, hi uint64)) {
	off := ranges.n
	if ranges.form == formRnglistx {
		size := uint64(4)
		if u.wide {
			size = 8
		}
		c := cursor.Cursor{Bytes: d.rnglists.at(e.rnglistsBase+off*size, size)}
		off = e.rnglistsBase + c.Word(u.wide)
		if c.Bad {
			return
		}
	}
	indexed := func(i uint64) uint64 {
		a, _ := d.address(value{form: formAddrx, n: i}, e, u.encoding)
		return a
	}
	for window := uint64(rangeWindowFirst); ; window = min(4*window, rangeWindow) {
		c := cursor.Cursor{Bytes: d.rnglists.at(off, window)}
		done := 0 // up to here the window is complete entries
		for len(d.spans) < maxSpans {
			kind := c.U8()
			var a, b uint64
			switch kind {
			case 1: // base_addressx
				a = c.ULEB()
			case 2, 3, 4: // startx_endx, startx_length, offset_pair
				a, b = c.ULEB(), c.ULEB()
			case 5: // base_address
				a = c.Sized(u.addrSize)
			case 6: // start_end
				a, b = c.Sized(u.addrSize), c.Sized(u.addrSize)
			case 7: // start_length
				a, b = c.Sized(u.addrSize), c.ULEB()
			default: // end_of_list, or unknown
				if !c.Bad {
					return
				}
			}
			if c.Bad {
				break
			}
			done = c.Pos
			switch kind {
			case 1:
				base = indexed(a)
			case 2:
				add(indexed(a), indexed(b))
			case 3:
				lo := indexed(a)
				add(lo, lo+b)
			case 4:
				add(base+a, base+b)
			case 5:
				base = a
			case 6:
				add(a, b)
			case 7:
				add(a, a+b)
			}
		}
		if done == 0 || len(d.spans) >= maxSpans {
			return
		}
		off += uint64(done)
	}
}

// maxOverlap is how many spans that start before an address are tried: units
// overlap only where something is wrong.
const maxOverlap = 8

// unitsAt gives the units whose spans hold addr, the innermost first.
func (d *debugInfo) unitsAt(addr uint64, dst []uint64) []uint64 {
	i := sort.Search(len(d.spans), func(i int) bool { return d.spans[i].lo > addr }) - 1
	for back := 0; i >= 0 && back < maxOverlap; i, back = i-1, back+1 {
		if addr < d.spans[i].hi && !slices.Contains(dst, d.spans[i].unit) {
			dst = append(dst, d.spans[i].unit)
		}
	}
	return dst
}
