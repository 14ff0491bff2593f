package symbol

import (
	"cmp"
	"sort"
)

// unit is the header and the first entry of a unit. Its inline strings have been copied.
type unit struct {
	unitHeader
	off   uint64
	entry unitEntry
	dir   string // of the compilation
	split string // file of the split unit of which this is the skeleton, "" if it is none
}

// Beyond these numbers what is remembered is forgotten, and read again if it is asked for.
const (
	maxLoaded     = 1 << 12 // units
	maxFileTables = 64
	maxFunctions  = 1 << 18
)

// remember adds to a map of bounded size.
func remember[K comparable, V any](m map[K]V, limit int, k K, v V) V {
	if len(m) >= limit {
		clear(m)
	}
	m[k] = v
	return v
}

// unit reads the unit at off.
func (d *debugInfo) unit(off uint64) (*unit, error) {
	if u := d.loaded[off]; u != nil {
		return u, nil
	}
	h, err := d.readUnitHeader(off)
	if err != nil {
		return nil, err
	}
	e, err := d.readUnitEntry(h)
	if err != nil {
		return nil, err
	}
	u := &unit{unitHeader: h, off: off, entry: e}
	u.dir = d.text(e.compDir, &u.entry, h.encoding)
	u.split = d.text(e.dwoName, &u.entry, h.encoding)
	u.entry.name, u.entry.compDir, u.entry.dwoName = value{}, value{}, value{}
	return remember(d.loaded, maxLoaded, off, u), nil
}

// unitOf finds the unit in which an entry is.
func (d *debugInfo) unitOf(entry uint64) (*unit, error) {
	i := sort.Search(len(d.units), func(i int) bool { return d.units[i] > entry }) - 1
	if i < 0 {
		return nil, formatError("no unit has an entry at %#x of .debug_info", entry)
	}
	u, err := d.unit(d.units[i])
	if err == nil && (entry < u.dieOff || entry >= u.end) {
		err = formatError("no unit has an entry at %#x of .debug_info", entry)
	}
	return u, err
}

// function is what debug information says of a function. Empty is what it does not say.
type function struct {
	name   string // readable
	system string // the linker's
	file   string
	line   int // at which it is declared
}

// functionKey: the offset of an entry, of this file or the supplementary one.
type functionKey struct {
	off    uint64
	shared bool
}

// maxHops is how many entries are asked about a function: an instance, what it is an instance of, the declaration.
const maxHops = 8

// function names the function of the entry at off. It knows nothing of one that is damaged.
func (d *debugInfo) function(off uint64, shared bool) *function {
	key := functionKey{off, shared}
	if f := d.functions[key]; f != nil {
		return f
	}
	f := &function{}
	var plain string // its name in the source
	var u *unit
	at := d
	for range maxHops {
		if shared && at == d {
			at = d.shared
		}
		if at == nil {
			break
		}
		var err error
		if u, err = at.unitOf(off); err != nil {
			break
		}
		var e entry
		if err := at.entryAt(u, off, &e); err != nil {
			break
		}
		text := func(f field) string {
			a, ok := e.get(f)
			if !ok {
				return ""
			}
			return at.attributeText(a, u)
		}
		if f.system == "" {
			f.system = text(fieldLinkageName)
		}
		if plain == "" {
			plain = text(fieldName)
		}
		if n := e.number(fieldDeclFile); f.file == "" && n > 0 {
			f.file = at.unitFile(u, n)
		}
		f.line = cmp.Or(f.line, lineNumber(e.number(fieldDeclLine)))
		next, ok := e.get(fieldOrigin)
		if !ok {
			next, ok = e.get(fieldSpecification)
		}
		to := uint64(0)
		if ok {
			to, shared, ok = next.reference(u.off)
		}
		if !ok {
			break
		}
		off = to
	}
	raw := cmp.Or(f.system, plain)
	f.name = d.readableName(raw)
	// What is around a function is named in the same way, which entries that refer to one another could go on for ever.
	if f.system == "" && plain != "" && u != nil && u.qualifies() && d.qualifying < maxQualifying {
		d.qualifying++
		f.name = printable(at.qualifier(u, off) + plain)
		d.qualifying--
	}
	f.system = printable(raw)
	if d.textLeft -= len(f.name) + len(f.system) + len(f.file); d.textLeft < 0 {
		f = &function{}
	}
	return remember(d.functions, maxFunctions, key, f)
}

// readableName is the name as a reader wants it.
func (d *debugInfo) readableName(system string) string {
	if name, ok := d.names[system]; ok {
		return name
	}
	return remember(d.names, maxFunctions, system, printable(readable(system, d.lim.NameBytes)))
}

// entryAt reads one entry.
func (d *debugInfo) entryAt(u *unit, off uint64, e *entry) error {
	r, err := d.entries(u.off, u.unitHeader)
	if err != nil {
		return err
	}
	r.fill(off, entryReserve)
	if more, err := r.next(e); err != nil {
		return err
	} else if !more || e.shape == nil {
		return formatError("no entry at %#x of .debug_info", off)
	}
	return nil
}

// attributeText is the string of an attribute, "" if it has none.
func (d *debugInfo) attributeText(a attribute, u *unit) string {
	switch a.form {
	case formString:
		return d.info.str(a.n)
	case formGNUStrpAlt, formStrpSup:
		if d.shared == nil {
			return ""
		}
		return d.shared.str.str(a.n)
	}
	return d.text(value{form: a.form, n: a.n}, &u.entry, u.encoding)
}

// fileTable is the table of files of a line program, with the paths that were asked for.
type fileTable struct {
	program *lineProgram
	names   map[uint64]string
}

// unitFile is the path of a file by its number in the unit's table, "" if it has none.
func (d *debugInfo) unitFile(u *unit, index uint64) string {
	if !u.entry.stmtList.present() || d.line == nil || index == 0 && u.version < 5 {
		return ""
	}
	off := u.entry.stmtList.n
	t := d.files[off]
	if t == nil {
		t = &fileTable{names: map[uint64]string{}}
		if p, err := d.readLineProgram(off, u.addrSize, false); err == nil {
			p.code = nil
			t.program = p
		}
		remember(d.files, maxFileTables, off, t)
	}
	if t.program == nil {
		return ""
	}
	name, ok := t.names[index]
	if !ok {
		name = d.fileName(t.program, index, &u.entry, u.dir)
		t.names[index] = name
	}
	return name
}
