package perfdata

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The largest section of a feature that is read, in bytes, and that of build
// ids, which are as many as there are files.
const (
	maxFeature     = 16 << 20
	maxLongFeature = 1 << 30
)

// maxCPU is beyond the CPUs of any machine: a larger number comes from damaged data.
const maxCPU = 1 << 16

// feature takes the content of a feature: of a section of a file, or of a record
// of a pipe. Layouts are those of the process_* functions of
// tools/perf/util/header.c. What cannot be read is noted and left out.
func (f *File) feature(bit feature, content []byte) {
	c := fields{b: content, order: f.order}
	in := &f.Info
	switch bit {
	case featBuildID:
		f.buildIDs(content)
		return
	case featHostname:
		in.Hostname = c.text()
	case featOSRelease:
		in.OSRelease = c.text()
	case featVersion:
		in.Version = c.text()
	case featArch:
		in.Arch = c.text()
	case featNrCPUs:
		// The format's description has them the other way round.
		a, b := int(min(c.u32(), math.MaxInt32)), int(min(c.u32(), math.MaxInt32))
		in.CPUsAvailable, in.CPUsOnline = max(a, b), min(a, b)
	case featCPUDesc:
		in.CPUDesc = c.text()
	case featCPUID:
		in.CPUID = c.text()
	case featTotalMem:
		in.MemoryKiB = c.u64()
	case featCmdline:
		in.Cmdline = c.texts()
	case featEventDesc:
		f.eventDesc(&c)
	case featCPUTopology:
		f.topology(&c)
	case featNUMATopology:
		f.numaTopology(&c)
	case featMemTopology:
		f.memTopology(&c)
	case featBranchStack:
		in.BranchStack = true
	case featPMUMappings:
		in.PMUs = make(map[uint32]string)
		for n := c.u32(); n > 0 && !c.bad; n-- {
			kind, name := c.u32(), c.text()
			if !c.bad {
				in.PMUs[kind] = name
			}
		}
	case featGroupDesc:
		f.groupDesc(&c)
	case featAuxtrace:
		in.Trace = true
	case featStat:
		in.Stat = true
	case featSampleTime:
		in.First, in.Last = int64(c.u64()), int64(c.u64())
	case featClockID:
		in.Clock.Resolution = time.Duration(c.u64())
	case featClockData:
		if c.u32() == 1 { // version
			c.u32() // the clock's id, which the attributes have too
			in.Clock.WallNS, in.Clock.ClockNS = int64(c.u64()), int64(c.u64())
		}
	case featCompressed:
		in.Compressed = true
		c.u32()
		if kind := c.u32(); kind != 1 && !c.bad {
			f.notes.add("records are compressed by method %d, which is not known", kind)
		}
	case featCPUPMUCaps:
		f.pmuCaps(&c, func() string { return "cpu" })
	case featPMUCaps:
		for n := c.u32(); n > 0 && !c.bad; n-- {
			f.pmuCaps(&c, c.text)
		}
	case featAndroidMeta:
		f.androidMeta(content)
	case featHybridTopology:
		in.HybridCPUs = make(map[string]string)
		for n := c.u32(); n > 0 && !c.bad; n-- {
			name, cpus := c.text(), c.text()
			if !c.bad {
				in.HybridCPUs[name] = cpus
			}
		}
	}
	if c.bad {
		f.notes.add("the header's feature %d is cut short or damaged", bit)
	}
}

// androidMeta takes the names of tracepoints from what simpleperf tells of its
// events: "sched:sched_switch,2,47", a line for each.
func (f *File) androidMeta(b []byte) {
	key, rest, _ := bytes.Cut(b, []byte{0})
	for ; len(key) > 0; key, rest, _ = bytes.Cut(rest, []byte{0}) {
		var value []byte
		value, rest, _ = bytes.Cut(rest, []byte{0})
		if string(key) != "event_type_info" {
			continue
		}
		for line := range strings.Lines(string(value)) {
			parts := strings.Split(strings.TrimSpace(line), ",")
			if len(parts) != 3 || parts[1] != strconv.Itoa(unix.PERF_TYPE_TRACEPOINT) {
				continue
			}
			if id, err := strconv.ParseUint(parts[2], 10, 64); err == nil {
				f.nameTracepoint(id, parts[0])
			}
		}
	}
}

