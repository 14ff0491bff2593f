package symbol

import (
	"fmt"

	"github.com/energyprof/energyprof/internal/cursor"
)

// kind is what entries with an abbreviation are to the search for functions.
type kind uint8

const (
	kindOther    kind = iota // variables, calls: there is no function below them
	kindType                 // classes: methods are declared in them, those of a class inside a function may be complete
	kindScope                // namespaces, blocks: functions are below them
	kindFunction             // subprograms
	kindInlined              // an inlined call
)

func kindOf(tag uint64) kind {
	switch tag {
	case tagSubprogram, tagEntryPoint:
		return kindFunction
	case tagInlinedSubroutine:
		return kindInlined
	case tagClassType, tagStructureType, tagUnionType:
		return kindType
	case tagCompileUnit, tagPartialUnit, tagSkeletonUnit, tagNamespace, tagModule, tagLexicalBlock,
		tagTryBlock, tagCatchBlock, tagWithStatement, tagCommonBlock:
		return kindScope
	}
	return kindOther
}

// field numbers the attributes of a function that are kept.
type field uint8

const (
	noField field = iota
	fieldSibling
	fieldLow
	fieldHigh
	fieldRanges
	fieldOrigin
	fieldSpecification
	fieldName
	fieldLinkageName
	fieldDeclFile
	fieldDeclLine
	fieldCallFile
	fieldCallLine
	fields
)

// fieldOf says which field attribute attr of an entry is. Of entries that are no
// functions only the way to the next one matters, and the names of those around functions.
func fieldOf(attr uint64, k kind) field {
	if attr == attrSibling {
		return fieldSibling
	}
	switch {
	case attr == attrName && k != kindOther:
		return fieldName
	case k != kindFunction && k != kindInlined:
		return noField
	}
	switch attr {
	case attrLowPC:
		return fieldLow
	case attrHighPC:
		return fieldHigh
	case attrRanges:
		return fieldRanges
	case attrAbstractOrigin:
		return fieldOrigin
	case attrSpecification:
		return fieldSpecification
	case attrLinkageName, attrMIPSLinkageName:
		return fieldLinkageName
	case attrDeclFile:
		return fieldDeclFile
	case attrDeclLine:
		return fieldDeclLine
	case attrCallFile:
		return fieldCallFile
	case attrCallLine:
		return fieldCallLine
	}
	return noField
}

// step is how to get over one attribute, or over several of fixed size that are
// not kept: form is 0 then, and size their bytes together.
type step struct {
	implicit int64
	size     uint32
	form     uint16
	field    field
}

// abbreviation is what entries of one code have in common.
type abbreviation struct {
	steps    []step
	tag      uint64
	kind     kind
	children bool
	known    bool
}

// abbreviations is a table of .debug_abbrev for one encoding. Codes count from
// 1 in all tables that compilers write; others are in rare.
type abbreviations struct {
	list []abbreviation
	rare map[uint64]*abbreviation
	cost int // steps of memory
}

const (
	maxAbbreviations = 1 << 16 // of a table; that of a large program optimised as a whole has 2,000
	maxSteps         = 1 << 18 // of a table
	maxTableSteps    = 1 << 20 // of all tables remembered, at 24 bytes
	abbreviationCost = 2       // steps that an abbreviation counts for
)

func (t *abbreviations) find(code uint64) *abbreviation {
	if code < uint64(len(t.list)) {
		if a := &t.list[code]; a.known {
			return a
		}
		return nil
	}
	return t.rare[code]
}

// tableKey: the size of some forms depends on the unit.
type tableKey struct {
	off uint64
	enc encoding
}

