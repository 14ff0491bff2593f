package perfdata

import "github.com/energyprof/energyprof/perfring"

// The first eight bytes of a file, as its writer's machine has them in
// memory: read as a number in the other byte order they are reversed.
const (
	magic2 = "PERFILE2"
	magic1 = "PERFFILE" // before Linux 3.3
)

// gzipMagic is what a gzip file begins with (RFC 1952, section 2.3.1).
const gzipMagic = "\x1f\x8b"

// section is struct perf_file_section: where something is, in bytes.
type section struct{ offset, size uint64 }

const sectionSize = 16

// fileHeader is struct perf_file_header.
type fileHeader struct {
	size       uint64 // of this header
	attrSize   uint64 // of an attribute and the section of its ids
	attrs      section
	data       section
	eventTypes section // names of tracepoints in files before Linux 3.4; perf ignores it
	features   [4]uint64
}

const (
	headerSize     = 104 // fileHeader with its magic
	pipeHeaderSize = 16  // magic and size
	// Before Linux 2.6.32 the header ended with the section of event types.
	headerSizeNoFeatures = headerSize - 32
)

// feature is the number of a bit in the header, HEADER_* of
// tools/perf/util/header.h. Each has a section that follows the data, and in
// a pipe a record HEADER_FEATURE.
type feature int

const (
	featTracingData feature = 1 + iota
	featBuildID
	featHostname
	featOSRelease
	featVersion
	featArch
	featNrCPUs
	featCPUDesc
	featCPUID
	featTotalMem
	featCmdline
	featEventDesc
	featCPUTopology
	featNUMATopology
	featBranchStack
	featPMUMappings
	featGroupDesc
	featAuxtrace
	featStat
	featCache
	featSampleTime
	featMemTopology
	featClockID
	featDirFormat
	featBPFProgInfo
	featBPFBTF
	featCompressed
	featCPUPMUCaps
	featClockData
	featHybridTopology
	featPMUCaps
	featCPUDomainInfo
)

// featAndroidMeta is of simpleperf, of Android: pairs of strings.
const featAndroidMeta feature = 129

const featCount = 256 // HEADER_FEAT_BITS

// The records that perf itself writes: enum perf_user_event_type of
// tools/lib/perf/include/perf/event.h.
const (
	recHeaderAttr        perfring.RecordType = 64 + iota // an attribute and its ids
	recHeaderEventType                                   // names a tracepoint; before Linux 3.4
	recHeaderTracingData                                 // formats of tracepoints, after the record
	recHeaderBuildID
	recFinishedRound // all rings have been read once more
	recIDIndex       // CPU and thread of each id
	recAuxtraceInfo
	recAuxtrace // hardware trace, after the record
	recAuxtraceError
	recThreadMap
	recCPUMap
	recStatConfig
	recStat
	recStatRound
	recEventUpdate // unit, scale, name or CPUs of an event
	recTimeConv
	recHeaderFeature // a feature, where there are no sections
	recCompressed    // records, a piece of one zstd stream
	recFinishedInit  // what follows was not made up by perf itself
	recCompressed2   // recCompressed with the size of its payload, and padding
	recBPFMetadata

	recUserStart = recHeaderAttr
)

// What an EVENT_UPDATE record has to say: PERF_EVENT_UPDATE__*.
const (
	updateUnit = iota
	updateScale
	updateName
	updateCPUs
)

// miscBuildIDSize says that a build id has its size behind it
// (PERF_RECORD_MISC_BUILD_ID_SIZE).
const miscBuildIDSize = 1 << 15

// miscLostSamplesBPF says of LOST_SAMPLES that a BPF filter left them out, as the
// user wished (PERF_RECORD_MISC_LOST_SAMPLES_BPF).
const miscLostSamplesBPF = 1 << 15

const (
	recordHeader  = 8       // struct perf_event_header
	maxRecordSize = 1 << 16 // its size field has 16 bits
	// maxRecordType is beyond every type that was ever assigned.
	maxRecordType = 1 << 16
	// recAndroid is the first type of those of simpleperf, of Android. Their size
	// has 32 bits: the upper half is where others have misc.
	recAndroid perfring.RecordType = 1 << 15
)
