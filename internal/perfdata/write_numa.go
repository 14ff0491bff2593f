package perfdata

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// numa describes the NUMA nodes: their memory in KiB and their CPUs (NUMA_TOPOLOGY, without which perf c2c does
// nothing), and which blocks of physical memory they have (MEM_TOPOLOGY). nil where the kernel knows no nodes.
func (m Machine) numa() (nodes, memory []byte) {
	all := filepath.Join(m.Sys, "devices/system/node/node")
	dirs, _ := filepath.Glob(all + "[0-9]*") // the pattern is well formed
	var ids []int
	for _, dir := range dirs {
		if id, err := strconv.Atoi(strings.TrimPrefix(dir, all)); err == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	size := m.memoryBlock()
	nodes = numbers32(nil, uint32(len(ids)))
	memory = numbers64(nil, 1, size, uint64(len(ids))) // a version first
	for _, id := range ids {
		dir := all + strconv.Itoa(id)
		total, free := nodeMemory(dir)
		cpus, _ := os.ReadFile(filepath.Join(dir, "cpulist")) // of no CPUs, if it cannot be read
		nodes = numbers64(numbers32(nodes, uint32(id)), total, free)
		nodes = featureString(nodes, strings.TrimSpace(string(cpus)))
		bits, words := memoryBlocks(dir)
		memory = numbers64(memory, uint64(id), bits, bits)
		memory = numbers64(memory, words...)
	}
	if size == 0 {
		memory = nil
	}
	return nodes, memory
}

// memoryBlock is the size of the blocks in which memory comes and goes, 0 where it does not.
func (m Machine) memoryBlock() uint64 {
	text, err := os.ReadFile(filepath.Join(m.Sys, "devices/system/memory/block_size_bytes"))
	if err != nil {
		return 0
	}
	size, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 16, 64)
	return size
}

// nodeMemory reads the memory of a node in KiB, 0 if unknown.
func nodeMemory(dir string) (total, free uint64) {
	text, _ := os.ReadFile(filepath.Join(dir, "meminfo"))
	for line := range strings.Lines(string(text)) {
		// Node 0 MemTotal: 24684084 kB
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		n, _ := strconv.ParseUint(f[3], 10, 64)
		switch f[2] {
		case "MemTotal:":
			total = n
		case "MemFree:":
			free = n
		}
	}
	return total, free
}

// memoryBlocks is the map of a node's blocks: how many bits it has, and its words.
func memoryBlocks(dir string) (bits uint64, words []uint64) {
	const wordBits, maxBlocks = 64, 1 << 24
	blocks, _ := filepath.Glob(filepath.Join(dir, "memory[0-9]*"))
	for _, block := range blocks {
		n, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(block), "memory"), 10, 64)
		if err != nil || n >= maxBlocks {
			continue
		}
		bits = max(bits, n+1)
		for uint64(len(words)) <= n/wordBits {
			words = append(words, 0)
		}
		words[n/wordBits] |= 1 << (n % wordBits)
	}
	return bits, words
}
