package memory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// OpenNodes reads the NUMA nodes of this machine: sys is the root of sysfs; proc that of procfs, where
// processes are asked for the nodes of their memory, or "" if they are not to be. A kernel that was built
// without NUMA has one node. An error means that the machine does not show itself.
func OpenNodes(sys, proc string) (*Nodes, error) {
	list, err := readNodes(sys, proc)
	if err != nil {
		return nil, fmt.Errorf("NUMA nodes: %w", err)
	}
	blocks, err := readBlocks(filepath.Join(sys, "devices/system/memory"))
	for _, b := range blocks {
		for i := range list {
			if list[i].ID == b.node {
				list[i].Memory = append(list[i].Memory, b.Range)
			}
		}
	}
	n := NewNodes(list)
	n.err = err
	if proc != "" {
		n.maps = newProcessMaps(proc)
	}
	return n, nil
}

// readNodes reads node/: which nodes there are, their CPUs and distances, and which have memory
// (Documentation/ABI/stable/sysfs-devices-node).
func readNodes(sys, proc string) ([]Node, error) {
	dir := filepath.Join(sys, "devices/system/node")
	online, err := readList(filepath.Join(dir, "online"))
	if errors.Is(err, fs.ErrNotExist) {
		cpus, err := pmu.NewFS(sys, proc).OnlineCPUs()
		if err != nil {
			return nil, err
		}
		return []Node{{CPUs: cpus, HasMemory: true}}, nil
	}
	if err != nil {
		return nil, err
	}
	memory, err := readList(filepath.Join(dir, "has_memory"))
	if err != nil {
		return nil, err
	}
	var list []Node
	for _, id := range online {
		node := Node{ID: id, HasMemory: slices.Contains(memory, id)}
		at := filepath.Join(dir, "node"+strconv.Itoa(id))
		if node.CPUs, err = readList(filepath.Join(at, "cpulist")); err != nil {
			return nil, err
		}
		if node.Distance, err = readDistance(filepath.Join(at, "distance")); err != nil {
			return nil, err
		}
		list = append(list, node)
	}
	return list, nil
}

// readList reads a list of numbers in the kernel's form, "0-3,8".
func readList(path string) ([]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	numbers, err := pmu.ParseCPUList(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return numbers, nil
}

// readDistance reads how far the online nodes are, in the order of their numbers; none if the kernel does not say.
func readDistance(path string) ([]int, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []int
	for _, field := range strings.Fields(string(text)) {
		d, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no distance", path, field)
		}
		all = append(all, d)
	}
	return all, nil
}

// readBlocks reads where the memory of each node is: physical memory in blocks of one size, each with
// its number, its state and links to the nodes it is on (Documentation/ABI/testing/sysfs-devices-memory).
// A block that is on several nodes tells nothing. Kernels without memory hotplug have no such directory: an error.
func readBlocks(dir string) ([]block, error) {
	path := filepath.Join(dir, "block_size_bytes")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("physical addresses of NUMA nodes: %w", err)
	}
	size, err := strconv.ParseUint(strings.TrimSpace(string(text)), 16, 64) // without 0x
	if err != nil || size == 0 {
		return nil, fmt.Errorf("physical addresses of NUMA nodes: %s: %q is no size", path, strings.TrimSpace(string(text)))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("physical addresses of NUMA nodes: %w", err)
	}
	var all []block
	for _, entry := range entries {
		if !numbered(entry.Name(), "memory") {
			continue
		}
		b, ok, err := readBlock(filepath.Join(dir, entry.Name()), size)
		if err != nil {
			return nil, fmt.Errorf("physical addresses of NUMA nodes: %w", err)
		}
		if ok {
			all = append(all, b)
		}
	}
	return all, nil
}

// readBlock reads one block; ok is false if it is offline or not of exactly one node.
func readBlock(dir string, size uint64) (b block, ok bool, err error) {
	state, err := os.ReadFile(filepath.Join(dir, "state"))
	if err != nil {
		return b, false, err
	}
	if strings.TrimSpace(string(state)) != "online" {
		return b, false, nil
	}
	path := filepath.Join(dir, "phys_index")
	text, err := os.ReadFile(path)
	if err != nil {
		return b, false, err
	}
	index, err := strconv.ParseUint(strings.TrimSpace(string(text)), 16, 64)
	if err != nil || index >= ^uint64(0)/size {
		return b, false, fmt.Errorf("%s: %q is no number of a block", path, strings.TrimSpace(string(text)))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return b, false, err
	}
	found := 0
	for _, entry := range entries {
		if numbered(entry.Name(), "node") {
			found++
			b.node, _ = strconv.Atoi(entry.Name()[len("node"):])
		}
	}
	b.Range = Range{index * size, (index + 1) * size}
	return b, found == 1, nil
}

// numbered tells whether a name is the prefix and a small number.
func numbered(name, prefix string) bool {
	number, ok := strings.CutPrefix(name, prefix)
	return ok && number != "" && len(number) < 10 && strings.Trim(number, "0123456789") == ""
}
