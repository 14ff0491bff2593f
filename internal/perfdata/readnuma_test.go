package perfdata

import (
	"encoding/binary"
	"testing"
)

// TestHugeNUMA: the nodes of a damaged file are not more than any machine has, and take no more memory.
func TestHugeNUMA(t *testing.T) {
	as := func() *enc { return &enc{order: binary.LittleEndian} }
	for _, c := range []struct {
		name          string
		feature       feature
		content       []byte
		nodes, ranges int
	}{
		{"nodes", featNUMATopology, manyNodes(as().u32(2*maxNodes), func(e *enc, i int) { e.u32(uint32(i)).u64(1, 1).text("") }), maxNodes, 0},
		{"nodes with memory", featMemTopology, manyNodes(as().u64(1, 1<<27, 2*maxNodes), func(e *enc, i int) { e.u64(uint64(i), 1, 1, 1) }), maxNodes, maxNodes},
		{"every other block", featMemTopology, manyNodes(as().u64(1, 4096, 2*maxNodes), func(e *enc, i int) {
			e.u64(uint64(i), 64*32, 64*32)
			for range 32 {
				e.u64(0x5555555555555555)
			}
		}), maxRanges / 1024, maxRanges},
		{"beyond all addresses", featMemTopology, as().u64(1, 1<<63, 1, 0, 64, 64, ^uint64(0)).b, 0, 0},
	} {
		f := &File{order: binary.LittleEndian}
		f.feature(c.feature, c.content)
		ranges := 0
		for _, n := range f.Info.Nodes {
			ranges += len(n.Memory)
		}
		if len(f.Info.Nodes) != c.nodes || ranges != c.ranges {
			t.Errorf("%s: %d nodes with %d ranges, want %d and %d", c.name, len(f.Info.Nodes), ranges, c.nodes, c.ranges)
		}
		if notes := f.notes.all(); len(notes) != 1 {
			t.Errorf("%s: %d notes, want one: %v", c.name, len(notes), notes)
		}
	}
}

// manyNodes puts twice as many nodes behind the head of a feature as there may be.
func manyNodes(e *enc, node func(e *enc, i int)) []byte {
	for i := range 2 * maxNodes {
		node(e, i)
	}
	return e.b
}
