package memory

import (
	"cmp"
	"math"
	"slices"

	"github.com/energyprof/energyprof/pebs"
)

// Coherence is what the caches of the CPUs had to do about a line, in samples, as perf c2c counts it. A
// load that hits a modified line (HITM) takes it from the cache of a core that wrote to it: such
// lines are fought for.
type Coherence struct {
	SampledLoads  uint64 `json:"sampled_loads"`
	SampledStores uint64 `json:"sampled_stores"` // that are not loads too
	Locked        uint64 `json:"locked"`
	// Loads that found the line modified in a cache of this node, or of another.
	LocalHitM  uint64 `json:"local_hitm"`
	RemoteHitM uint64 `json:"remote_hitm"`
	// Loads that a cache of a peer core served, where the processor does not tell whether it was modified (Arm).
	LocalPeer  uint64 `json:"local_peer"`
	RemotePeer uint64 `json:"remote_peer"`
	// Stores that found the line in the L1 cache, did not, or do not tell.
	StoreHits    uint64 `json:"store_hits"`
	StoreMisses  uint64 `json:"store_misses"`
	StoreUnknown uint64 `json:"store_unknown"`
}

// count adds a sample. The rules are those of c2c_decode_stats in the kernel's tools/perf/util/mem-events.c,
// with two differences: a modified line that was found elsewhere than in the L3 cache or a remote one is local, where
// perf does not count it, and one that is both (AMD's kernels before 6.6 say so) is remote, where perf counts it twice.
func (c *Coherence) count(d pebs.DataSource) {
	if d.Locked() {
		c.Locked++
	}
	switch {
	case d.Loads():
		c.SampledLoads++
		c.countSnoop(d)
	case d.Stores():
		c.SampledStores++
		switch d.Level() {
		case pebs.L0, pebs.L1:
			c.StoreHits++
		case pebs.Unknown:
			c.StoreUnknown++
		default:
			c.StoreMisses++
		}
	}
}

// countSnoop adds what another cache had.
func (c *Coherence) countSnoop(d pebs.DataSource) {
	// mem_remote with a number of hops can be another core of this node (POWER).
	remote := d&(pebs.LvlRemoteCache1|pebs.LvlRemoteCache2) != 0 || d&pebs.RemoteBit != 0 && d.Hops() < 0
	switch {
	case remote && d&pebs.SnoopHit != 0:
	case remote && d.HitModified():
		c.RemoteHitM++
	case remote && d&pebs.SnoopPeer != 0:
		c.RemotePeer++
	case d.HitModified():
		c.LocalHitM++
	case d&pebs.SnoopPeer != 0:
		c.LocalPeer++
	}
}

// merge adds another part of the samples.
func (c *Coherence) merge(o *Coherence) {
	c.SampledLoads += o.SampledLoads
	c.SampledStores += o.SampledStores
	c.Locked += o.Locked
	c.LocalHitM += o.LocalHitM
	c.RemoteHitM += o.RemoteHitM
	c.LocalPeer += o.LocalPeer
	c.RemotePeer += o.RemotePeer
	c.StoreHits += o.StoreHits
	c.StoreMisses += o.StoreMisses
	c.StoreUnknown += o.StoreUnknown
}

// Sharing says how threads on different CPUs share a line of which at least one writes to it.
type Sharing string

// A line that is written by one CPU and used by others at other offsets is falsely shared: its
// variables have nothing to do with each other but their place.
const (
	NotShared     Sharing = ""
	FalselyShared Sharing = "false"
	TrulyShared   Sharing = "true" // at the same offset
	SharedBoth    Sharing = "both"
)

// minorSharing is the share of all meetings below which a kind of sharing is not told: who writes the first
// values of variables is mostly another thread than those that use them.
const minorSharing = 0.05

// sharing tells how a line is shared, and by how many meetings: two threads on different CPUs, of which one writes, meet as
// often as the one that has fewer samples. What one thread does on several CPUs is not sharing.
func sharing(uses []use) (how Sharing, meetings uint64) {
	order := make([]*use, len(uses))
	for i := range uses {
		order[i] = &uses[i]
	}
	// From the most samples on, each use meets those before it as often as it has samples itself: they need not be
	// looked at in pairs, of which a line of memory that a thousand processes share has too many.
	slices.SortFunc(order, func(u, v *use) int { return cmp.Compare(v.samples, u.samples) })
	before := make(parties, len(uses))
	var falsely, truly uint64
	for _, u := range order {
		here := before.met(u, int64(u.offset)) * u.samples
		truly += here
		falsely += before.met(u, whichever)*u.samples - here
		before.add(u)
	}
	meetings = falsely + truly
	minor := minorSharing * float64(meetings)
	switch {
	case meetings == 0:
		return NotShared, 0
	case float64(truly) < minor:
		return FalselyShared, meetings
	case float64(falsely) < minor:
		return TrulyShared, meetings
	}
	return SharedBoth, meetings
}

// parties are how many uses of a line there are at an offset, on a CPU, of a thread, and in each combination of them.
type parties map[party]count

type party struct{ offset, cpu, thread int64 }

type count struct{ all, writing uint64 }

// whichever stands for every offset, CPU or thread: their numbers have 32 bits.
const whichever = math.MaxInt64

// thread is the thread of a use. The idle tasks of all CPUs have the number 0.
func (u *use) thread() int64 {
	if u.tid == 0 {
		return 1<<32 | int64(uint32(u.cpu))
	}
	return int64(u.tid)
}

func (p parties) add(u *use) {
	for _, offset := range [...]int64{whichever, int64(u.offset)} {
		for _, cpu := range [...]int64{whichever, int64(u.cpu)} {
			for _, thread := range [...]int64{whichever, u.thread()} {
				key := party{offset, cpu, thread}
				n := p[key]
				n.all++
				if u.written {
					n.writing++
				}
				p[key] = n
			}
		}
	}
}

// met is how many of the uses at an offset are of other threads on other CPUs than u, and write if u does not.
func (p parties) met(u *use, offset int64) uint64 {
	of := func(cpu, thread int64) uint64 {
		n := p[party{offset, cpu, thread}]
		if u.written {
			return n.all
		}
		return n.writing
	}
	cpu, thread := int64(u.cpu), u.thread()
	return of(whichever, whichever) - of(cpu, whichever) - of(whichever, thread) + of(cpu, thread)
}