// abbreviations reads the table at off, or remembers it.
func (d *debugInfo) abbreviations(off uint64, enc encoding) (*abbreviations, error) {
	key := tableKey{off, enc}
	if t := d.tables[key]; t != nil {
		return t, nil
	}
	for window := uint64(8 * abbrevWindow); window <= abbrevMax; window *= 8 {
		b := d.abbrev.at(off, window)
		c := cursor.Cursor{Bytes: b}
		if t := readAbbreviations(&c, enc); !c.Bad {
			if d.tableSteps += t.cost; d.tableSteps > maxTableSteps {
				clear(d.tables)
				d.tableSteps = t.cost
			}
			d.tables[key] = t
			return t, nil
		}
		if uint64(len(b)) < window {
			break
		}
	}
	return nil, formatError("abbreviations at %#x do not end", off)
}

// readAbbreviations makes the cursor bad when the table does not end in it.
func readAbbreviations(c *cursor.Cursor, enc encoding) *abbreviations {
	t := &abbreviations{list: make([]abbreviation, 1, 128)}
	var steps []step // of all, one after the other: one allocation for many
	for n := 1; n <= maxAbbreviations && len(steps) <= maxSteps; n++ {
		t.cost = len(steps) + n*abbreviationCost
		code := c.ULEB()
		if c.Bad || code == 0 {
			return t
		}
		a := abbreviation{tag: c.ULEB(), known: true}
		a.kind, a.children = kindOf(a.tag), c.U8() != 0
		from := len(steps)
		for {
			attr, form := c.ULEB(), c.ULEB()
			var implicit int64
			if form == formImplicitConst {
				implicit = c.SLEB()
			}
			if c.Bad {
				return t
			}
			if attr == 0 && form == 0 {
				break
			}
			if form == 0 || form > 0xffff {
				form = 0xffff // unknown: who reads an entry finds out
			}
			steps = addStep(steps, from, step{form: uint16(form), implicit: implicit, field: fieldOf(attr, a.kind)}, enc)
		}
		a.steps = steps[from:len(steps):len(steps)]
		switch {
		case code == uint64(len(t.list)):
			t.list = append(t.list, a)
		case code > uint64(len(t.list)):
			if t.rare == nil {
				t.rare = map[uint64]*abbreviation{}
			}
			t.rare[code] = &a
		}
	}
	c.Bad = true
	return t
}

// addStep appends a step, or adds it to the one before if neither is kept.
func addStep(steps []step, from int, s step, enc encoding) []step {
	if s.field != noField {
		return append(steps, s)
	}
	size, ok := fixedSize(uint64(s.form), enc)
	if !ok {
		return append(steps, s)
	}
	if n := len(steps); n > from && steps[n-1].form == 0 {
		steps[n-1].size += uint32(size)
		return steps
	}
	return append(steps, step{size: uint32(size)})
}

// fixedSize is the size of a form that always takes the same room.
func fixedSize(form uint64, enc encoding) (int, bool) {
	word := 4
	if enc.wide {
		word = 8
	}
	switch form {
	case formFlagPresent, formImplicitConst:
		return 0, true
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		return 1, true
	case formData2, formRef2, formStrx2, formAddrx2:
		return 2, true
	case formStrx3, formAddrx3:
		return 3, true
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		return 4, true
	case formData8, formRef8, formRefSig8, formRefSup8:
		return 8, true
	case formData16:
		return 16, true
	case formAddr:
		return int(enc.addrSize), true
	case formStrp, formLineStrp, formSecOffset, formStrpSup, formGNURefAlt, formGNUStrpAlt:
		return word, true
	case formRefAddr:
		if enc.version <= 2 {
			return int(enc.addrSize), true
		}
		return word, true
	}
	return 0, false
}

// skipForm gets over a value of a form without fixed size.
func skipForm(c *cursor.Cursor, form uint64, enc encoding) {
	switch form {
	case formExprloc, formBlock:
		c.Take(c.ULEB())
	case formBlock1:
		c.Take(uint64(c.U8()))
	case formString:
		c.Text()
	case formUdata, formSdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
		c.ULEB()
	default:
		readForm(c, form, 0, enc)
	}
}

var errAbbreviation = fmt.Errorf("%w: an entry has an abbreviation that is not in its table", ErrFormat)
