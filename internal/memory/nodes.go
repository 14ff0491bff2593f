package memory

import (
	"cmp"
	"slices"
	"sort"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// Node is a NUMA node.
type Node struct {
	ID   int
	CPUs []int // that are online; none of memory without CPUs, behind CXL or persistent
	// HasMemory is false for CPUs without memory of their own.
	HasMemory bool
	// Memory is where its memory is, as far as that is known.
	Memory []Range
	// Distance is how far the nodes are, in the order of their IDs, as the firmware's table has it (ACPI SLIT: 10
	// is here, 20 is twice as far); nil: not known.
	Distance []int
}

// Range is physical addresses from Start up to Limit, which is the first behind it.
type Range struct{ Start, Limit uint64 }

// Nodes says on which NUMA node an address is. A nil one knows nothing.
type Nodes struct {
	list   []Node
	blocks []block      // sorted, not overlapping
	ofCPUs map[int]int  // the node of a CPU
	payer  map[int]int  // a CPU of a node, or of the nearest that has any
	only   int          // the one node that has memory, or unknownNode
	maps   *processMaps // nil: not to be asked
	other  map[int]int  // on a machine of two nodes with CPUs: the other one
	err    error        // why physical addresses say nothing
}

// block is memory of a node.
type block struct {
	Range
	node int
}

// NewNodes makes Nodes of what is known of another machine or time. Addresses that are not physical are
// found there only if one node has all memory.
func NewNodes(list []Node) *Nodes {
	n := &Nodes{list: slices.Clone(list), ofCPUs: map[int]int{}, payer: map[int]int{}, other: map[int]int{}, only: unknownNode}
	slices.SortFunc(n.list, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	withMemory := 0
	var withCPUs []int
	for _, node := range n.list {
		if node.HasMemory {
			withMemory++
			n.only = node.ID
		}
		if len(node.CPUs) > 0 {
			withCPUs = append(withCPUs, node.ID)
		}
		for _, cpu := range node.CPUs {
			n.ofCPUs[cpu] = node.ID
		}
		for _, r := range node.Memory {
			n.blocks = append(n.blocks, block{r, node.ID})
		}
	}
	if withMemory != 1 {
		n.only = unknownNode
	}
	if len(withCPUs) == 2 {
		n.other[withCPUs[0]], n.other[withCPUs[1]] = withCPUs[1], withCPUs[0]
	}
	for i := range n.list {
		n.pays(&n.list[i])
	}
	n.join()
	return n
}

// join sorts the blocks and makes one of those that follow each other. What several nodes
// claim belongs to none.
func (n *Nodes) join() {
	type edge struct {
		at         uint64
		node, step int // a claim of the node more, or one less
	}
	var edges []edge
	for _, b := range n.blocks {
		if b.Start < b.Limit {
			edges = append(edges, edge{b.Start, b.node, 1}, edge{b.Limit, b.node, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	n.blocks = nil
	claims := map[int]int{}
	for i, e := range edges {
		if claims[e.node] += e.step; claims[e.node] == 0 {
			delete(claims, e.node)
		}
		if len(claims) != 1 || edges[i+1].at == e.at {
			continue
		}
		for node := range claims {
			if last := len(n.blocks) - 1; last >= 0 && n.blocks[last].node == node && n.blocks[last].Limit == e.at {
				n.blocks[last].Limit = edges[i+1].at
			} else {
				n.blocks = append(n.blocks, block{Range{e.at, edges[i+1].at}, node})
			}
		}
	}
}

// pays finds the CPU whose package pays for the memory of a node.
func (n *Nodes) pays(node *Node) {
	if len(node.CPUs) > 0 {
		n.payer[node.ID] = node.CPUs[0]
		return
	}
	nearest := -1
	for i, d := range node.Distance {
		if i < len(n.list) && len(n.list[i].CPUs) > 0 && (nearest < 0 || d < node.Distance[nearest]) {
			nearest = i
		}
	}
	if nearest >= 0 {
		n.payer[node.ID] = n.list[nearest].CPUs[0]
	}
}

// List is all nodes in the order of their IDs.
func (n *Nodes) List() []Node {
	if n == nil {
		return nil
	}
	return n.list
}

// ofCPU is the node of a CPU.
func (n *Nodes) ofCPU(cpu int) int {
	if n != nil {
		if node, ok := n.ofCPUs[cpu]; ok {
			return node
		}
	}
	return unknownNode
}

// ofPhysical is the node that a physical address is on.
func (n *Nodes) ofPhysical(address uint64) int {
	i := sort.Search(len(n.blocks), func(i int) bool { return n.blocks[i].Limit > address })
	if i < len(n.blocks) && n.blocks[i].Start <= address {
		return n.blocks[i].node
	}
	return unknownNode
}

// of is the node that the data of a sample are on, or unknownNode. A page that cannot be told for itself
// is where all pages of its mapping are.
func (n *Nodes) of(s *perfring.Sample) int {
	if n == nil || s.Addr == 0 && s.PhysAddr == 0 {
		return unknownNode
	}
	if s.PhysAddr != 0 {
		if node := n.ofPhysical(s.PhysAddr); node != unknownNode {
			return node
		}
	}
	if n.only != unknownNode {
		return n.only
	}
	if n.maps == nil || s.Addr == 0 || int64(s.Addr) < 0 {
		return unknownNode
	}
	return n.maps.node(s.PID, s.Addr)
}

// ServedBy is a CPU of the package whose memory served a load that ran on cpu: for collect.Memory. Memory
// without CPUs is taken to be paid for by the nearest node that has some. Where nothing tells the node, what
// says "remote" is of the other one of two, and all else of the CPU's own.
func (n *Nodes) ServedBy(s *perfring.Sample, cpu int) int {
	if n == nil {
		return cpu
	}
	own, node := n.ofCPU(cpu), n.of(s)
	if node == unknownNode {
		node = own
		if other, ok := n.other[own]; ok && remote(pebs.DataSource(s.DataSrc)) {
			node = other
		}
	}
	if node == own {
		return cpu
	}
	if payer, ok := n.payer[node]; ok {
		return payer
	}
	return cpu
}

// remote tells whether memory of another node served an access.
func remote(source pebs.DataSource) bool { return source.Level().Memory() && source.Remote() }
