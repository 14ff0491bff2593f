package perfring

// Sample is a record that an event left when its period was over. Fields
// that its SampleFormat does not name are zero. Slices lie in the record's
// bytes.
type Sample struct {
	Header
	IP        uint64
	PID, TID  uint32
	Time      uint64
	Addr      uint64
	ID        uint64 // the event; of SampleIdentifier or FormatID
	StreamID  uint64 // the event, or the copy of it that a child inherited
	CPU       uint32
	Period    uint64 // events that the sample stands for
	Read      []ReadValue
	Enabled   uint64 // of Read, ns
	Running   uint64 // of Read, ns
	Callchain []uint64
	RawData   []byte   // with the kernel's padding
	Branches  []Branch // newest first
	// BranchHWIndex is the place of the newest entry in the hardware's own
	// buffer, ^0 if unknown; with PERF_SAMPLE_BRANCH_HW_INDEX.
	BranchHWIndex  uint64
	BranchCounters []uint64 // one for each branch, with PERF_SAMPLE_BRANCH_COUNTERS
	UserRegsABI    uint64   // 0 none, 1 32 bits, 2 64 bits
	UserRegs       []uint64 // in the order of the bits of Attr.RegsUser
	UserStack      []byte   // what was really saved
	// Weight is the whole word of SampleWeight, or WeightVar1 of
	// SampleWeightStruct. What it counts depends on the CPU: mostly the
	// cycles of a memory access.
	Weight                 uint64
	WeightVar1             uint32
	WeightVar2, WeightVar3 uint16
	DataSrc                uint64 // union perf_mem_data_src
	Transaction            uint64
	IntrRegsABI            uint64
	IntrRegs               []uint64
	PhysAddr               uint64
	CGroup                 uint64
	DataPageSize           uint64 // bytes
	CodePageSize           uint64 // bytes
	Aux                    []byte
}

// Branch is struct perf_branch_entry.
type Branch struct {
	From, To uint64
	Flags    BranchFlags
}

// BranchFlags is what is known of a branch besides its addresses.
type BranchFlags uint64

// Mispredicted and Predicted are both false if the hardware does not say.
func (f BranchFlags) Mispredicted() bool { return f&1 != 0 }

// Predicted says that the target was predicted.
func (f BranchFlags) Predicted() bool { return f&2 != 0 }

// InTransaction says that it ran in a hardware transaction.
func (f BranchFlags) InTransaction() bool { return f&4 != 0 }

// Abort says that it aborted a hardware transaction.
func (f BranchFlags) Abort() bool { return f&8 != 0 }

// Cycles is the time since the branch before, in cycles; 0 if unknown.
func (f BranchFlags) Cycles() uint16 { return uint16(f >> 4) }

// Type is PERF_BR_*; with 15 NewType has it.
func (f BranchFlags) Type() uint8 { return uint8(f >> 20 & 0xf) }

// Speculation is PERF_BR_SPEC_*.
func (f BranchFlags) Speculation() uint8 { return uint8(f >> 24 & 3) }

// NewType is PERF_BR_NEW_*.
func (f BranchFlags) NewType() uint8 { return uint8(f >> 26 & 0xf) }

// Privilege is PERF_BR_PRIV_*.
func (f BranchFlags) Privilege() uint8 { return uint8(f >> 30 & 7) }

// The markers in a callchain: entries from ContextMax on are no addresses,
// but say whose code the entries after them are. ContextUserDeferred is
// followed by a cookie, not by addresses; see CallchainDeferred.
const (
	ContextHV           uint64 = ^uint64(32 - 1)
	ContextKernel       uint64 = ^uint64(128 - 1)
	ContextUser         uint64 = ^uint64(512 - 1)
	ContextUserDeferred uint64 = ^uint64(640 - 1)
	ContextGuest        uint64 = ^uint64(2048 - 1)
	ContextGuestKernel  uint64 = ^uint64(2176 - 1)
	ContextGuestUser    uint64 = ^uint64(2560 - 1)
	ContextMax          uint64 = ^uint64(4095 - 1)
)
