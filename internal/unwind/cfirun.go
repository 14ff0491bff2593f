package unwind

import (
	"math/bits"

	"github.com/energyprof/energyprof/internal/cursor"
)

// Call frame instructions: DWARF 5, 7.24; those of GNU and of AArch64 from the Linux Standard Base and from "DWARF for the Arm
// 64-bit Architecture".
const (
	cfaAdvanceLoc        = 0x40 // in the upper two bits
	cfaOffset            = 0x80
	cfaRestore           = 0xc0
	cfaNop               = 0x00
	cfaSetLoc            = 0x01
	cfaAdvanceLoc1       = 0x02
	cfaAdvanceLoc2       = 0x03
	cfaAdvanceLoc4       = 0x04
	cfaOffsetExtended    = 0x05
	cfaRestoreExtended   = 0x06
	cfaUndefined         = 0x07
	cfaSameValue         = 0x08
	cfaRegister          = 0x09
	cfaRememberState     = 0x0a
	cfaRestoreState      = 0x0b
	cfaDefCFA            = 0x0c
	cfaDefCFARegister    = 0x0d
	cfaDefCFAOffset      = 0x0e
	cfaDefCFAExpression  = 0x0f
	cfaExpression        = 0x10
	cfaOffsetExtendedSF  = 0x11
	cfaDefCFASF          = 0x12
	cfaDefCFAOffsetSF    = 0x13
	cfaValOffset         = 0x14
	cfaValOffsetSF       = 0x15
	cfaValExpression     = 0x16
	cfaMIPSAdvanceLoc8   = 0x1d
	cfaNegateRAStatePC   = 0x2c // return addresses that are signed are stripped in the walk, whatever their state
	cfaNegateRAState     = 0x2d
	cfaGNUArgsSize       = 0x2e
	cfaGNUNegativeOffset = 0x2f
)

// maxRemembered is how deep states may be remembered; compilers nest them once.
const maxRemembered = 64

// program runs the instructions of one function.
type program struct {
	arch       Arch
	cie        *cie
	now        state
	loc        uint64
	limit      uint64 // where the function ends
	remembered []state
}

// run takes instructions and calls row for each run of addresses with one state, in order, until it is false. Here is the
// address of the first instruction, for pointers relative to themselves. It is false for instructions that are damaged or not
// known: rows before them hold.
func (p *program) run(b []byte, here uint64, row func(start, limit uint64) bool) bool {
	c := cursor.Cursor{Bytes: b}
	for !c.Bad && c.Pos < len(b) && p.loc < p.limit {
		op := c.U8()
		next, moved := p.advance(&c, op, here)
		switch {
		case c.Bad:
			return false
		case moved:
			if next < p.loc {
				return false
			}
			next = min(next, p.limit)
			if row != nil && next > p.loc && !row(p.loc, next) {
				return true
			}
			p.loc = next
		case !p.apply(&c, op) || c.Bad:
			return false
		}
	}
	if row != nil && p.loc < p.limit {
		row(p.loc, p.limit)
	}
	return true
}

// advance is where the next row starts, if the instruction starts one.
func (p *program) advance(c *cursor.Cursor, op uint8, here uint64) (next uint64, moved bool) {
	var delta uint64
	switch {
	case op&0xc0 == cfaAdvanceLoc:
		delta = uint64(op & 0x3f)
	case op == cfaSetLoc:
		return encoded(c, p.cie.enc, here, 0), true
	case op == cfaAdvanceLoc1:
		delta = uint64(c.U8())
	case op == cfaAdvanceLoc2:
		delta = uint64(c.U16())
	case op == cfaAdvanceLoc4:
		delta = uint64(c.U32())
	case op == cfaMIPSAdvanceLoc8:
		delta = c.U64()
	default:
		return 0, false
	}
	hi, delta := bits.Mul64(delta, p.cie.codeAlign)
	next, carry := bits.Add64(p.loc, delta, 0)
	if hi != 0 || carry != 0 {
		return p.limit, true
	}
	return next, true
}

