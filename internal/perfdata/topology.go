package perfdata

import (
	"fmt"

	"github.com/energyprof/energyprof/internal/pmu"
)

// topology reads where the CPUs sit: lists of siblings, then core and package
// of each CPU (since Linux 4.0), then dies (since 5.3).
func (f *File) topology(c *fields) {
	in := &f.Info
	in.PackageSiblings, in.ThreadSiblings = c.texts(), c.texts()
	in.CPUs = nil
	if c.bad {
		return
	}
	n := in.CPUsAvailable
	if len(c.b) == 0 || n == 0 || n > len(c.b)/8 {
		f.topologyOfSiblings()
		return
	}
	cpus := make([]CPU, n)
	for i := range cpus {
		core, pkg := int32(c.u32()), int32(c.u32())
		cpus[i] = CPU{Package: max(-1, int(pkg)), Core: max(-1, int(core)), Die: -1}
	}
	if len(c.b) > 0 {
		in.DieSiblings = c.texts()
		for i := range cpus {
			cpus[i].Die = max(-1, int(int32(c.u32())))
		}
	}
	in.CPUs = cpus
}

// topologyOfSiblings numbers packages and cores by the lists of siblings, which
// are all that old files have.
func (f *File) topologyOfSiblings() {
	in := &f.Info
	set := func(lists []string, put func(c *CPU, number int)) {
		known := 0
		for number, list := range lists {
			cpus, err := pmu.ParseCPUList(list)
			if known += len(cpus); err == nil && known > maxCPU {
				err = fmt.Errorf("more than %d CPUs", maxCPU)
			}
			if err != nil {
				f.notes.add("topology: %v", err)
				return
			}
			for _, cpu := range cpus {
				for cpu >= len(in.CPUs) {
					in.CPUs = append(in.CPUs, CPU{-1, -1, -1})
				}
				put(&in.CPUs[cpu], number)
			}
		}
	}
	set(in.PackageSiblings, func(c *CPU, n int) { c.Package = n })
	set(in.ThreadSiblings, func(c *CPU, n int) { c.Core = n })
}
