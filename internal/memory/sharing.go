package memory

import "github.com/energyprof/energyprof/pebs"

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
	var falsely, truly uint64
	for i := range uses {
		u := &uses[i]
		for j := range uses[:i] {
			v := &uses[j]
			if u.cpu == v.cpu || u.tid == v.tid || !u.written && !v.written {
				continue
			}
			if n := min(u.samples, v.samples); u.offset == v.offset {
				truly += n
			} else {
				falsely += n
			}
		}
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
