package symbol

import (
	"sort"
	"strings"
)

// qualifies says whether names of the unit's language are made up from those of
// what is around a function: C++ of all versions.
func (u *unit) qualifies() bool {
	switch u.entry.language {
	case 0x04, 0x19, 0x1a, 0x21, 0x2a, 0x2b, 0x3a: // DW_LANG_C_plus_plus, _03, _11, _14, _17, _20, _23
		return true
	}
	return false
}

const (
	maxQualifier      = 32 // names around a function
	maxQualifying     = 8  // functions in one another that are declared elsewhere
	maxQualifierBytes = 4 << 10
)

// maxTops bounds the offsets that are kept of a unit and of all, at 8 bytes.
const maxTops = 1 << 20

// keepTops keeps where in a unit to begin to look for what is around an entry.
func (d *debugInfo) keepTops(unit uint64, tops []uint64) {
	if d.topsKept += len(tops); d.topsKept > maxTops {
		clear(d.tops)
		d.topsKept = len(tops)
	}
	d.tops[unit] = tops
}

// qualifier is what stands before the name of the function whose entry is at
// off, as "outer::Box<int>::": compilers give what is in nameless namespaces and
// inside of functions no linker's name. It is found from the beginning of the
// unit or what is kept of it, over the siblings of what is around the entry.
func (d *debugInfo) qualifier(u *unit, off uint64) string {
	r, err := d.entries(u.off, u.unitHeader)
	if err != nil {
		return ""
	}
	r.window = entryWindowFew
	type around struct {
		off  uint64
		tag  uint64
		kind kind
		name attribute
	}
	var path []around
	tops := d.tops[u.off]
	if i := sort.Search(len(tops), func(i int) bool { return tops[i] > off }) - 1; i >= 0 {
		path = append(path, around{off: u.dieOff, tag: tagCompileUnit, kind: kindScope})
		r.seek(tops[i])
	}
	var e entry
	for {
		if more, err := r.next(&e); err != nil || !more {
			return ""
		}
		switch {
		case e.off >= off:
			if e.off > off {
				return ""
			}
			var b strings.Builder
			for _, a := range path[max(0, len(path)-maxQualifier):] {
				switch {
				case a.kind == kindFunction:
					b.Reset() // its name has all before it
					b.WriteString(d.function(a.off, false).name + "()::")
				case a.kind == kindType || a.tag == tagNamespace:
					name := d.attributeText(a.name, u)
					if name == "" && a.tag == tagNamespace {
						name = "(anonymous namespace)"
					}
					if name != "" {
						b.WriteString(name + "::")
					}
				}
				if b.Len() > maxQualifierBytes {
					return ""
				}
			}
			return b.String()
		case e.shape == nil:
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
		case e.shape.children:
			if next, ok := e.sibling(u.off, r.pos(), u.end); ok && off >= next {
				r.seek(next)
				continue
			}
			name, _ := e.get(fieldName)
			path = append(path, around{e.off, e.shape.tag, e.shape.kind, name})
			if len(path) > maxDepth {
				return ""
			}
		}
	}
}
