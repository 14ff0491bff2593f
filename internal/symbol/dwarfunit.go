package symbol

import (
	"errors"
	"fmt"

	"github.com/energyprof/energyprof/internal/cursor"
)

// debugInfo is the debug information of one file, read as far as addresses
// ask for it.
type debugInfo struct {
	info, abbrev, str, strOffsets, lineStr *debugData
	addr, ranges, rnglists, aranges, line  *debugData

	im     *image
	lim    Limits
	work   int64
	shapes map[uint64]*unitShape // by offset of the abbreviation table
	units  []uint64              // offsets of the units that can be read
	spans  []span                // sorted by lo

	tables     map[tableKey]*abbreviations
	tableSteps int
	loaded     map[uint64]*unit // by offset
	files      map[uint64]*fileTable
	functions  map[functionKey]*function
	tops       map[uint64][]uint64 // by unit: the entries right below its own that have others below them
	topsKept   int
	qualifying int                                     // functions whose names wait for those of others
	names      map[string]string                       // readable, by name in the file
	textLeft   int                                     // bytes of names that may still be kept, of one search
	openSplit  func(path string) (*debugInfo, *source) // nil where none is opened
	shared     *debugInfo                              // what several files have in common (dwz), nil without
	counted    int64                                   // bytes of memory that others have been told of
}

// openDebugInfo finds the sections; nil without an error when there is none, or, where
// that is needed, no line information. The sections are those of from: the image itself, its debug
// file, a supplementary one, or one of split units, whose names end in ".dwo".
func openDebugInfo(im, from *image, lim Limits, lines bool, suffix string) (*debugInfo, error) {
	d := &debugInfo{im: im, lim: lim, work: lim.DebugWork, textLeft: maxText, shapes: map[uint64]*unitShape{},
		tables: map[tableKey]*abbreviations{}, loaded: map[uint64]*unit{}, files: map[uint64]*fileTable{},
		functions: map[functionKey]*function{}, tops: map[uint64][]uint64{}, names: map[string]string{}}
	budget := lim.Decompressed
	sections := []struct {
		name string
		to   **debugData
	}{
		{".debug_line", &d.line}, {".debug_info", &d.info}, {".debug_abbrev", &d.abbrev},
		{".debug_ranges", &d.ranges}, {".debug_rnglists", &d.rnglists}, {".debug_addr", &d.addr},
		{".debug_aranges", &d.aranges},
		{".debug_str", &d.str}, {".debug_line_str", &d.lineStr}, {".debug_str_offsets", &d.strOffsets},
	}
	// What is too much together is not decompressed one by one, for seconds, until it is.
	left := uint64(max(budget, 0))
	for _, s := range sections {
		size, err := from.inflated(s.name + suffix)
		if err == nil && size > left {
			err = fmt.Errorf("%w: %d bytes decompressed", ErrLimit, size)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name+suffix, err)
		}
		left -= size
	}
	for _, s := range sections {
		data, err := from.openDebug(s.name+suffix, &d.work, &budget)
		if err != nil {
			return nil, err
		}
		*s.to = data
		if data == nil && (lines && s.to == &d.line || s.to == &d.info || s.to == &d.abbrev) {
			return nil, nil
		}
	}
	return d, nil
}

// unitHeader is the header of a unit in .debug_info.
type unitHeader struct {
	encoding
	dieOff, end uint64 // its first entry, and where the unit ends
	abbrevOff   uint64
	id          uint64 // of a skeleton and of the split unit that belongs to it (version 5)
	skip        bool   // a type unit: no code
}

// readUnitHeader reads the header at off. A version that is not known gives
// skip; a unit that does not fit gives an error, as no other can be found then.
func (d *debugInfo) readUnitHeader(off uint64) (unitHeader, error) {
	c := cursor.Cursor{Bytes: d.info.at(off, 64)}
	var u unitHeader
	length := uint64(c.U32())
	if length == 0xffffffff {
		u.wide = true
		length = c.U64()
	}
	start := off + uint64(c.Pos)
	if c.Bad || length > d.info.size-start {
		return u, formatError("unit at %#x of .debug_info does not fit", off)
	}
	u.end = start + length
	u.version = c.U16()
	switch {
	case u.version >= 2 && u.version <= 4:
		u.abbrevOff = c.Word(u.wide)
		u.addrSize = c.U8()
	case u.version == 5:
		kind := c.U8()
		u.addrSize = c.U8()
		u.abbrevOff = c.Word(u.wide)
		switch kind {
		case 1, 3: // compile, partial
		case 4, 5: // skeleton, split: the unit id
			u.id = c.U64()
		default:
			u.skip = true
		}
	default:
		u.skip = true
	}
	u.dieOff = off + uint64(c.Pos)
	if c.Bad || u.dieOff > u.end || u.addrSize != 4 && u.addrSize != 8 {
		u.skip = true
	}
	return u, nil
}

// unitEntry is what the first entry of a unit says.
type unitEntry struct {
	low, high, ranges, stmtList, name, compDir value
	dwoName                                    value // the file that has all else, of a skeleton
	dwoID, rangesBase                          uint64
	language                                   uint64
	addrBase, rnglistsBase, strOffsetsBase     uint64
}

// unitShape is an abbreviation: attribute and form in turn.
type unitShape struct {
	code  uint64
	tag   uint64
	attrs []attrForm
}

type attrForm struct {
	attr, form uint64
	implicit   int64
}

