package perfring

// SampleFormat is the set of fields that the kernel puts into a sample:
// PERF_SAMPLE_* of perf_event_attr.sample_type.
type SampleFormat uint64

// The fields of a sample. FormatID and SampleIdentifier carry the same
// number; the identifier stands at a fixed place, so that the records of
// different events can share a ring.
const (
	SampleIP SampleFormat = 1 << iota
	SampleTID
	SampleTime
	SampleAddr
	SampleRead
	SampleCallchain
	FormatID // PERF_SAMPLE_ID; SampleID is the struct of a record's identity
	SampleCPU
	SamplePeriod
	SampleStreamID
	SampleRaw
	SampleBranchStack
	SampleRegsUser
	SampleStackUser
	SampleWeight
	SampleDataSrc
	SampleIdentifier
	SampleTransaction
	SampleRegsIntr
	SamplePhysAddr
	SampleAux
	SampleCGroup
	SampleDataPageSize
	SampleCodePageSize
	SampleWeightStruct

	sampleEnd
)

// ReadFormat is the set of values that a counter is read with:
// PERF_FORMAT_* of perf_event_attr.read_format.
type ReadFormat uint64

// The values of a counter. ReadGroup reads all members of the group at once.
const (
	ReadTotalTimeEnabled ReadFormat = 1 << iota
	ReadTotalTimeRunning
	ReadID
	ReadGroup
	ReadLost

	readEnd
)

// Flags is the word of single-bit options in perf_event_attr. The two bits of
// precise_ip lie in the same word and are Attr.PreciseIP here.
type Flags uint64

// The options of an event.
const (
	FlagDisabled Flags = 1 << iota
	FlagInherit
	FlagPinned
	FlagExclusive
	FlagExcludeUser
	FlagExcludeKernel
	FlagExcludeHV
	FlagExcludeIdle
	FlagMmap
	FlagComm
	FlagFreq
	FlagInheritStat
	FlagEnableOnExec
	FlagTask
	FlagWatermark
	_ // precise_ip, low bit
	_ // precise_ip, high bit
	FlagMmapData
	FlagSampleIDAll
	FlagExcludeHost
	FlagExcludeGuest
	FlagExcludeCallchainKernel
	FlagExcludeCallchainUser
	FlagMmap2
	FlagCommExec
	FlagUseClockID
	FlagContextSwitch
	FlagWriteBackward
	FlagNamespaces
	FlagKSymbol
	FlagBPFEvent
	FlagAuxOutput
	FlagCGroup
	FlagTextPoke
	FlagBuildID
	FlagInheritThread
	FlagRemoveOnExec
	FlagSigtrap
	FlagDeferCallchain
	FlagDeferOutput
)

const (
	preciseShift       = 15
	preciseMask  Flags = 3 << preciseShift
)
