package pebs

// A DataSource says where the data of one access came from: union perf_mem_data_src of
// include/uapi/linux/perf_event.h, as PERF_SAMPLE_DATA_SRC carries it. Every value is valid: bits that
// no kernel sets yet say nothing.
type DataSource uint64

// What was done: mem_op, five bits from bit 0.
const (
	OpNA       DataSource = 1 << iota // not known, or no access at all
	OpLoad                            // a load instruction
	OpStore                           // a store instruction
	OpPrefetch                        // a prefetch
	OpExec                            // an instruction was fetched
)

// Where it hit or missed: mem_lvl, fourteen bits from bit 5. Kernels since 4.14 say it by number too.
const (
	LvlNA           DataSource = 1 << (iota + 5) // not known
	LvlHit                                       // the levels named here had it
	LvlMiss                                      // they had it not
	LvlL1                                        // level 1 cache
	LvlLFB                                       // line fill buffer: a miss of the same line was under way
	LvlL2                                        // level 2 cache
	LvlL3                                        // level 3 cache
	LvlLocalRAM                                  // DRAM of the CPU's own node
	LvlRemoteRAM1                                // DRAM one hop away
	LvlRemoteRAM2                                // DRAM two hops away
	LvlRemoteCache1                              // a cache one hop away
	LvlRemoteCache2                              // a cache two hops away
	LvlIO                                        // memory of a device
	LvlUncached                                  // memory that is not cached
)

// What the other caches had: mem_snoop, five bits from bit 19, and mem_snoopx, two from bit 38.
const (
	SnoopNA   DataSource = 1 << (iota + 19) // not known
	SnoopNone                               // no snoop was needed
	SnoopHit                                // another cache had the line
	SnoopMiss                               // none had it
	SnoopHitM                               // another cache had it modified
)

const (
	SnoopForward DataSource = 1 << (iota + 38) // another cache forwarded a clean line (kernel 4.14)
	SnoopPeer                                  // it came from a peer core, clean or modified (kernel 6.1)
)

// Whether the instruction was locked (atomic): mem_lock, two bits from bit 24.
const (
	LockNA DataSource = 1 << (iota + 24)
	LockLocked
)

// How the address was translated: mem_dtlb, seven bits from bit 26.
const (
	TLBNA     DataSource = 1 << (iota + 26)
	TLBHit               // what is named here had the translation
	TLBMiss              // it had it not
	TLBL1                // level 1 TLB
	TLBL2                // level 2 TLB
	TLBWalker            // the hardware's page walker
	TLBFault             // the operating system's fault handler
)

// The level again, as a number: mem_lvl_num, four bits from bit 33 (kernel 4.14).
const (
	numShift            = 33
	NumL1    DataSource = 0x1 << numShift
	NumL2    DataSource = 0x2 << numShift
	NumL3    DataSource = 0x3 << numShift
	NumL4    DataSource = 0x4 << numShift
	NumL2MHB DataSource = 0x5 << numShift // miss handling buffer of level 2 (kernel 6.11)
	NumMSC   DataSource = 0x6 << numShift // memory-side cache (kernel 6.11)
	NumL0    DataSource = 0x7 << numShift // level 0 cache (kernel 7.0)
	NumUnc   DataSource = 0x8 << numShift // uncached (kernel 6.6)
	NumCXL   DataSource = 0x9 << numShift // memory behind CXL (kernel 6.1)
	NumIO    DataSource = 0xa << numShift // memory of a device (kernel 6.1)
	NumCache DataSource = 0xb << numShift // some cache
	NumLFB   DataSource = 0xc << numShift // line fill buffer, miss address buffer, level 1 miss handling buffer
	NumRAM   DataSource = 0xd << numShift
	NumPMEM  DataSource = 0xe << numShift // persistent memory
	NumNA    DataSource = 0xf << numShift // not known

	// NumMask cuts the number out.
	NumMask DataSource = 0xf << numShift
)

// RemoteBit is mem_remote, bit 37: what mem_lvl_num names is not the CPU's own (kernel 4.14).
const RemoteBit DataSource = 1 << 37

// Why the access had to wait: mem_blk, three bits from bit 40 (kernel 5.12).
const (
	BlockNA   DataSource = 1 << (iota + 40)
	BlockData            // data of a store before it could not be forwarded
	BlockAddr            // its address conflicts with one of another access
)

// How far away: mem_hops, three bits from bit 43 (kernel 5.16).
const (
	hopsShift                = 43
	HopsCore      DataSource = 0x1 << hopsShift // another core of this node
	HopsNode      DataSource = 0x2 << hopsShift // another node of this socket
	HopsSocket    DataSource = 0x3 << hopsShift // another socket of this board
	HopsBoard     DataSource = 0x4 << hopsShift // another board
	hopsMask      DataSource = 0x7 << hopsShift
	regionShift              = 46
	regionMask    DataSource = 0xf << regionShift
	aboveMainline DataSource = 0x3fff << 50
)

// has tells whether any of the bits is set.
func (d DataSource) has(bits DataSource) bool { return d&bits != 0 }

// Accesses tells whether it is an access to memory: a load, a store or a prefetch. Samples of events
// that note none, and of instructions that did none, say "not available".
func (d DataSource) Accesses() bool {
	return d.has(OpLoad|OpStore|OpPrefetch) && !d.has(OpNA)
}

// Loads tells whether it is a load. An instruction that loads and stores is both.
func (d DataSource) Loads() bool { return d.has(OpLoad) && !d.has(OpNA) }

// Stores tells whether it is a store.
func (d DataSource) Stores() bool { return d.has(OpStore) && !d.has(OpNA) }

// HitModified tells whether another cache had the line and had written to it (HITM).
func (d DataSource) HitModified() bool { return d.has(SnoopHitM) }

// Locked tells whether the instruction was a locked one.
func (d DataSource) Locked() bool { return d.has(LockLocked) && !d.has(LockNA) }

// TLBMiss tells whether no TLB had the translation, so that pages had to be walked.
func (d DataSource) TLBMiss() bool {
	return d.has(TLBMiss) || d.has(TLBHit) && d.has(TLBWalker|TLBFault) && !d.has(TLBL1|TLBL2)
}

// Remote tells whether what served the access belongs to another node.
func (d DataSource) Remote() bool {
	if h := d & hopsMask; h != 0 {
		return h != HopsCore
	}
	return d.has(RemoteBit | LvlRemoteRAM1 | LvlRemoteRAM2 | LvlRemoteCache1 | LvlRemoteCache2)
}

// Hops is how far away it was where the processor says so: 0 another core of this node, 1 another node
// of this socket, 2 another socket, 3 another board. It is -1 where nothing is said; the numbers that
// have no meaning yet, up to 6, are given as they are.
func (d DataSource) Hops() int { return int(d&hopsMask>>hopsShift) - 1 }
