package pebs

// A Level is the one place that served an access.
type Level uint8

// The levels, from near to far; first what says only where the data were not.
const (
	Unknown     Level = iota
	L1Miss            // not in the L1 cache, and it is not said where else (stores, mostly)
	L2Miss            // not in the L2 cache
	L3Miss            // not in the L3 cache: another cache, or memory
	L0                // the cache before the L1 cache
	L1                // level 1 data cache
	LFB               // a buffer of lines that were on their way already
	L2                // level 2 cache
	MHB               // such a buffer of the L2 cache
	L3                // level 3 cache, whose other users may have modified the line
	L4                // a cache behind it: eDRAM
	Cache             // some cache of this node
	PeerCache         // a cache of another core of this node
	RemoteCache       // a cache of another node
	MSC               // the memory-side cache, in front of memory
	RAM               // DRAM of this node
	RemoteRAM         // DRAM of another node
	PMEM              // persistent memory of this node
	RemotePMEM        // persistent memory of another node
	CXL               // memory behind CXL, of this node
	RemoteCXL         // memory behind CXL, of another node
	IO                // memory of a device
	Uncached          // memory that is not cached, whosever it is
	levels            // how many there are
)

// Levels is how many levels there are: every Level is below it.
const Levels = int(levels)

var levelNames = [levels]string{
	Unknown: "unknown", L1Miss: "L1 miss", L2Miss: "L2 miss", L3Miss: "L3 miss",
	L0: "L0", L1: "L1", LFB: "LFB", L2: "L2", MHB: "L2 MHB", L3: "L3", L4: "L4",
	Cache: "cache", PeerCache: "peer cache", RemoteCache: "remote cache", MSC: "memory-side cache",
	RAM: "DRAM", RemoteRAM: "remote DRAM", PMEM: "PMEM", RemotePMEM: "remote PMEM",
	CXL: "CXL", RemoteCXL: "remote CXL", IO: "I/O", Uncached: "uncached",
}

// String names the level as the tables and labels do: "L1", "remote DRAM".
func (l Level) String() string {
	if l < levels {
		return levelNames[l]
	}
	return levelNames[Unknown]
}

// Memory tells whether memory served the access: DRAM, persistent memory or memory behind CXL, of this
// node or another. A miss of the last cache that says no more is not counted as one, nor is memory that
// is not cached, since that may be a device's.
func (l Level) Memory() bool { return l >= RAM && l <= RemoteCXL }

// Level is the one place that served the access.
//
// The number (mem_lvl_num) decides where there is one, with mem_remote and mem_hops for whose it is;
// otherwise the bits of mem_lvl do, the farthest of them. One thing overrules the number: for loads that
// missed the L3 cache and were served by DRAM, kernels give "L3" as the number and DRAM in mem_lvl on
// Nehalem to Broadwell (data source 0BH of the Intel SDM volume 3B, "load latency data source encoding";
// arch/x86/events/intel/ds.c).
func (d DataSource) Level() Level {
	if d&(LvlHit|LvlMiss) == LvlMiss {
		return d.missed()
	}
	remote := d.Remote()
	far := func(here, there Level) Level {
		if remote {
			return there
		}
		return here
	}
	switch d & NumMask {
	case NumRAM:
		if d&(regionMask|aboveMainline) == DataSource(RegionMMIO)<<regionShift {
			return IO
		}
		return far(RAM, RemoteRAM)
	case NumPMEM:
		return far(PMEM, RemotePMEM)
	case NumCXL:
		return far(CXL, RemoteCXL)
	case NumIO:
		return IO
	case NumUnc:
		return Uncached
	case NumLFB:
		return LFB
	case NumL2MHB:
		return MHB
	case NumMSC:
		return MSC
	}
	if d.has(LvlRemoteRAM1 | LvlRemoteRAM2) {
		return far(RAM, RemoteRAM)
	}
	if d.has(LvlLocalRAM) {
		return RAM
	}
	if n := d & NumMask; n != 0 && n != NumNA {
		return d.cache(n)
	}
	switch {
	case d.has(LvlUncached):
		return Uncached
	case d.has(LvlIO):
		return IO
	case d.has(LvlRemoteCache1 | LvlRemoteCache2):
		return far(PeerCache, RemoteCache)
	case d.has(LvlL3):
		return L3
	case d.has(LvlL2):
		return L2
	case d.has(LvlLFB):
		return LFB
	case d.has(LvlL1):
		return L1
	}
	return Unknown
}

// cache is the cache of a number.
func (d DataSource) cache(n DataSource) Level {
	if d.Remote() {
		return RemoteCache
	}
	if d&hopsMask == HopsCore {
		return PeerCache
	}
	switch n {
	case NumL0:
		return L0
	case NumL1:
		return L1
	case NumL2:
		return L2
	case NumL3:
		return L3
	case NumL4:
		return L4
	}
	if d.has(SnoopPeer) {
		return PeerCache
	}
	return Cache
}

// missed is where an access was not found that was found nowhere.
func (d DataSource) missed() Level {
	switch d & NumMask {
	case NumL1:
		return L1Miss
	case NumL2:
		return L2Miss
	case NumL3:
		return d.missedL3()
	case 0, NumNA:
	default:
		return Unknown
	}
	switch {
	case d.has(LvlL3):
		return d.missedL3()
	case d.has(LvlL2):
		return L2Miss
	case d.has(LvlL1):
		return L1Miss
	}
	return Unknown
}

// missedL3 is where what the L3 cache did not have came from. A line that another cache has modified is
// nowhere else up to date (Lunar Lake's data source 0FH).
func (d DataSource) missedL3() Level {
	switch {
	case !d.HitModified():
		return L3Miss
	case d.Remote():
		return RemoteCache
	}
	return PeerCache
}
