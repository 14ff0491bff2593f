package unwind

// Registers are those of a thread's user part where a walk begins.
type Registers struct {
	PC uint64
	// R has the others by DWARF number: System V ABI, AMD64 supplement, figure 3.36 (6 rbp, 7 rsp); DWARF for
	// the Arm 64-bit Architecture, section 4.1 (29 x29, 30 x30, 31 sp).
	R [32]uint64
	// Known has a bit for each of R that is set.
	Known uint32
}

// Set sets the register of a DWARF number, which is below 32.
func (r *Registers) Set(number int, value uint64) {
	r.R[number&31] = value
	r.Known |= 1 << (number & 31)
}

// FromPerf gives the registers of a sample with PERF_SAMPLE_REGS_USER: regs has one value for each bit of mask, from
// the lowest on. Those that no rule names, such as flags and segments, are left out, as are values that are missing.
func FromPerf(a Arch, mask uint64, regs []uint64) Registers {
	var r Registers
	return r
}
