package perfdata

import (
	"fmt"
	"strings"

	"github.com/energyprof/energyprof/perfring"
	"golang.org/x/sys/unix"
)

// The names of perf's own events, by PERF_COUNT_* of
// include/uapi/linux/perf_event.h.
var (
	hardwareNames = []string{"cycles", "instructions", "cache-references", "cache-misses", "branches",
		"branch-misses", "bus-cycles", "stalled-cycles-frontend", "stalled-cycles-backend", "ref-cycles"}
	softwareNames = []string{"cpu-clock", "task-clock", "page-faults", "context-switches", "cpu-migrations",
		"minor-faults", "major-faults", "alignment-faults", "emulation-faults", "dummy", "bpf-output", "cgroup-switches"}
	cacheNames = []string{"L1-dcache", "L1-icache", "LLC", "dTLB", "iTLB", "branch", "node"}
	cacheOps   = []string{"load", "store", "prefetch"}
)

// nameOf makes the name of an event of which the file has none, as perf does
// (tools/perf/util/evsel.c).
func (f *File) nameOf(a *perfring.Attr) string {
	base := ""
	switch a.Type {
	case unix.PERF_TYPE_HARDWARE:
		base = f.hardwareName(a.Config)
	case unix.PERF_TYPE_SOFTWARE:
		base = "unknown-software"
		if a.Config < uint64(len(softwareNames)) {
			base = softwareNames[a.Config]
		}
	case unix.PERF_TYPE_TRACEPOINT:
		if name := f.tracepoints[a.Config]; name != "" {
			return name
		}
		return fmt.Sprintf("tracepoint:%d", a.Config)
	case unix.PERF_TYPE_HW_CACHE:
		base = cacheName(a.Config)
	case unix.PERF_TYPE_RAW:
		base = fmt.Sprintf("raw 0x%x", a.Config)
	case unix.PERF_TYPE_BREAKPOINT:
		base = fmt.Sprintf("mem:0x%x:%s", a.Config1, breakpointAccess(a.BPType))
		if mods := modifiers(a); mods != "" {
			return base + mods
		}
		return base
	default:
		name := f.Info.PMUs[a.Type]
		if name == "" {
			return fmt.Sprintf("unknown attr type: %d", a.Type)
		}
		base = fmt.Sprintf("%s/config=0x%x/", name, a.Config)
		return base + strings.TrimPrefix(modifiers(a), ":")
	}
	return base + modifiers(a)
}

// hardwareName names a generic hardware event; on a hybrid machine the upper
// half of its config is the type of the PMU.
func (f *File) hardwareName(config uint64) string {
	name := "unknown-hardware"
	if event := config & 0xffffffff; event < uint64(len(hardwareNames)) {
		name = hardwareNames[event]
	}
	if kind := uint32(config >> 32); kind != 0 {
		pmu := f.Info.PMUs[kind]
		if pmu == "" {
			pmu = "cpu"
		}
		return pmu + "/" + name + "/"
	}
	return name
}

// cacheName is "L1-dcache-load-misses" and the like.
func cacheName(config uint64) string {
	kind, op, result := config&0xff, config>>8&0xff, config>>16&0xff
	if kind >= uint64(len(cacheNames)) || op >= uint64(len(cacheOps)) || result > 1 {
		return "invalid-cache"
	}
	name := cacheNames[kind] + "-" + cacheOps[op]
	switch {
	case result == 1:
		return name + "-misses"
	case op == 2:
		return name + "es"
	}
	return name + "s"
}

// breakpointAccess is of HW_BREAKPOINT_*.
func breakpointAccess(kind uint32) (s string) {
	for i, letter := range "rwx" {
		if kind>>i&1 != 0 {
			s += string(letter)
		}
	}
	return s
}

// modifiers are the letters that perf appends for what is not counted and how
// precise the address is: ":u", ":ppp".
func modifiers(a *perfring.Attr) string {
	mods := ""
	if a.Flags&(perfring.FlagExcludeKernel|perfring.FlagExcludeUser|perfring.FlagExcludeHV) != 0 {
		for _, m := range []struct {
			exclude perfring.Flags
			letter  string
		}{{perfring.FlagExcludeKernel, "k"}, {perfring.FlagExcludeUser, "u"}, {perfring.FlagExcludeHV, "h"}} {
			if a.Flags&m.exclude == 0 {
				mods += m.letter
			}
		}
	}
	mods += strings.Repeat("p", int(a.PreciseIP))
	if a.Flags&perfring.FlagExcludeHost != 0 && a.Flags&perfring.FlagExcludeGuest == 0 {
		mods += "G"
	}
	if mods == "" {
		return ""
	}
	return ":" + mods
}
