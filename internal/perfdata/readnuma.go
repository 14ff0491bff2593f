package perfdata

import (
	"math/bits"
	"slices"
)

// memTopology reads which blocks of physical memory each node has: a version, the size of a block,
// and for each node a map with a bit for each block.
func (f *File) memTopology(c *fields) {
	version, size := c.u64(), c.u64()
	if version != 1 {
		return
	}
	for n := c.u64(); n > 0 && !c.bad; n-- {
		id := int(c.u64() & (1<<31 - 1))
		c.u64() // bits, as the map itself has it
		memory := blockMap(c, size)
		if c.bad {
			return
		}
		in := &f.Info
		i := slices.IndexFunc(in.Nodes, func(n Node) bool { return n.ID == id })
		if i < 0 {
			i = len(in.Nodes)
			in.Nodes = append(in.Nodes, Node{ID: id})
		}
		in.Nodes[i].Memory = memory
	}
}

// blockMap reads a map of blocks: how many bits it has, and words. Neighbours are one range.
func blockMap(c *fields, size uint64) (all []MemoryRange) {
	const wordBits = 64
	for word, words := uint64(0), (c.u64()+wordBits-1)/wordBits; word < words && !c.bad; word++ {
		for set := c.u64(); set != 0; set &= set - 1 {
			high, start := bits.Mul64(word*wordBits+uint64(bits.TrailingZeros64(set)), size)
			limit := start + size
			if high != 0 || limit <= start {
				return all // beyond all addresses
			}
			if last := len(all) - 1; last >= 0 && all[last].Limit == start {
				all[last].Limit = limit
			} else {
				all = append(all, MemoryRange{start, limit})
			}
		}
	}
	return all
}
