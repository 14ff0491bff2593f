package perfring

import "fmt"

// RecordType is PERF_RECORD_*.
type RecordType uint32

// The records of the kernel. Types from 64 on are those that perf itself
// writes into its files.
const (
	RecordMmap RecordType = 1 + iota
	RecordLost
	RecordComm
	RecordExit
	RecordThrottle
	RecordUnthrottle
	RecordFork
	RecordRead
	RecordSample
	RecordMmap2
	RecordAux
	RecordItraceStart
	RecordLostSamples
	RecordSwitch
	RecordSwitchCPUWide
	RecordNamespaces
	RecordKSymbol
	RecordBPFEvent
	RecordCGroup
	RecordTextPoke
	RecordAuxOutputHWID
	RecordCallchainDeferred

	recordUserStart RecordType = 64
)

var recordNames = [...]string{
	RecordMmap: "mmap", RecordLost: "lost", RecordComm: "comm", RecordExit: "exit",
	RecordThrottle: "throttle", RecordUnthrottle: "unthrottle", RecordFork: "fork", RecordRead: "read",
	RecordSample: "sample", RecordMmap2: "mmap2", RecordAux: "aux", RecordItraceStart: "itrace_start",
	RecordLostSamples: "lost_samples", RecordSwitch: "switch", RecordSwitchCPUWide: "switch_cpu_wide",
	RecordNamespaces: "namespaces", RecordKSymbol: "ksymbol", RecordBPFEvent: "bpf_event",
	RecordCGroup: "cgroup", RecordTextPoke: "text_poke", RecordAuxOutputHWID: "aux_output_hw_id",
	RecordCallchainDeferred: "callchain_deferred",
}

