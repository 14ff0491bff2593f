package perfring

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"
)

// encode builds a record from its header and the parts of its body, in the
// order given.
func encode(t RecordType, misc uint16, parts ...any) []byte {
	order := binary.NativeEndian
	b := order.AppendUint32(nil, uint32(t))
	b = order.AppendUint16(b, misc)
	b = order.AppendUint16(b, 0)
	for _, part := range parts {
		switch v := part.(type) {
		case uint64:
			b = order.AppendUint64(b, v)
		case []uint64:
			for _, w := range v {
				b = order.AppendUint64(b, w)
			}
		case uint32:
			b = order.AppendUint32(b, v)
		case uint16:
			b = order.AppendUint16(b, v)
		case []byte:
			b = append(b, v...)
		case string: // a name, with its NUL and padding
			b = append(b, v...)
			b = append(b, make([]byte, 8-len(v)%8)...)
		default:
			panic(fmt.Sprintf("no encoding of %T", part))
		}
	}
	order.PutUint16(b[6:], uint16(len(b)))
	aligned := alignedBytes(len(b))
	return aligned[:copy(aligned, b)]
}

// encodeTrailer is struct sample_id of the kernel's header.
func encodeTrailer(a *Attr, id SampleID) (parts []any) {
	if a.Flags&FlagSampleIDAll == 0 {
		return nil
	}
	f := a.SampleFormat
	if f&SampleTID != 0 {
		parts = append(parts, id.PID, id.TID)
	}
	if f&SampleTime != 0 {
		parts = append(parts, id.Time)
	}
	if f&FormatID != 0 {
		parts = append(parts, id.ID)
	}
	if f&SampleStreamID != 0 {
		parts = append(parts, id.StreamID)
	}
	if f&SampleCPU != 0 {
		parts = append(parts, id.CPU, uint32(0))
	}
	if f&SampleIdentifier != 0 {
		parts = append(parts, id.ID)
	}
	return parts
}

func encodeRead(f ReadFormat, enabled, running uint64, values []ReadValue) (parts []any) {
	times := func() {
		if f&ReadTotalTimeEnabled != 0 {
			parts = append(parts, enabled)
		}
		if f&ReadTotalTimeRunning != 0 {
			parts = append(parts, running)
		}
	}
	if f&ReadGroup != 0 {
		parts = append(parts, uint64(len(values)))
		times()
	}
	for _, v := range values {
		parts = append(parts, v.Value)
		if f&ReadGroup == 0 {
			times()
		}
		if f&ReadID != 0 {
			parts = append(parts, v.ID)
		}
		if f&ReadLost != 0 {
			parts = append(parts, v.Lost)
		}
	}
	return parts
}

// encodeSample is PERF_RECORD_SAMPLE in the order of the kernel's header
// comment, with the fields that it lacks (cgroup, counters) where
// perf_output_sample has them.
func encodeSample(a *Attr, s *Sample) []byte {
	var p []any
	add := func(field SampleFormat, parts ...any) {
		if a.SampleFormat&field != 0 {
			p = append(p, parts...)
		}
	}
	add(SampleIdentifier, s.ID)
	add(SampleIP, s.IP)
	add(SampleTID, s.PID, s.TID)
	add(SampleTime, s.Time)
	add(SampleAddr, s.Addr)
	add(FormatID, s.ID)
	add(SampleStreamID, s.StreamID)
	add(SampleCPU, s.CPU, uint32(0))
	add(SamplePeriod, s.Period)
	add(SampleRead, encodeRead(a.ReadFormat, s.Enabled, s.Running, s.Read)...)
	add(SampleCallchain, uint64(len(s.Callchain)), s.Callchain)
	add(SampleRaw, uint32(len(s.RawData)), s.RawData)
	add(SampleBranchStack, uint64(len(s.Branches)))
	if a.BranchFormat&unix.PERF_SAMPLE_BRANCH_HW_INDEX != 0 {
		add(SampleBranchStack, s.BranchHWIndex)
	}
	for _, b := range s.Branches {
		add(SampleBranchStack, b.From, b.To, uint64(b.Flags))
	}
	if a.BranchFormat&unix.PERF_SAMPLE_BRANCH_COUNTERS != 0 {
		add(SampleBranchStack, s.BranchCounters)
	}
	add(SampleRegsUser, s.UserRegsABI, s.UserRegs)
	if dump := (len(s.UserStack) + 7) &^ 7; dump == 0 {
		add(SampleStackUser, uint64(0))
	} else {
		add(SampleStackUser, uint64(dump), s.UserStack, make([]byte, dump-len(s.UserStack)), uint64(len(s.UserStack)))
	}
	add(SampleWeight, s.Weight)
	add(SampleWeightStruct, s.WeightVar1, s.WeightVar2, s.WeightVar3)
	add(SampleDataSrc, s.DataSrc)
	add(SampleTransaction, s.Transaction)
	add(SampleRegsIntr, s.IntrRegsABI, s.IntrRegs)
	add(SamplePhysAddr, s.PhysAddr)
	add(SampleCGroup, s.CGroup)
	add(SampleDataPageSize, s.DataPageSize)
	add(SampleCodePageSize, s.CodePageSize)
	add(SampleAux, uint64(len(s.Aux)), s.Aux)
	return encode(RecordSample, s.Misc, p...)
}