// apply changes the state by an instruction that starts no row.
func (p *program) apply(c *cursor.Cursor, op uint8) bool {
	s := &p.now
	switch op & 0xc0 {
	case cfaOffset:
		p.set(uint64(op&0x3f), place{how: placeOffset, off: p.factored(c)})
		return true
	case cfaRestore:
		s.restore(p.arch, p.cie.ra, uint64(op&0x3f), &p.cie.initial)
		return true
	}
	switch op {
	case cfaNop, cfaNegateRAState, cfaNegateRAStatePC:
	case cfaOffsetExtended:
		p.set(c.ULEB(), place{how: placeOffset, off: p.factored(c)})
	case cfaOffsetExtendedSF:
		p.set(c.ULEB(), place{how: placeOffset, off: p.signed(c)})
	case cfaGNUNegativeOffset:
		p.set(c.ULEB(), place{how: placeOffset, off: -p.factored(c)})
	case cfaValOffset:
		p.set(c.ULEB(), place{how: placeValOffset, off: p.factored(c)})
	case cfaValOffsetSF:
		p.set(c.ULEB(), place{how: placeValOffset, off: p.signed(c)})
	case cfaRestoreExtended:
		s.restore(p.arch, p.cie.ra, c.ULEB(), &p.cie.initial)
	case cfaUndefined:
		p.set(c.ULEB(), place{how: placeUndefined})
	case cfaSameValue:
		p.set(c.ULEB(), place{how: placeSame})
	case cfaRegister:
		p.set(c.ULEB(), place{how: placeRegister, reg: c.ULEB()})
	case cfaExpression:
		reg := c.ULEB()
		p.set(reg, memoryAt(expression(c.Take(c.ULEB()), true)))
	case cfaValExpression:
		reg := c.ULEB()
		p.set(reg, valueOf(expression(c.Take(c.ULEB()), true)))
	case cfaRememberState:
		if len(p.remembered) == maxRemembered {
			return false
		}
		p.remembered = append(p.remembered, *s)
	case cfaRestoreState:
		n := len(p.remembered)
		if n == 0 {
			return false
		}
		*s, p.remembered = p.remembered[n-1], p.remembered[:n-1]
	case cfaDefCFA:
		s.cfa = cfaState{defined: true, reg: c.ULEB()}
		s.cfa.setOffset(c.ULEB())
	case cfaDefCFASF:
		s.cfa = cfaState{defined: true, reg: c.ULEB(), off: p.signed(c)}
	case cfaDefCFARegister:
		s.cfa.reg, s.cfa.expr = c.ULEB(), false
	case cfaDefCFAOffset:
		s.cfa.setOffset(c.ULEB())
	case cfaDefCFAOffsetSF:
		s.cfa.off, s.cfa.overflow = p.signed(c), false
	case cfaDefCFAExpression:
		s.cfa = cfaState{defined: true, expr: true, what: expression(c.Take(c.ULEB()), false)}
	case cfaGNUArgsSize:
		c.ULEB()
	default:
		return false
	}
	return true
}

func (p *program) set(reg uint64, at place) { p.now.set(p.arch, p.cie.ra, reg, at) }

func (s *cfaState) setOffset(v uint64) { s.off, s.overflow = int64(v), v > 1<<31 }

// factored reads an unsigned offset in units of the data alignment. What is out of any stack's size is made too large for a
// rule, whatever it would wrap to.
func (p *program) factored(c *cursor.Cursor) int64 {
	return scaled(int64(min(c.ULEB(), 1<<32)), p.cie.dataAlign)
}

func (p *program) signed(c *cursor.Cursor) int64 { return scaled(c.SLEB(), p.cie.dataAlign) }

func scaled(n, unit int64) int64 {
	if !fits(n) || !fits(unit) {
		return 1 << 40
	}
	return n * unit
}

// memoryAt is the place in memory at an address.
func memoryAt(v value) place {
	switch v.kind {
	case valueRegister:
		return place{how: placeMemory, reg: v.reg, off: v.off}
	case valueCFA:
		return place{how: placeOffset, off: v.off}
	}
	return place{how: placeUnknown}
}

// valueOf is the place of a register that has a value.
func valueOf(v value) place {
	switch {
	case v.kind == valueRegister:
		return place{how: placeValue, reg: v.reg, off: v.off}
	case v.kind == valueCFA:
		return place{how: placeValOffset, off: v.off}
	case v.kind == valueDeref && v.add == 0:
		return place{how: placeMemory, reg: v.reg, off: v.off}
	}
	return place{how: placeUnknown}
}
