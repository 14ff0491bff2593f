package symbol

import "github.com/energyprof/energyprof/internal/cursor"

// Constants of the DWARF standard, versions 2 to 5 (dwarfstd.org).
const (
	tagClassType         = 0x02
	tagEntryPoint        = 0x03
	tagLexicalBlock      = 0x0b
	tagCompileUnit       = 0x11
	tagStructureType     = 0x13
	tagUnionType         = 0x17
	tagCommonBlock       = 0x1a
	tagInlinedSubroutine = 0x1d
	tagModule            = 0x1e
	tagWithStatement     = 0x22
	tagCatchBlock        = 0x25
	tagSubprogram        = 0x2e
	tagTryBlock          = 0x32
	tagNamespace         = 0x39
	tagPartialUnit       = 0x3c
	tagSkeletonUnit      = 0x4a

	attrSibling         = 0x01
	attrName            = 0x03
	attrStmtList        = 0x10
	attrLowPC           = 0x11
	attrHighPC          = 0x12
	attrLanguage        = 0x13
	attrCompDir         = 0x1b
	attrAbstractOrigin  = 0x31
	attrDeclFile        = 0x3a
	attrDeclLine        = 0x3b
	attrSpecification   = 0x47
	attrRanges          = 0x55
	attrCallFile        = 0x58
	attrCallLine        = 0x59
	attrLinkageName     = 0x6e
	attrStrOffsetBase   = 0x72
	attrAddrBase        = 0x73
	attrRnglistsBase    = 0x74
	attrDwoName         = 0x76
	attrMIPSLinkageName = 0x2007
	attrGNUDwoName      = 0x2130
	attrGNUDwoID        = 0x2131
	attrGNURangesBase   = 0x2132
	attrGNUAddrBase     = 0x2133

	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSdata         = 0x0d
	formStrp          = 0x0e
	formUdata         = 0x0f
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUdata      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formRefSup4       = 0x1c
	formStrpSup       = 0x1d
	formData16        = 0x1e
	formLineStrp      = 0x1f
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx2        = 0x2a
	formAddrx3        = 0x2b
	formAddrx4        = 0x2c
	formGNUAddrIndex  = 0x1f01
	formGNUStrIndex   = 0x1f02
	formGNURefAlt     = 0x1f20
	formGNUStrpAlt    = 0x1f21
)

// encoding is what the size of a form depends on.
type encoding struct {
	version  uint16
	wide     bool // 64-bit DWARF: offsets of 8 bytes
	addrSize uint8
}

// value is an attribute: a number, offset or index, or for inline strings and
// blocks their bytes, together with the form that says which.
type value struct {
	form  uint64
	n     uint64
	bytes []byte
}

func (v value) present() bool { return v.form != 0 }

// readForm reads one value. An unknown form makes the cursor bad, as its size
// is unknown.
func readForm(c *cursor.Cursor, form uint64, implicit int64, e encoding) value {
	// An indirect form can name another; each costs a byte, so this ends.
	for form == formIndirect && !c.Bad {
		form = c.ULEB()
		if form == formImplicitConst {
			c.Bad = true // its constant would be in the abbreviation
		}
	}
	v := value{form: form}
	switch form {
	case formAddr:
		v.n = c.Sized(e.addrSize)
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		v.n = uint64(c.U8())
	case formData2, formRef2, formStrx2, formAddrx2:
		v.n = uint64(c.U16())
	case formStrx3, formAddrx3:
		v.n = uint64(c.U24())
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		v.n = uint64(c.U32())
	case formData8, formRef8, formRefSig8, formRefSup8:
		v.n = c.U64()
	case formData16:
		v.bytes = c.Take(16)
	case formSdata:
		v.n = uint64(c.SLEB())
	case formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx,
		formGNUAddrIndex, formGNUStrIndex:
		v.n = c.ULEB()
	case formStrp, formLineStrp, formSecOffset, formStrpSup, formGNURefAlt, formGNUStrpAlt:
		v.n = c.Word(e.wide)
	case formRefAddr:
		if e.version <= 2 { // the size of an address then, of an offset since
			v.n = c.Sized(e.addrSize)
		} else {
			v.n = c.Word(e.wide)
		}
	case formString:
		v.bytes = c.Text()
	case formBlock1:
		v.bytes = c.Take(uint64(c.U8()))
	case formBlock2:
		v.bytes = c.Take(uint64(c.U16()))
	case formBlock4:
		v.bytes = c.Take(uint64(c.U32()))
	case formBlock, formExprloc:
		v.bytes = c.Take(c.ULEB())
	case formFlagPresent:
		v.n = 1
	case formImplicitConst:
		v.n = uint64(implicit)
	default:
		c.Bad = true
	}
	return v
}