// String is the kernel's name in lower case, or the number.
func (t RecordType) String() string {
	if int64(t) < int64(len(recordNames)) && recordNames[t] != "" {
		return recordNames[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Header is struct perf_event_header, with which every record begins.
type Header struct {
	Type RecordType
	Misc uint16 // Misc*
	Size uint16 // bytes, with the header
}

// Head returns the header itself, so that every record has it.
func (h Header) Head() Header { return h }

// CPUMode is the mode that the CPU was in.
func (h Header) CPUMode() uint16 { return h.Misc & MiscCPUModeMask }

// The bits of Header.Misc: three for the mode of the CPU, and some whose meaning depends on
// the type of the record.
const (
	MiscCPUModeMask      = 7
	MiscKernel           = 1
	MiscUser             = 2
	MiscHypervisor       = 3
	MiscGuestKernel      = 4
	MiscGuestUser        = 5
	MiscMmapData         = 1 << 13 // Mmap, Mmap2: not executable
	MiscCommExec         = 1 << 13 // Comm: the name is that of a new program
	MiscSwitchOut        = 1 << 13 // Switch, SwitchCPUWide
	MiscExactIP          = 1 << 14 // Sample: IP is the instruction that caused it
	MiscSwitchOutPreempt = 1 << 14 // Switch, SwitchCPUWide: still runnable
	MiscMmapBuildID      = 1 << 14 // Mmap2: a build id instead of the inode, if the event has FlagBuildID
)

// Record is one of the pointers to record structs of this package. A Decoder
// reuses them.
type Record interface{ Head() Header }

// SampleID says where and when a record other than a sample came about. It
// stands at the end of the record if the event has FlagSampleIDAll, with
// those fields that its SampleFormat names; the others are zero.
type SampleID struct {
	PID, TID uint32
	Time     uint64
	ID       uint64 // the event; of FormatID or SampleIdentifier
	StreamID uint64 // the event, or the copy of it that a child inherited
	CPU      uint32
}

// Mmap is a mapping that appeared in a process.
type Mmap struct {
	Header
	SampleID
	PID, TID         uint32
	Addr, Len, PgOff uint64 // bytes
	Filename         []byte
}

// Mmap2 is a Mmap with the identity of the file: its build id if the event
// has FlagBuildID and the kernel found one, else its inode.
type Mmap2 struct {
	Header
	SampleID
	PID, TID           uint32
	Addr, Len, PgOff   uint64 // bytes
	BuildID            []byte // at most 20 bytes; nil if the record has the inode
	Maj, Min           uint32
	Ino, InoGeneration uint64
	Prot, Flags        uint32 // PROT_* and MAP_* of mmap(2)
	Filename           []byte
}

// Lost says that the ring was full. The kernel writes it when there is room
// again, in the name of the event that found the room.
type Lost struct {
	Header
	SampleID
	ID   uint64
	Lost uint64 // records of any kind
}

// Comm is a new name of a thread.
type Comm struct {
	Header
	SampleID
	PID, TID uint32
	Name     []byte
	Exec     bool // by execve(2)
}

// Exit is the end of a thread of process PID.
type Exit struct {
	Header
	SampleID
	PID, PPID, TID, PTID uint32
	Time                 uint64
}

// Fork is the beginning of a thread, or of a process if PID is not PPID. PPID
// and PTID are those of the thread that made it.
type Fork struct {
	Header
	SampleID
	PID, PPID, TID, PTID uint32
	Time                 uint64
}

// Throttle says that the event came too often and samples no more for now.
type Throttle struct {
	Header
	SampleID
	Time, ID, StreamID uint64
}

// Unthrottle says that the event samples again.
type Unthrottle struct {
	Header
	SampleID
	Time, ID, StreamID uint64
}

// ReadValue is the value of one counter in a Sample or a Read.
type ReadValue struct {
	Value uint64
	ID    uint64 // with ReadID
	Lost  uint64 // with ReadLost: samples of the event that found no room
}

// Read is the value of an inherited counter at the end of the thread.
type Read struct {
	Header
	SampleID
	PID, TID         uint32
	Enabled, Running uint64 // ns
	Values           []ReadValue
}

// Aux says that data arrived in the AUX area.
type Aux struct {
	Header
	SampleID
	Offset, Length uint64 // bytes
	Flags          uint64 // PERF_AUX_FLAG_*
}

// ItraceStart says that instruction tracing of the thread started.
type ItraceStart struct {
	Header
	SampleID
	PID, TID uint32
}

// LostSamples counts samples that the hardware dropped.
type LostSamples struct {
	Header
	SampleID
	Lost uint64
}

// Switch is a context switch of the thread in SampleID.
type Switch struct {
	Header
	SampleID
	Out     bool // it leaves the CPU
	Preempt bool // though it could run on
}

// SwitchCPUWide is a Switch that also names the thread on the other side.
type SwitchCPUWide struct {
	Header
	SampleID
	NextPrevPID, NextPrevTID uint32
	Out                      bool
	Preempt                  bool
}

// NamespaceLink is the file under /proc/PID/ns of one namespace.
type NamespaceLink struct{ Dev, Ino uint64 }

// Namespaces are the namespaces of a thread in the order net, uts, ipc, pid,
// user, mnt, cgroup.
type Namespaces struct {
	Header
	SampleID
	PID, TID uint32
	Links    []NamespaceLink
}

// KSymbol is code that appeared in or vanished from the kernel.
type KSymbol struct {
	Header
	SampleID
	Addr       uint64
	Len        uint32 // bytes
	SymType    uint16 // 1 a BPF program, 2 out of line code
	Flags      uint16
	Unregister bool
	Name       []byte
}

// BPFEvent is a BPF program that was loaded or unloaded.
type BPFEvent struct {
	Header
	SampleID
	EventType uint16 // 1 loaded, 2 unloaded
	Flags     uint16
	ProgID    uint32
	Tag       [8]byte
}

// CGroup is a new control group.
type CGroup struct {
	Header
	SampleID
	ID   uint64 // the inode of its directory
	Path []byte
}

// TextPoke is a change of the kernel's code.
type TextPoke struct {
	Header
	SampleID
	Addr     uint64
	Old, New []byte
}

// AuxOutputHWID ties a hardware id in the AUX area to the event in SampleID.
type AuxOutputHWID struct {
	Header
	SampleID
	HWID uint64
}

// CallchainDeferred is the user part of the callchain of those earlier
// samples of the thread whose callchain ends in ContextUserDeferred and
// Cookie.
type CallchainDeferred struct {
	Header
	SampleID
	Cookie    uint64
	Callchain []uint64
}

// Unknown is a record of a type that this package does not know. Of a kernel
// record (below 64) SampleID is read if it fits; Payload is all that follows
// the header, with the bytes of SampleID.
type Unknown struct {
	Header
	SampleID
	Payload []byte
}
