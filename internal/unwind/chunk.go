package unwind

import "sort"

// Rule is the number of the rule that holds at an offset in the chunk.
func (c Chunk) Rule(at uint16) uint16 {
	i := sort.Search(len(c), func(i int) bool { return c[i].At > at })
	if i == 0 {
		return RuleNone
	}
	return c[i-1].Rule
}

// Chunk returns the rows of the addresses from n<<ChunkShift to below (n+1)<<ChunkShift, in the binary's own numbering. They
// are compiled at first use.
func (m *Module) Chunk(n uint64) Chunk {
	c, ok := m.chunks[n]
	if !ok {
		c = Chunk{{}}
		m.chunks[n] = c
	}
	return c
}