// clip leaves in s what an event with attributes a records, as a decoder
// gives it back.
func clip(a *Attr, s Sample) Sample {
	f := a.SampleFormat
	has := func(field SampleFormat) bool { return f&field != 0 }
	zeroUnless(has(SampleIP), &s.IP)
	zeroUnless(has(SampleTID), &s.PID)
	zeroUnless(has(SampleTID), &s.TID)
	zeroUnless(has(SampleTime), &s.Time)
	zeroUnless(has(SampleAddr), &s.Addr)
	zeroUnless(has(FormatID|SampleIdentifier), &s.ID)
	zeroUnless(has(SampleStreamID), &s.StreamID)
	zeroUnless(has(SampleCPU), &s.CPU)
	zeroUnless(has(SamplePeriod), &s.Period)
	zeroUnless(has(SampleRead), &s.Read)
	zeroUnless(has(SampleRead) && a.ReadFormat&ReadTotalTimeEnabled != 0, &s.Enabled)
	zeroUnless(has(SampleRead) && a.ReadFormat&ReadTotalTimeRunning != 0, &s.Running)
	for i := range s.Read {
		zeroUnless(a.ReadFormat&ReadID != 0, &s.Read[i].ID)
		zeroUnless(a.ReadFormat&ReadLost != 0, &s.Read[i].Lost)
	}
	zeroUnless(has(SampleCallchain), &s.Callchain)
	zeroUnless(has(SampleRaw), &s.RawData)
	zeroUnless(has(SampleBranchStack), &s.Branches)
	zeroUnless(has(SampleBranchStack) && a.BranchFormat&unix.PERF_SAMPLE_BRANCH_HW_INDEX != 0, &s.BranchHWIndex)
	zeroUnless(has(SampleBranchStack) && a.BranchFormat&unix.PERF_SAMPLE_BRANCH_COUNTERS != 0, &s.BranchCounters)
	zeroUnless(has(SampleRegsUser), &s.UserRegsABI)
	zeroUnless(has(SampleRegsUser), &s.UserRegs)
	zeroUnless(has(SampleStackUser), &s.UserStack)
	zeroUnless(has(SampleWeight|SampleWeightStruct), &s.Weight)
	if has(SampleWeightStruct) {
		s.Weight = uint64(s.WeightVar1)
	}
	zeroUnless(has(SampleWeightStruct), &s.WeightVar1)
	zeroUnless(has(SampleWeightStruct), &s.WeightVar2)
	zeroUnless(has(SampleWeightStruct), &s.WeightVar3)
	zeroUnless(has(SampleDataSrc), &s.DataSrc)
	zeroUnless(has(SampleTransaction), &s.Transaction)
	zeroUnless(has(SampleRegsIntr), &s.IntrRegsABI)
	zeroUnless(has(SampleRegsIntr), &s.IntrRegs)
	zeroUnless(has(SamplePhysAddr), &s.PhysAddr)
	zeroUnless(has(SampleCGroup), &s.CGroup)
	zeroUnless(has(SampleDataPageSize), &s.DataPageSize)
	zeroUnless(has(SampleCodePageSize), &s.CodePageSize)
	zeroUnless(has(SampleAux), &s.Aux)
	return s
}

func zeroUnless[T any](keep bool, v *T) {
	if !keep {
		var zero T
		*v = zero
	}
}

// counted returns n words that differ.
func counted(n int, from uint64) []uint64 {
	w := make([]uint64, n)
	for i := range w {
		w[i] = from + uint64(i)
	}
	return w
}

func ones(mask uint64) int { return bits.OnesCount64(mask) }
