package perfdata

import (
	"math/bits"
	"slices"
)

// What more nodes or stretches of memory there are than on any machine is damage.
const (
	maxNodes  = 1 << 12 // kernels are built for 1024 at most (CONFIG_NODES_SHIFT)
	maxRanges = 1 << 18 // of all nodes: blocks of 128 MiB of 64 TiB, if neighbours are never of one node
)

// numaTopology reads the nodes, with their memory and CPUs.
func (f *File) numaTopology(c *fields) {
	for n := c.u32(); n > 0 && !c.bad; n-- {
		node := Node{ID: int(c.u32()), TotalKiB: c.u64(), FreeKiB: c.u64(), CPUs: c.text()}
		if c.bad = c.bad || len(f.Info.Nodes) >= maxNodes; !c.bad {
			f.Info.Nodes = append(f.Info.Nodes, node)
		}
	}
}

// memTopology reads which blocks of physical memory each node has: a version, the size of a block,
// and for each node a map with a bit for each block.
func (f *File) memTopology(c *fields) {
	version, size := c.u64(), c.u64()
	if version != 1 {
		return
	}
	room := maxRanges
	for n := c.u64(); n > 0 && !c.bad; n-- {
		id := int(c.u64() & (1<<31 - 1))
		c.u64() // bits, as the map itself has it
		memory := blockMap(c, size, &room)
		in := &f.Info
		i := slices.IndexFunc(in.Nodes, func(n Node) bool { return n.ID == id })
		c.bad = c.bad || i < 0 && len(in.Nodes) >= maxNodes
		if c.bad {
			return
		}
		if i < 0 {
			i = len(in.Nodes)
			in.Nodes = append(in.Nodes, Node{ID: id})
		}
		in.Nodes[i].Memory = memory
	}
}

// blockMap reads a map of blocks: how many bits it has, and words. Neighbours are one range, and there is room for so many.
func blockMap(c *fields, size uint64, room *int) (all []MemoryRange) {
	const wordBits = 64
	for word, words := uint64(0), (c.u64()+wordBits-1)/wordBits; word < words && !c.bad; word++ {
		for set := c.u64(); set != 0; set &= set - 1 {
			high, start := bits.Mul64(word*wordBits+uint64(bits.TrailingZeros64(set)), size)
			limit := start + size
			if high != 0 || limit <= start {
				c.bad = true // beyond all addresses
				return all
			}
			if last := len(all) - 1; last >= 0 && all[last].Limit == start {
				all[last].Limit = limit
				continue
			}
			if *room--; *room < 0 {
				c.bad = true
				return all
			}
			all = append(all, MemoryRange{start, limit})
		}
	}
	return all
}
