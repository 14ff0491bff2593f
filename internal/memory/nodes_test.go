package memory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

const gib = 1 << 30

func TestOpenNodes(t *testing.T) {
	for name, want := range map[string][]Node{
		"sockets": {
			{ID: 0, CPUs: []int{0, 1, 2, 3}, HasMemory: true, Memory: []Range{{0, gib}, {gib, 2 * gib}}, Distance: []int{10, 21, 14}},
			{ID: 1, CPUs: []int{4, 5, 6, 7}, HasMemory: true, Memory: []Range{{2 * gib, 3 * gib}}, Distance: []int{21, 10, 24}},
			{ID: 2, CPUs: []int{}, HasMemory: true, Memory: []Range{{5 * gib, 6 * gib}}, Distance: []int{14, 24, 10}},
		},
		"one":  {{ID: 0, CPUs: []int{0, 1}, HasMemory: true, Memory: []Range{{0, 1 << 27}, {1 << 27, 1 << 28}}, Distance: []int{10}}},
		"none": {{ID: 0, CPUs: []int{0, 1}, HasMemory: true}},
		"cpuless": {
			{ID: 0, CPUs: []int{0}, Distance: []int{10, 20}},
			{ID: 4, CPUs: []int{1}, HasMemory: true, Distance: []int{20, 10}},
		},
	} {
		if got := nodesOf(t, name).List(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the nodes are %+v, want %+v", name, got, want)
		}
	}
}

func TestPhysical(t *testing.T) {
	for _, c := range []struct {
		tree    string
		address uint64
		want    int
	}{
		{"sockets", 1, 0}, {"sockets", 2*gib - 1, 0}, {"sockets", 2 * gib, 1}, {"sockets", 6*gib - 1, 2},
		{"sockets", 3 * gib, unknownNode}, // a block of two nodes
		{"sockets", 4 * gib, unknownNode}, // offline
		{"sockets", 6 * gib, unknownNode}, {"sockets", 1 << 60, unknownNode},
		{"nohotplug", 1, unknownNode},
		{"one", 5 << 40, 0}, {"none", 1, 0}, {"cpuless", 1, 4}, // all memory is of one node
	} {
		if got := nodesOf(t, c.tree).of(&perfring.Sample{PhysAddr: c.address}); got != c.want {
			t.Errorf("%s: physical address %#x is on node %d, want %d", c.tree, c.address, got, c.want)
		}
	}
	if got := (*Nodes)(nil).of(&perfring.Sample{PhysAddr: 1}); got != unknownNode {
		t.Errorf("without nodes an address is on node %d", got)
	}
}

// TestOverlap: what two nodes of a file claim belongs to neither.
func TestOverlap(t *testing.T) {
	n := NewNodes([]Node{
		{ID: 1, HasMemory: true, Memory: []Range{{20, 40}, {50, 50}}},
		{ID: 0, HasMemory: true, Memory: []Range{{0, 10}, {10, 30}, {60, 5}}},
	})
	for address, want := range map[uint64]int{0: 0, 19: 0, 20: unknownNode, 29: unknownNode, 30: 1, 39: 1, 40: unknownNode, 50: unknownNode, 60: unknownNode} {
		if got := n.ofPhysical(address); got != want {
			t.Errorf("address %d is on node %d, want %d", address, got, want)
		}
	}
	n = NewNodes([]Node{ // one claims all of what the others have
		{ID: 0, HasMemory: true, Memory: []Range{{0, 100}}},
		{ID: 1, HasMemory: true, Memory: []Range{{10, 20}, {90, 110}}},
		{ID: 2, HasMemory: true, Memory: []Range{{30, 40}, {35, 50}}},
	})
	want := []block{{Range{0, 10}, 0}, {Range{20, 30}, 0}, {Range{50, 90}, 0}, {Range{100, 110}, 1}}
	if !slices.Equal(n.blocks, want) {
		t.Errorf("the blocks are %v, want %v", n.blocks, want)
	}
}

