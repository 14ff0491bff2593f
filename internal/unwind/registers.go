package unwind

import "math/bits"

// Registers are those of a thread's user part where a walk begins.
type Registers struct {
	PC uint64
	// R has the others by DWARF number: System V ABI for AMD64, figure 3.36 (6 is rbp, 7 rsp); DWARF for the
	// Arm 64-bit Architecture, table 1 (29 is x29, 30 x30, 31 sp).
	R [32]uint64
	// Known has a bit for each of R that is set.
	Known uint32
}

// Set sets the register of a DWARF number, which is below 32.
func (r *Registers) Set(number uint8, value uint64) {
	r.R[number&31] = value
	r.Known |= 1 << (number & 31)
}

// get is the register of a DWARF number, if it is known.
func (r *Registers) get(number uint8) (uint64, bool) {
	return r.R[number&31], number < 32 && r.Known>>number&1 != 0
}

// What FromPerf makes of a register in perf's numbering, if it does not have a DWARF number.
const (
	isPC   = 0xfe
	noName = 0xff // no rule names it
)

// perfAMD64 are the DWARF numbers in the order of arch/x86/include/uapi/asm/perf_regs.h.
var perfAMD64 = [...]uint8{
	0, 3, 2, 1, 4, 5, 6, 7, isPC, // ax bx cx dx si di bp sp ip
	noName, noName, noName, noName, noName, noName, noName, // flags cs ss ds es fs gs
	8, 9, 10, 11, 12, 13, 14, 15,
}

// FromPerf gives the registers of a sample with PERF_SAMPLE_REGS_USER: regs has one value for each bit of mask, from
// the lowest on. Those that no rule names, such as flags and segments, are left out, as are values that are missing.
// The numbers on arm64 are those of DWARF, with the program counter as number 32 (arch/arm64/include/uapi/asm/perf_regs.h).
func FromPerf(a Arch, mask uint64, regs []uint64) Registers {
	var r Registers
	for _, v := range regs {
		if mask == 0 {
			break
		}
		bit := bits.TrailingZeros64(mask)
		mask &= mask - 1
		number := uint8(noName)
		switch {
		case a == ARM64 && bit < 32:
			number = uint8(bit)
		case a == ARM64 && bit == 32:
			number = isPC
		case a == AMD64 && bit < len(perfAMD64):
			number = perfAMD64[bit]
		}
		switch number {
		case noName:
		case isPC:
			r.PC = v
		default:
			r.Set(number, v)
		}
	}
	return r
}
