package symbol

import (
	"fmt"

	"github.com/energyprof/energyprof/internal/cursor"
)

// attribute is a value of an entry. That of an inline string is its offset in the section.
type attribute struct {
	form uint64
	n    uint64
}

// entry is one entry of debug information, as far as it is kept.
type entry struct {
	off   uint64
	shape *abbreviation
	has   uint32 // bits by field
	attrs [fields]attribute
}

func (e *entry) get(f field) (attribute, bool) { return e.attrs[f], e.has&(1<<f) != 0 }

// number is a constant attribute; 0 without it, or when it is none.
func (e *entry) number(f field) uint64 {
	a, ok := e.get(f)
	if !ok {
		return 0
	}
	switch a.form {
	case formData1, formData2, formData4, formData8, formUdata, formSdata, formImplicitConst:
		return a.n
	}
	return 0
}

// entryReader reads the entries of one unit in the order of the file, through a
// window. Nothing else may read the section meanwhile.
type entryReader struct {
	d      *debugInfo
	u      unitHeader
	unit   uint64 // offset of the unit
	shapes *abbreviations
	c      cursor.Cursor
	base   uint64 // offset of the window
	window uint64 // how much is read at a time
}

const (
	entryWindow    = 128 << 10
	entryWindowFew = 8 << 10 // where much is passed over
	entryWindowMax = 4 << 20
	entryReserve   = 1 << 10 // holds nearly every entry
	// entryWork is what an entry costs beside its bytes, of the work that is allowed.
	entryWork = 8
)

func (d *debugInfo) entries(unit uint64, u unitHeader) (*entryReader, error) {
	shapes, err := d.abbreviations(u.abbrevOff, u.encoding)
	if err != nil {
		return nil, err
	}
	return &entryReader{d: d, u: u, unit: unit, shapes: shapes, base: u.dieOff, window: entryWindow}, nil
}

// pos is the offset of the next entry.
func (r *entryReader) pos() uint64 { return r.base + uint64(r.c.Pos) }

// fill makes the window begin at off; it is empty when the work is used up.
func (r *entryReader) fill(off, window uint64) {
	r.base, r.c = off, cursor.Cursor{Bytes: r.d.info.at(off, min(window, r.u.end-off))}
}

// seek goes to off, which must be in the unit.
func (r *entryReader) seek(off uint64) {
	if off >= r.base && off-r.base <= uint64(len(r.c.Bytes)) {
		r.c.Pos = int(off - r.base)
		return
	}
	r.fill(off, r.window)
}

// next reads an entry; shape is nil for the one that ends a list of children, and
// at the end of the unit more is false.
func (r *entryReader) next(e *entry) (more bool, err error) {
	off := r.pos()
	if off >= r.u.end {
		return false, nil
	}
	if r.d.work -= entryWork; r.d.work <= 0 {
		return false, r.d.spent()
	}
	if r.c.Left() < entryReserve && r.base+uint64(len(r.c.Bytes)) < r.u.end {
		r.fill(off, r.window)
	}
	if err := r.parse(e); err != nil {
		return false, err
	}
	if r.c.Bad {
		r.fill(off, entryWindowMax)
		if err := r.parse(e); err != nil {
			return false, err
		}
	}
	if r.c.Bad && r.d.work <= 0 {
		return false, r.d.spent()
	}
	if r.c.Bad {
		return false, formatError("the entry at %#x of .debug_info does not fit", off)
	}
	return true, nil
}

// spent is the error of a search that may go no further.
func (d *debugInfo) spent() error {
	return fmt.Errorf("%w: %d bytes of debug information", ErrLimit, d.lim.DebugWork)
}

func (r *entryReader) parse(e *entry) error {
	e.off, e.shape, e.has = r.pos(), nil, 0
	c := &r.c
	code := c.ULEB()
	if code == 0 {
		return nil
	}
	e.shape = r.shapes.find(code)
	if e.shape == nil {
		return errAbbreviation
	}
	for i := range e.shape.steps {
		s := &e.shape.steps[i]
		switch {
		case s.form == 0:
			if int(s.size) > c.Left() || c.Bad {
				c.Bad = true
				return nil
			}
			c.Pos += int(s.size)
		case s.field == noField:
			skipForm(c, uint64(s.form), r.u.encoding)
		default:
			v := readForm(c, uint64(s.form), s.implicit, r.u.encoding)
			if v.form == formString {
				v.n = r.pos() - uint64(len(v.bytes)) - 1
			}
			e.attrs[s.field] = attribute{v.form, v.n}
			e.has |= 1 << s.field
		}
	}
	return nil
}

// reference gives the entry that an attribute names: an offset in .debug_info of
// this file, or of the supplementary file that several share (dwz).
func (a attribute) reference(unit uint64) (off uint64, shared, ok bool) {
	switch a.form {
	case formRef1, formRef2, formRef4, formRef8, formRefUdata:
		return unit + a.n, false, true
	case formRefAddr:
		return a.n, false, true
	case formGNURefAlt, formRefSup4, formRefSup8:
		return a.n, true, true
	}
	return 0, false, false
}

// sibling is where the next entry on the same level is, if this one says so. It is always ahead.
func (e *entry) sibling(unit, pos, end uint64) (uint64, bool) {
	a, ok := e.get(fieldSibling)
	if !ok {
		return 0, false
	}
	off, shared, ok := a.reference(unit)
	if !ok || shared || off < pos || off > end {
		return 0, false
	}
	return off, true
}