// pmuCaps reads what a PMU says of itself; its name follows.
func (f *File) pmuCaps(c *fields, name func() string) {
	caps := make(map[string]string)
	for n := c.u32(); n > 0 && !c.bad; n-- {
		key, value := c.text(), c.text()
		if !c.bad {
			caps[key] = value
		}
	}
	pmu := name()
	if c.bad {
		return
	}
	if f.Info.PMUCaps == nil {
		f.Info.PMUCaps = make(map[string]map[string]string)
	}
	f.Info.PMUCaps[pmu] = caps
}

// groupDesc reads which events count together.
func (f *File) groupDesc(c *fields) {
	f.Info.Groups = nil
	for n := c.u32(); n > 0 && !c.bad; n-- {
		g := Group{Name: c.text(), Leader: int(min(c.u32(), maxEvents)), Members: int(min(c.u32(), maxEvents))}
		if !c.bad {
			f.Info.Groups = append(f.Info.Groups, g)
		}
	}
}

// eventDesc reads the names of the events. They are in the order of the
// attributes.
func (f *File) eventDesc(c *fields) {
	n, size := c.u32(), uint64(c.u32())
	for i := 0; uint32(i) < n && !c.bad; i++ {
		c.take(size)
		ids := uint64(c.u32())
		name := c.text()
		c.take(min(ids, math.MaxUint64/8) * 8)
		if i < len(f.Events) && name != "" && !c.bad {
			f.Events[i].Name = name
			f.named[i] = true
		}
	}
}

// featureSections reads the features of a file; their places follow the data.
func (f *File) featureSections() error {
	var set []feature
	for word, b := range f.header.features {
		for ; b != 0; b &= b - 1 {
			set = append(set, feature(64*word+bits.TrailingZeros64(b)))
		}
	}
	if len(set) == 0 {
		return nil
	}
	at := f.header.data.offset + f.header.data.size
	table := make([]byte, sectionSize*len(set))
	if n, err := f.at.ReadAt(table, int64(min(at, math.MaxInt64))); n < len(table) {
		f.notes.add("the places of the features at %#x cannot be read: %v", at, err)
		table = table[:n-n%sectionSize]
	}
	c := fields{b: table, order: f.order}
	type placed struct {
		feature
		section
	}
	var all []placed
	for i := range len(table) / sectionSize {
		all = append(all, placed{set[i], section{c.u64(), c.u64()}})
	}
	// As in perf, in the order of the bits; but names that are made up want the PMUs.
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.feature, b.feature) })
	budget := uint64(f.size) + maxFeature
	for _, p := range all {
		limit := uint64(maxFeature)
		switch p.feature {
		case featTracingData, featBPFProgInfo, featBPFBTF, featCache, featDirFormat, featCPUDomainInfo:
			continue // of no use here
		case featBuildID:
			limit = maxLongFeature
		}
		if p.size > uint64(f.size) || p.offset > uint64(f.size)-p.size || p.size > limit || p.size > budget {
			f.notes.add("the header's feature %d (%d bytes at %#x) lies beyond the end of the file", p.feature, p.size, p.offset)
			continue
		}
		budget -= p.size
		content := make([]byte, p.size)
		if n, err := f.at.ReadAt(content, int64(p.offset)); n < len(content) {
			return fmt.Errorf("%s: feature %d at %#x: %w", f.name, p.feature, p.offset, err)
		}
		f.feature(p.feature, content)
	}
	return nil
}
