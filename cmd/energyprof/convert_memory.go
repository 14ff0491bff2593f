package main

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// memory tells whether samples of an event of the file are accesses to memory: they say where the data was and how
// long it took, as those of perf mem record and of perf record -d -W do. Events that the CPU counts by generic names
// (cycles) have those fields for nothing.
func (c *conversion) memory(event int) bool {
	a := &c.file.Events[event].Attr
	const latency = perfring.SampleWeight | perfring.SampleWeightStruct
	switch a.Type {
	case unix.PERF_TYPE_HARDWARE, unix.PERF_TYPE_SOFTWARE, unix.PERF_TYPE_TRACEPOINT, unix.PERF_TYPE_HW_CACHE, unix.PERF_TYPE_BREAKPOINT:
		return false
	}
	return a.SampleFormat&perfring.SampleDataSrc != 0 && (a.SampleFormat&latency != 0 || c.file.Info.PMUs[a.Type] == "ibs_op")
}

// addressed tells whether samples of an event have the address of data without more about it: page faults and breakpoints.
func (c *conversion) addressed(event int) bool {
	a := &c.file.Events[event].Attr
	if a.SampleFormat&perfring.SampleAddr == 0 {
		return false
	}
	switch a.Type {
	case unix.PERF_TYPE_BREAKPOINT:
		return true
	case unix.PERF_TYPE_SOFTWARE:
		return slices.Contains(faults, a.Config)
	}
	return false
}

// faults are the software events whose samples have the address that was accessed (perf_sw_event of the
// architectures' fault handlers).
var faults = []uint64{
	unix.PERF_COUNT_SW_PAGE_FAULTS, unix.PERF_COUNT_SW_PAGE_FAULTS_MIN, unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ,
	unix.PERF_COUNT_SW_ALIGNMENT_FAULTS, unix.PERF_COUNT_SW_EMULATION_FAULTS,
}

// weighMemory tells whether energy is shared out by what memory served: where it is that of DRAM alone, and accesses are
// what the file is about.
func (c *conversion) weighMemory(events []collect.Event) bool {
	return (hasMemory(events) || c.choose != nil) && len(c.info.Domains) > 0 &&
		!slices.ContainsFunc(c.info.Domains, func(d rapl.Domain) bool { return d.Name != dramDomain })
}

// nodes are the NUMA nodes of the machine that was recorded, as far as the file tells of them.
func (c *conversion) nodes() *memory.Nodes {
	var list []memory.Node
	for _, n := range c.file.Info.Nodes {
		cpus, err := pmu.ParseCPUList(n.CPUs)
		if err != nil {
			continue
		}
		node := memory.Node{ID: n.ID, CPUs: cpus, HasMemory: n.TotalKiB > 0 || len(n.Memory) > 0}
		for _, r := range n.Memory {
			node.Memory = append(node.Memory, memory.Range(r))
		}
		list = append(list, node)
	}
	return memory.NewNodes(list)
}
