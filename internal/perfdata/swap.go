package perfdata

import (
	"encoding/binary"
	"math/bits"

	"github.com/energyprof/energyprof/perfring"
	"golang.org/x/sys/unix"
)

// swapHeader swaps struct perf_event_header.
func swapHeader(rec []byte) perfring.RecordType {
	c := cursor{rec}
	kind := c.u32()
	c.u16()
	c.u16()
	return perfring.RecordType(kind)
}

// swapRecord turns a record of the kernel into the machine's byte order. Where
// its sample id stands, and what is in a sample, is in the attributes of its
// event, which its id tells.
func (f *File) swapRecord(rec []byte) {
	kind := swapHeader(rec)
	a := f.events.attrOf(rec, kind, f.order)
	if a == nil {
		return
	}
	if kind == perfring.RecordSample {
		swapSample(rec, a)
		return
	}
	body := rec[recordHeader:]
	if a.Flags&perfring.FlagSampleIDAll != 0 {
		n := min(trailerSize(a.SampleFormat), len(body))
		swapTrailer(body[len(body)-n:], a.SampleFormat)
		body = body[:len(body)-n]
	}
	swapBody(kind, body, nativeUint16(rec[4:]), a)
}

// trailerFields are the fields of the sample id, in its order (struct
// sample_id in include/uapi/linux/perf_event.h).
var trailerFields = []perfring.SampleFormat{
	perfring.SampleTID, perfring.SampleTime, perfring.FormatID,
	perfring.SampleStreamID, perfring.SampleCPU, perfring.SampleIdentifier,
}

func trailerSize(format perfring.SampleFormat) (n int) {
	for _, field := range trailerFields {
		if format&field != 0 {
			n += 8
		}
	}
	return n
}

func swapTrailer(b []byte, format perfring.SampleFormat) {
	c := cursor{b}
	for _, field := range trailerFields {
		switch {
		case format&field == 0:
		case field == perfring.SampleTID, field == perfring.SampleCPU:
			c.u32()
			c.u32()
		default:
			c.u64()
		}
	}
}

// swapBody swaps what stands between the header and the sample id.
func swapBody(kind perfring.RecordType, body []byte, misc uint16, a *perfring.Attr) {
	c := cursor{body}
	switch kind {
	case perfring.RecordMmap:
		c.u32()
		c.u32()
		c.words(3)
	case perfring.RecordMmap2:
		c.u32()
		c.u32()
		c.words(3)
		if misc&perfring.MiscMmapBuildID != 0 && a.Flags&perfring.FlagBuildID != 0 {
			c.take(24)
		} else {
			c.u32()
			c.u32()
			c.words(2)
		}
		c.u32()
		c.u32()
	case perfring.RecordComm, perfring.RecordItraceStart, perfring.RecordSwitchCPUWide:
		c.u32()
		c.u32()
	case perfring.RecordFork, perfring.RecordExit:
		for range 4 {
			c.u32()
		}
		c.u64()
	case perfring.RecordRead:
		c.u32()
		c.u32()
		c.words(uint64(len(c.b) / 8))
	case perfring.RecordNamespaces:
		c.u32()
		c.u32()
		c.words(uint64(len(c.b) / 8))
	case perfring.RecordKSymbol:
		c.u64()
		c.u32()
		c.u16()
		c.u16()
	case perfring.RecordBPFEvent:
		c.u16()
		c.u16()
		c.u32()
	case perfring.RecordCGroup:
		c.u64()
	case perfring.RecordTextPoke:
		c.u64()
		c.u16()
		c.u16()
	default:
		c.words(uint64(len(c.b) / 8))
	}
}

// swapSample swaps a sample, field by field in the kernel's order.
func swapSample(rec []byte, a *perfring.Attr) {
	f := a.SampleFormat
	c := cursor{rec[recordHeader:]}
	one := func(field perfring.SampleFormat) {
		if f&field != 0 {
			c.u64()
		}
	}
	pair := func(field perfring.SampleFormat) {
		if f&field != 0 {
			c.u32()
			c.u32()
		}
	}
	one(perfring.SampleIdentifier)
	one(perfring.SampleIP)
	pair(perfring.SampleTID)
	one(perfring.SampleTime)
	one(perfring.SampleAddr)
	one(perfring.FormatID)
	one(perfring.SampleStreamID)
	pair(perfring.SampleCPU)
	one(perfring.SamplePeriod)
	if f&perfring.SampleRead != 0 {
		swapRead(&c, a.ReadFormat)
	}
	if f&perfring.SampleCallchain != 0 {
		c.words(c.u64())
	}
	if f&perfring.SampleRaw != 0 {
		c.take(uint64(c.u32()))
	}
	if f&perfring.SampleBranchStack != 0 {
		swapBranches(&c, a.BranchFormat)
	}
	if f&perfring.SampleRegsUser != 0 {
		swapRegisters(&c, a.RegsUser)
	}
	if f&perfring.SampleStackUser != 0 {
		if size := c.u64(); size != 0 {
			c.take(size)
			c.u64()
		}
	}
	if f&perfring.SampleWeightStruct != 0 {
		swapWeights(&c)
	}
	one(perfring.SampleWeight)
	one(perfring.SampleDataSrc) // its bit fields are declared for both orders
	one(perfring.SampleTransaction)
	if f&perfring.SampleRegsIntr != 0 {
		swapRegisters(&c, a.RegsIntr)
	}
	one(perfring.SamplePhysAddr)
	one(perfring.SampleCGroup)
	one(perfring.SampleDataPageSize)
	one(perfring.SampleCodePageSize)
	if f&perfring.SampleAux != 0 {
		c.take(c.u64())
	}
}

func swapRead(c *cursor, f perfring.ReadFormat) {
	n := uint64(1)
	if f&perfring.ReadGroup != 0 {
		n = c.u64()
	} else {
		c.u64()
	}
	c.words(uint64(bits.OnesCount64(uint64(f & (perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning)))))
	each := uint64(bits.OnesCount64(uint64(f & (perfring.ReadID | perfring.ReadLost))))
	if f&perfring.ReadGroup != 0 {
		each++
	}
	if n > uint64(len(c.b)) {
		c.b = nil
		return
	}
	c.words(n * each)
}

func swapBranches(c *cursor, f uint64) {
	n := c.u64()
	if f&unix.PERF_SAMPLE_BRANCH_HW_INDEX != 0 {
		c.u64()
	}
	if n > uint64(len(c.b))/24 {
		c.b = nil
		return
	}
	for range n {
		c.words(2)
		if b := c.take(8); b != nil {
			v := bits.ReverseBytes64(binary.NativeEndian.Uint64(b))
			binary.NativeEndian.PutUint64(b, swapBranchFlags(v))
		}
	}
	if f&unix.PERF_SAMPLE_BRANCH_COUNTERS != 0 {
		c.words(n)
	}
}

func swapRegisters(c *cursor, mask uint64) {
	if c.u64() != 0 {
		c.words(uint64(bits.OnesCount64(mask)))
	}
}

// swapWeights swaps union perf_sample_weight, whose fields are declared in the
// opposite sequence for the other byte order: the word keeps its value.
func swapWeights(c *cursor) { c.u64() }
