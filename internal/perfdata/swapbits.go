package perfdata

import (
	"encoding/binary"
	"math/bits"
)

// branchFields are the widths of the bit fields of struct perf_branch_entry.
var branchFields = []int{1, 1, 1, 1, 16, 4, 2, 4, 3, 31}

// swapBranchFlags puts the bit fields of a branch where a little-endian
// machine's compiler has them: that of the other order counts from the other end
// of the word.
func swapBranchFlags(v uint64) (out uint64) {
	at := 0
	for _, width := range branchFields {
		out |= v >> (64 - at - width) & (1<<width - 1) << at
		at += width
	}
	return out
}

// swapAttr turns struct perf_event_attr into the machine's byte order. The
// word of flags consists of bit fields, which are counted from the other end
// of each byte.
func swapAttr(b []byte) {
	c := cursor{b}
	c.u32() // type
	c.u32() // size
	c.words(4)
	if flags := c.take(8); flags != nil {
		for i := range flags {
			flags[i] = bits.Reverse8(flags[i])
		}
		// precise_ip has two bits, of which the higher one came first: bit 15, the
		// last of the second byte, and bit 16.
		if len(flags) == 8 {
			v := binary.NativeEndian.Uint64(flags)
			v = v&^(3<<15) | v>>15&1<<16 | v>>16&1<<15
			binary.NativeEndian.PutUint64(flags, v)
		}
	}
	c.u32() // wakeup
	c.u32() // bp_type
	c.words(4)
	c.u32() // sample_stack_user
	c.u32() // clockid
	c.u64() // sample_regs_intr
	c.u32() // aux_watermark
	c.u16() // sample_max_stack
	c.u16()
	c.u32() // aux_sample_size
	c.u32() // aux_action
	c.words(uint64(len(c.b) / 8))
}
