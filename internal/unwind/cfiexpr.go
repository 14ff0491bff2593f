package unwind

import "github.com/energyprof/energyprof/internal/cursor"

// Operations of expressions: DWARF 5, 7.7.1.
const (
	opDeref      = 0x06
	opConst1u    = 0x08
	opConst1s    = 0x09
	opConst2u    = 0x0a
	opConst2s    = 0x0b
	opConst4u    = 0x0c
	opConst4s    = 0x0d
	opConstu     = 0x10
	opConsts     = 0x11
	opAnd        = 0x1a
	opMinus      = 0x1c
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opGe         = 0x2a
	opLit0       = 0x30
	opLit31      = 0x4f
	opBreg0      = 0x70
	opBreg31     = 0x8f
	opBregx      = 0x92
)

// Forms of expressions.
const (
	valueUnknown  uint8 = iota
	valueRegister       // register reg + off
	valueDeref          // what is in memory at register reg + off, + add
	valueCFA            // the canonical frame address + off
	valuePLT            // see CFAPLT: add is the number that the instruction pointer is compared with
)

// value is what an expression computes.
type value struct {
	kind     uint8
	reg      uint64
	off, add int64
}

// expression reads the expressions that compilers and linkers write: a register, plus a number, perhaps what is in memory
// there, plus a number; and that of procedure linkage tables. Those of registers start with the canonical frame address
// on the stack.
func expression(b []byte, onCFA bool) value {
	c := cursor.Cursor{Bytes: b}
	v := value{kind: valueCFA}
	if len(b) > 0 && (b[0] >= opBreg0 && b[0] <= opBreg31 || b[0] == opBregx) {
		v.kind = valueRegister
		if op := c.U8(); op == opBregx {
			v.reg = c.ULEB()
		} else {
			v.reg = uint64(op - opBreg0)
		}
		v.off = c.SLEB()
	} else if !onCFA {
		return value{}
	}
	if v.kind == valueRegister && v.reg == amd64RSP {
		if limit, ok := lazyBinding(b[c.Pos:]); ok {
			return value{kind: valuePLT, reg: v.reg, off: v.off, add: limit}
		}
	}
	for !c.Bad && c.Pos < len(b) {
		op := c.U8()
		if op == opDeref {
			if v.kind != valueRegister {
				return value{}
			}
			v.kind = valueDeref
			continue
		}
		n, ok := addend(&c, op)
		if !ok || !fits(n) {
			return value{}
		}
		if v.kind == valueDeref {
			v.add += n
		} else {
			v.off += n
		}
	}
	if c.Bad {
		return value{}
	}
	return v
}

// addend reads operations that add a number: plus_uconst, or a constant and plus or minus.
func addend(c *cursor.Cursor, op uint8) (n int64, ok bool) {
	switch {
	case op == opPlusUconst:
		return int64(c.ULEB()), true
	case op >= opLit0 && op <= opLit31:
		n = int64(op - opLit0)
	case op == opConst1u:
		n = int64(c.U8())
	case op == opConst1s:
		n = int64(int8(c.U8()))
	case op == opConst2u:
		n = int64(c.U16())
	case op == opConst2s:
		n = int64(int16(c.U16()))
	case op == opConst4u:
		n = int64(c.U32())
	case op == opConst4s:
		n = int64(int32(c.U32()))
	case op == opConstu:
		n = int64(c.ULEB())
	case op == opConsts:
		n = c.SLEB()
	default:
		return 0, false
	}
	switch c.U8() {
	case opPlus:
		return n, true
	case opMinus:
		return -n, true
	}
	return 0, false
}

// lazyBinding recognises the rest of the expression that GNU ld writes for .plt (bfd, elf_x86_64_eh_frame_lazy_plt): rsp + 8 +
// ((rip & 15) >= limit) << 3.
func lazyBinding(b []byte) (limit int64, ok bool) {
	const rip = opBreg0 + amd64RIP
	if len(b) != 9 || b[4] < opLit0 || b[4] > opLit0+15 {
		return 0, false
	}
	want := [9]byte{rip, 0, opLit0 + 15, opAnd, b[4], opGe, opLit0 + 3, opShl, opPlus}
	return int64(b[4] - opLit0), [9]byte(b) == want
}