func TestBadTrees(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"node/online", "0-", "node/online"},
		{"node/node1/cpulist", "x", "node1/cpulist"},
		{"node/node1/distance", "10 y", `"y" is no distance`},
	} {
		sys, proc := tree(t, "sockets")
		if err := os.WriteFile(filepath.Join(sys, "devices/system", c.file), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenNodes(sys, proc); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %s: error %v, want one that names %q", c.text, c.file, err, c.want)
		}
	}
	if _, err := OpenNodes(t.TempDir(), t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a machine that shows nothing: error %v, want that there is no such file", err)
	}
	for _, c := range []struct{ file, text, want string }{
		{"block_size_bytes", "0", `"0" is no size`},
		{"memory2/phys_index", "zz", "memory2/phys_index"},
		{"memory2/phys_index", "ffffffffffffffff", "memory2/phys_index"},
	} {
		sys, proc := tree(t, "sockets")
		if err := os.WriteFile(filepath.Join(sys, "devices/system/memory", c.file), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		n, err := OpenNodes(sys, proc)
		if err != nil || n.err == nil || !strings.Contains(n.err.Error(), c.want) {
			t.Errorf("%q in %s: errors %v and %v, want the second to name %q", c.text, c.file, err, n.err, c.want)
		}
	}
}

// TestProcessMaps asks a process whose mappings change.
func TestProcessMaps(t *testing.T) {
	sys, proc := tree(t, "nohotplug")
	n, err := OpenNodes(sys, proc)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	n.maps.now = func() time.Time { return now }
	at := func(pid uint32, address uint64) int { return n.of(&perfring.Sample{PID: pid, Addr: address}) }
	for _, c := range []struct {
		about   string
		address uint64
		want    int
	}{
		{"the only page of a mapping", 0x559ab8e00008, 1},
		{"the byte before it", 0x559ab8dfffff, 0},
		{"the byte behind it", 0x559ab8e01000, unknownNode},
		{"pages on two nodes", 0x559abaa10000, unknownNode},
		{"bound to the memory behind CXL", 0x7f00001fffff, 2},
		{"a policy of two words", 0x7f0000200000, 1},
		{"no pages yet", 0x7f0000400000, unknownNode},
		{"a mapping that ended meanwhile", 0x7f0000600000, unknownNode},
		{"the kernel's", 0xffff800000000000, unknownNode},
		{"none", 0, unknownNode},
	} {
		if got := at(100, c.address); got != c.want {
			t.Errorf("%s: node %d, want %d", c.about, got, c.want)
		}
	}
	if n.maps.several != 1 || n.maps.refused != nil {
		t.Errorf("%d answers of several nodes and error %v, want 1 and none", n.maps.several, n.maps.refused)
	}

	file := filepath.Join(proc, "100/numa_maps")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	touched := strings.Replace(string(text), "7f0000400000 default\n", "7f0000400000 default anon=1 N1=1\n", 1)
	if err := os.WriteFile(file, []byte(touched), 0o644); err != nil {
		t.Fatal(err)
	}
	now = now.Add(askAgain - 1)
	if got := at(100, 0x7f0000400000); got != unknownNode {
		t.Errorf("a process was asked again too soon: node %d", got)
	}
	now = now.Add(1)
	if got := at(100, 0x7f0000400000); got != 1 {
		t.Errorf("a page that was touched meanwhile: node %d, want 1", got)
	}
	moved := strings.Replace(touched, "559ab8e00000 default file=/usr/bin/app\\040N9=9 anon=1 dirty=1 N1=1", "559ab8e00000 default anon=1 N0=1", 1)
	if err := os.WriteFile(file, []byte(moved), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := at(100, 0x559ab8e00000); got != 1 {
		t.Errorf("what is known was not believed: node %d, want 1", got)
	}
	now = now.Add(holds + 1)
	if got := at(100, 0x559ab8e00000); got != 0 {
		t.Errorf("a page that moved long ago: node %d, want 0", got)
	}
	if at(7, 4096) != unknownNode || n.maps.refused != nil {
		t.Errorf("a process that ended: error %v, want none", n.maps.refused)
	}
	if err := os.WriteFile(file, []byte("7f\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	now = now.Add(askAgain)
	if at(100, 0x1000) != unknownNode || n.maps.refused == nil || !strings.Contains(n.maps.refused.Error(), "100/numa_maps: line 1") {
		t.Errorf("damaged mappings: error %v, want one that names the line", n.maps.refused)
	}
}

// TestAskShare: asking takes at most its share of the time, however long the kernel needs.
func TestAskShare(t *testing.T) {
	_, proc := tree(t, "nohotplug")
	m := newProcessMaps(proc)
	now := time.Unix(1000, 0)
	slow := false
	m.now = func() time.Time {
		if slow {
			now = now.Add(time.Second)
		}
		return now
	}
	slow = true
	m.node(100, 0x559ab8e00000)
	slow = false
	if now = now.Add((askShare - 2) * time.Second); m.ask(100, &mapsOf{}) {
		t.Error("a process was asked again although the last answer took long")
	}
	if now = now.Add(2 * time.Second); !m.ask(100, &mapsOf{}) {
		t.Error("a process was not asked again although it was time")
	}
}

func TestServedBy(t *testing.T) {
	const ram = uint64(pebs.OpLoad | pebs.LvlHit | pebs.LvlLocalRAM | pebs.NumRAM)
	const far = uint64(pebs.OpLoad | pebs.LvlHit | pebs.LvlRemoteRAM1 | pebs.NumRAM | pebs.RemoteBit)
	for _, c := range []struct {
		about, tree string
		s           perfring.Sample
		cpu, want   int
	}{
		{"of the CPU's own node", "sockets", perfring.Sample{PhysAddr: 1, DataSrc: ram}, 2, 2},
		{"of the other package", "sockets", perfring.Sample{PhysAddr: 1, DataSrc: far}, 5, 0},
		{"of the other package", "sockets", perfring.Sample{PhysAddr: 2 * gib, DataSrc: far}, 1, 4},
		{"behind CXL, near", "sockets", perfring.Sample{PhysAddr: 5 * gib, DataSrc: ram}, 1, 0},
		{"behind CXL, far", "sockets", perfring.Sample{PhysAddr: 5 * gib, DataSrc: far}, 6, 0},
		{"the physical address says more than the processor", "sockets", perfring.Sample{PhysAddr: 2 * gib, DataSrc: ram}, 1, 4},
		{"by the process's mappings", "nohotplug", perfring.Sample{PID: 100, Addr: 0x559ab8e00000, DataSrc: far}, 1, 4},
		{"nothing known but remote", "nohotplug", perfring.Sample{PID: 1, Addr: 0x1000, DataSrc: far}, 6, 0},
		{"nothing known", "nohotplug", perfring.Sample{PID: 1, Addr: 0x1000, DataSrc: ram}, 6, 6},
		{"a CPU that nobody knows", "nohotplug", perfring.Sample{PID: 1, Addr: 0x1000, DataSrc: far}, 99, 99},
		{"one node", "one", perfring.Sample{PhysAddr: 1, DataSrc: far}, 1, 1},
		{"the only memory", "cpuless", perfring.Sample{Addr: 1, DataSrc: ram}, 0, 1},
	} {
		if got := nodesOf(t, c.tree).ServedBy(&c.s, c.cpu); got != c.want {
			t.Errorf("%s: %s, on CPU %d: served by CPU %d, want %d", c.tree, c.about, c.cpu, got, c.want)
		}
	}
	if got := (*Nodes)(nil).ServedBy(&perfring.Sample{DataSrc: far}, 3); got != 3 {
		t.Errorf("without nodes: served by CPU %d, want 3", got)
	}
	lonely := NewNodes([]Node{{ID: 0, CPUs: []int{0}, HasMemory: true}, {ID: 1, HasMemory: true, Memory: []Range{{0, 10}}}})
	if got := lonely.ServedBy(&perfring.Sample{PhysAddr: 5, DataSrc: ram}, 0); got != 0 {
		t.Errorf("memory without CPUs and without distances: served by CPU %d, want 0", got)
	}
}

// TestLive: the memory of this machine is on its nodes, and so is this process.
func TestLive(t *testing.T) {
	n, err := OpenNodes("/sys", "/proc")
	if err != nil {
		t.Fatal(err)
	}
	var cpus int
	for _, node := range n.List() {
		cpus += len(node.CPUs)
		for _, r := range node.Memory {
			if got := n.ofPhysical(r.Start); got != node.ID {
				t.Errorf("physical address %#x is on node %d, want %d", r.Start, got, node.ID)
			}
		}
	}
	if cpus == 0 {
		t.Errorf("no node of %+v has CPUs", n.List())
	}
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skipf("a kernel without NUMA: %v", err)
	}
	maps, err := newProcessMaps("/proc").read(uint32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, m := range maps {
		if m.node != unknownNode || m.several {
			known++
		}
	}
	if known == 0 {
		t.Errorf("none of the %d mappings of this process is on a node", len(maps))
	}
}