// errNoUnit: the first entry is of another kind, or damaged.
var errNoUnit = errors.New("no unit entry")

const (
	unitWindow    = 512       // holds nearly every unit entry
	unitWindowMax = 256 << 10 // one with strings inside that are very long
	abbrevWindow  = 1 << 10
	abbrevMax     = 4 << 20 // how far an abbreviation is searched; a unit's own comes first or nearly so
	maxAttrs      = 256     // of one entry; the standard knows of half as many
	maxShapes     = 4096    // abbreviation tables remembered
)

// readUnitEntry reads the first entry of the unit. The bytes of its inline
// strings are valid until the next read of .debug_info.
func (d *debugInfo) readUnitEntry(u unitHeader) (unitEntry, error) {
	for _, window := range []uint64{unitWindow, unitWindowMax} {
		c := cursor.Cursor{Bytes: d.info.at(u.dieOff, min(window, u.end-u.dieOff))}
		code := c.ULEB()
		if c.Bad || code == 0 {
			return unitEntry{}, errNoUnit
		}
		shape, err := d.shape(u.abbrevOff, code)
		if err != nil {
			return unitEntry{}, err
		}
		if shape.tag != tagCompileUnit && shape.tag != tagPartialUnit && shape.tag != tagSkeletonUnit {
			return unitEntry{}, errNoUnit
		}
		if e := parseUnitEntry(&c, shape, u.encoding); !c.Bad {
			return e, nil
		}
	}
	return unitEntry{}, errNoUnit
}

func parseUnitEntry(c *cursor.Cursor, shape *unitShape, enc encoding) unitEntry {
	var e unitEntry
	// Without a base attribute the one contribution starts after its header.
	if enc.wide {
		e.addrBase, e.rnglistsBase, e.strOffsetsBase = 16, 20, 16
	} else {
		e.addrBase, e.rnglistsBase, e.strOffsetsBase = 8, 12, 8
	}
	for _, a := range shape.attrs {
		v := readForm(c, a.form, a.implicit, enc)
		switch a.attr {
		case attrLowPC:
			e.low = v
		case attrHighPC:
			e.high = v
		case attrRanges:
			e.ranges = v
		case attrStmtList:
			e.stmtList = v
		case attrName:
			e.name = v
		case attrLanguage:
			e.language = v.n
		case attrCompDir:
			e.compDir = v
		case attrDwoName, attrGNUDwoName:
			e.dwoName = v
		case attrGNUDwoID:
			e.dwoID = v.n
		case attrGNURangesBase:
			e.rangesBase = v.n
		case attrAddrBase, attrGNUAddrBase:
			e.addrBase = v.n
		case attrRnglistsBase:
			e.rnglistsBase = v.n
		case attrStrOffsetBase:
			e.strOffsetsBase = v.n
		}
	}
	return e
}

// shape finds abbreviation code in the table at off.
func (d *debugInfo) shape(off, code uint64) (*unitShape, error) {
	if s := d.shapes[off]; s != nil && s.code == code {
		return s, nil
	}
	for window := uint64(abbrevWindow); window <= abbrevMax; window *= 16 {
		b := d.abbrev.at(off, window)
		c := cursor.Cursor{Bytes: b}
		s := scanAbbrev(&c, code)
		if s != nil {
			if len(d.shapes) < maxShapes {
				d.shapes[off] = s
			}
			return s, nil
		}
		if !c.Bad || uint64(len(b)) < window {
			break // the table or the section ended
		}
	}
	return nil, fmt.Errorf("%w: abbreviation %d at %#x", errNoUnit, code, off)
}

func scanAbbrev(c *cursor.Cursor, code uint64) *unitShape {
	for {
		got := c.ULEB()
		if c.Bad || got == 0 {
			return nil
		}
		tag := c.ULEB()
		c.U8() // has children
		var attrs []attrForm
		for {
			a := attrForm{attr: c.ULEB(), form: c.ULEB()}
			if a.form == formImplicitConst {
				a.implicit = c.SLEB()
			}
			if c.Bad {
				return nil
			}
			if a.attr == 0 && a.form == 0 {
				break
			}
			if got == code && len(attrs) < maxAttrs {
				attrs = append(attrs, a)
			}
		}
		if got == code {
			return &unitShape{code: code, tag: tag, attrs: attrs}
		}
	}
}

// text gives the string of v, wherever its form keeps it.
func (d *debugInfo) text(v value, e *unitEntry, enc encoding) string {
	switch v.form {
	case formString:
		return string(v.bytes[:min(len(v.bytes), maxDebugString)])
	case formStrp:
		return d.str.str(v.n)
	case formLineStrp:
		return d.lineStr.str(v.n)
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formGNUStrIndex:
		size := uint64(4)
		if enc.wide {
			size = 8
		}
		c := cursor.Cursor{Bytes: d.strOffsets.at(e.strOffsetsBase+v.n*size, size)}
		off := c.Word(enc.wide)
		if c.Bad {
			return ""
		}
		return d.str.str(off)
	}
	return ""
}

// address gives the address of v, directly or through .debug_addr.
func (d *debugInfo) address(v value, e *unitEntry, enc encoding) (uint64, bool) {
	switch v.form {
	case formAddr:
		return v.n, true
	case formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4, formGNUAddrIndex:
		size := uint64(enc.addrSize)
		c := cursor.Cursor{Bytes: d.addr.at(e.addrBase+v.n*size, size)}
		a := c.Sized(enc.addrSize)
		return a, !c.Bad
	}
	return 0, false
}
