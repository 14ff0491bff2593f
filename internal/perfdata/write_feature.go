package perfdata

import (
	"cmp"
	"encoding/hex"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
)

// featureSection is a feature as it is written: the formats are those of tools/perf/util/header.c.
type featureSection struct {
	bit     feature
	content []byte
}

func sortFeatures(all []featureSection) {
	slices.SortFunc(all, func(a, b featureSection) int { return cmp.Compare(a.bit, b.bit) })
}

// stringAlign is what strings of features are padded to (NAME_ALIGN).
const stringAlign = 64

func padded(s string) []byte {
	return append([]byte(s), make([]byte, stringAlign-len(s)%stringAlign)...)
}

func featureString(b []byte, s string) []byte {
	p := padded(s)
	return append(numbers32(b, uint32(len(p))), p...)
}

func featureStrings(b []byte, all []string) []byte {
	b = numbers32(b, uint32(len(all)))
	for _, s := range all {
		b = featureString(b, s)
	}
	return b
}

// features describes the machine and the events. What this machine does not tell is left out.
func (m Machine) features(events []Event, attrs [][]byte, own *Own) []featureSection {
	var all []featureSection
	add := func(bit feature, content []byte) { all = append(all, featureSection{bit, content}) }
	addText := func(bit feature, s string) {
		if s != "" {
			add(bit, featureString(nil, s))
		}
	}
	host, release, arch := uname()
	addText(featHostname, host)
	addText(featOSRelease, release)
	addText(featArch, arch)
	addText(featVersion, own.Tool)
	info := m.cpuinfo()
	addText(featCPUDesc, info["model name"])
	addText(featCPUID, cpuID(info))
	if kib := m.memoryKiB(); kib > 0 {
		add(featTotalMem, numbers64(nil, kib))
	}
	add(featCmdline, featureStrings(nil, os.Args))
	add(featEventDesc, eventDesc(events, attrs))
	add(featBuildID, buildIDs(own))
	if formats, err := m.tracingData(events); err == nil && formats != nil {
		add(featTracingData, formats)
	}

	sys := pmu.NewFS(m.Sys, m.Proc)
	if cpus, err := sys.Topology(); err == nil && len(cpus) > 0 {
		nr, topology := cpuTopology(cpus)
		add(featNrCPUs, nr)
		add(featCPUTopology, topology)
	}
	if nodes, memory := m.numa(); nodes != nil {
		add(featNUMATopology, nodes)
		if memory != nil {
			add(featMemTopology, memory)
		}
	}
	if pmus, _ := sys.PMUs(); len(pmus) > 0 { // as far as they can be read
		b := numbers32(nil, uint32(len(pmus)))
		for _, p := range pmus {
			b = featureString(numbers32(b, p.Type), p.Name)
		}
		add(featPMUMappings, b)
	}
	return all
}

// recordingFeatures are those about times.
func (w *Writer) recordingFeatures() []featureSection {
	all := []featureSection{{featSampleTime, numbers64(nil, w.first, w.last)}}
	var resolution, wall, now unix.Timespec
	if unix.ClockGetres(unix.CLOCK_MONOTONIC, &resolution) == nil {
		all = append(all, featureSection{featClockID, numbers64(nil, uint64(resolution.Nano()))})
	}
	if unix.ClockGettime(unix.CLOCK_REALTIME, &wall) == nil && unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		const version = 1
		all = append(all, featureSection{featClockData,
			numbers64(numbers32(nil, version, unix.CLOCK_MONOTONIC), uint64(wall.Nano()), uint64(now.Nano()))})
	}
	return all
}

func eventDesc(events []Event, attrs [][]byte) []byte {
	b := numbers32(nil, uint32(len(events)), uint32(len(attrs[0])))
	for i, e := range events {
		b = append(b, attrs[i]...)
		b = numbers32(b, uint32(len(e.IDs)))
		b = numbers64(featureString(b, e.Name), e.IDs...)
	}
	return b
}

// cpuTopology returns the features NRCPUS, which counts CPUs that can exist up to the last one that
// is present, and CPU_TOPOLOGY.
func cpuTopology(cpus []pmu.CPU) (nr, topology []byte) {
	// CPUs that share a package, a die, a core.
	type group struct{ level, pkg, die, core int }
	const levels = 3
	members := map[group][]int{}
	var order [levels][]group
	last, online := 0, 0
	for _, c := range cpus {
		last = max(last, c.ID)
		if !c.Online {
			continue
		}
		online++
		for level, g := range []group{{0, c.Package, 0, 0}, {1, c.Package, c.Die, 0}, {2, c.Package, c.Die, c.Core}} {
			if members[g] == nil {
				order[level] = append(order[level], g)
			}
			members[g] = append(members[g], c.ID)
		}
	}
	lists := func(level int) (out []string) {
		for _, g := range order[level] {
			out = append(out, pmu.FormatCPUList(members[g]))
		}
		return out
	}
	unknown := int32(-1)
	core, pkg, die := make([]int32, last+1), make([]int32, last+1), make([]int32, last+1)
	for i := range core {
		core[i], pkg[i], die[i] = unknown, unknown, unknown
	}
	for _, c := range cpus {
		if c.Online {
			core[c.ID], pkg[c.ID], die[c.ID] = int32(c.Core), int32(c.Package), int32(c.Die)
		}
	}
	b := featureStrings(nil, lists(0))
	b = featureStrings(b, lists(2))
	for i := range core {
		b = numbers32(b, uint32(core[i]), uint32(pkg[i]))
	}
	b = featureStrings(b, lists(1))
	for i := range die {
		b = numbers32(b, uint32(die[i]))
	}
	return numbers32(nil, uint32(last+1), uint32(online)), b
}

// buildIDs names the binaries that were hit.
func buildIDs(own *Own) []byte {
	const (
		kernelPID  = -1
		idSize     = 20
		fixed      = recordHeader + 4 + idSize + 4 // header, pid, id, size of the id with padding
		maxNameLen = 4096
	)
	seen := map[string]bool{}
	var b []byte
	for _, l := range own.Locations {
		if l.Mapping == nil || seen[l.Mapping.File] {
			continue
		}
		name := l.Mapping.File
		id, err := hex.DecodeString(l.Mapping.BuildID)
		if err != nil || len(id) == 0 || len(id) > idSize || len(name) > maxNameLen {
			continue
		}
		seen[name] = true
		misc := uint16(perfring.MiscUser)
		switch {
		case name == symbol.KernelPath:
			misc = perfring.MiscKernel
		case !strings.HasPrefix(name, "/"):
			continue // perf keeps no binary of code without a file
		}
		file := padded(name)
		b = numbers32(b, uint32(recHeaderBuildID))
		b = native.AppendUint16(b, misc|miscBuildIDSize)
		b = native.AppendUint16(b, uint16(fixed+len(file)))
		pid := int32(kernelPID)
		b = numbers32(b, uint32(pid))
		b = append(b, id...)
		b = append(b, make([]byte, idSize-len(id))...)
		b = append(b, byte(len(id)), 0, 0, 0)
		b = append(b, file...)
	}
	return b
}
