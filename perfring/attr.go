package perfring

import (
	"encoding/binary"
	"fmt"
)

// Attr mirrors struct perf_event_attr up to PERF_ATTR_SIZE_VER9 (144 bytes).
// The zero value of a field asks for nothing, as in the kernel.
type Attr struct {
	Type   uint32 // PERF_TYPE_*, or the number in a PMU's sysfs file "type"
	Config uint64
	// Config1 and Config2 extend Config. Of a breakpoint they are the
	// address and the length in bytes.
	Config1, Config2, Config3, Config4 uint64

	// Sample is the number of events between two samples, or samples per
	// second with FlagFreq. 0 only counts.
	Sample       uint64
	SampleFormat SampleFormat
	ReadFormat   ReadFormat
	Flags        Flags
	PreciseIP    uint8 // 0 to 3: how little skid the sampled address may have

	// Wakeup is the number of samples after which a reader is woken, or the
	// number of bytes with FlagWatermark.
	Wakeup uint32
	BPType uint32 // HW_BREAKPOINT_*

	BranchFormat  uint64 // PERF_SAMPLE_BRANCH_*
	RegsUser      uint64 // mask of the registers that SampleRegsUser saves
	RegsIntr      uint64 // mask of the registers that SampleRegsIntr saves
	SigData       uint64
	StackUser     uint32 // bytes of user stack that SampleStackUser saves, a multiple of 8
	AuxWatermark  uint32 // bytes
	AuxSampleSize uint32 // bytes
	AuxAction     uint32 // start paused 1, pause 2, resume 4
	ClockID       int32  // the clock of the times, with FlagUseClockID
	MaxStack      uint16 // longest callchain in entries; 0 is the system's limit
}

// The published sizes of struct perf_event_attr, in bytes.
const (
	attrSizeVer0 = 64
	attrSizeVer1 = 72  // config2
	attrSizeVer2 = 80  // branch_sample_type
	attrSizeVer3 = 96  // sample_regs_user, sample_stack_user, clockid
	attrSizeVer4 = 104 // sample_regs_intr
	attrSizeVer5 = 112 // aux_watermark, sample_max_stack
	attrSizeVer6 = 120 // aux_sample_size, aux_action
	attrSizeVer7 = 128 // sig_data
	attrSizeVer8 = 136 // config3
	attrSizeVer9 = 144 // config4
)

// size is the smallest published size that holds every field that is not
// zero: an older kernel refuses a larger one only if it would lose something.
func (a *Attr) size() int {
	switch {
	case a.Config4 != 0:
		return attrSizeVer9
	case a.Config3 != 0:
		return attrSizeVer8
	case a.SigData != 0:
		return attrSizeVer7
	case a.AuxSampleSize != 0 || a.AuxAction != 0:
		return attrSizeVer6
	case a.AuxWatermark != 0 || a.MaxStack != 0:
		return attrSizeVer5
	case a.RegsIntr != 0:
		return attrSizeVer4
	case a.RegsUser != 0 || a.StackUser != 0 || a.ClockID != 0:
		return attrSizeVer3
	case a.BranchFormat != 0:
		return attrSizeVer2
	case a.Config2 != 0:
		return attrSizeVer1
	}
	return attrSizeVer0
}

// AppendBinary appends the kernel's form of a to b, in the smallest published
// size that loses nothing. It fails on a PreciseIP above 3 and on flags in
// the place of precise_ip.
func (a *Attr) AppendBinary(b []byte) ([]byte, error) {
	if a.PreciseIP > 3 {
		return b, fmt.Errorf("perf attr: precise_ip %d is above 3", a.PreciseIP)
	}
	if a.Flags&preciseMask != 0 {
		return b, fmt.Errorf("perf attr: flags %#x overlap precise_ip (bits 15 and 16)", uint64(a.Flags))
	}
	flags := a.Flags | Flags(a.PreciseIP)<<preciseShift
	size := a.size()
	var v [attrSizeVer9]byte
	order := binary.NativeEndian
	order.PutUint32(v[0:], a.Type)
	order.PutUint32(v[4:], uint32(size))
	order.PutUint64(v[8:], a.Config)
	order.PutUint64(v[16:], a.Sample)
	order.PutUint64(v[24:], uint64(a.SampleFormat))
	order.PutUint64(v[32:], uint64(a.ReadFormat))
	order.PutUint64(v[40:], uint64(flags))
	order.PutUint32(v[48:], a.Wakeup)
	order.PutUint32(v[52:], a.BPType)
	order.PutUint64(v[56:], a.Config1)
	order.PutUint64(v[64:], a.Config2)
	order.PutUint64(v[72:], a.BranchFormat)
	order.PutUint64(v[80:], a.RegsUser)
	order.PutUint32(v[88:], a.StackUser)
	order.PutUint32(v[92:], uint32(a.ClockID))
	order.PutUint64(v[96:], a.RegsIntr)
	order.PutUint32(v[104:], a.AuxWatermark)
	order.PutUint16(v[108:], a.MaxStack)
	order.PutUint32(v[112:], a.AuxSampleSize)
	order.PutUint32(v[116:], a.AuxAction)
	order.PutUint64(v[120:], a.SigData)
	order.PutUint64(v[128:], a.Config3)
	order.PutUint64(v[136:], a.Config4)
	return append(b, v[:size]...), nil
}

// UnmarshalBinary reads the kernel's form of an attribute struct of any size
// from 64 bytes on. The struct's own size field says where it ends (0 means
// 64); b may be longer. Fields beyond its end are zero, and fields of a
// version later than VER9 are ignored.
func (a *Attr) UnmarshalBinary(b []byte) error {
	if len(b) < attrSizeVer0 {
		return fmt.Errorf("perf attr: %d bytes, the smallest has %d", len(b), attrSizeVer0)
	}
	order := binary.NativeEndian
	size := uint64(order.Uint32(b[4:]))
	if size == 0 {
		size = attrSizeVer0
	}
	if size < attrSizeVer0 || size > uint64(len(b)) {
		return fmt.Errorf("perf attr: size field says %d, want %d to the %d bytes given", size, attrSizeVer0, len(b))
	}
	var v [attrSizeVer9]byte
	copy(v[:], b[:size])
	flags := Flags(order.Uint64(v[40:]))
	*a = Attr{
		Type:          order.Uint32(v[0:]),
		Config:        order.Uint64(v[8:]),
		Sample:        order.Uint64(v[16:]),
		SampleFormat:  SampleFormat(order.Uint64(v[24:])),
		ReadFormat:    ReadFormat(order.Uint64(v[32:])),
		Flags:         flags &^ preciseMask,
		PreciseIP:     uint8(flags & preciseMask >> preciseShift),
		Wakeup:        order.Uint32(v[48:]),
		BPType:        order.Uint32(v[52:]),
		Config1:       order.Uint64(v[56:]),
		Config2:       order.Uint64(v[64:]),
		BranchFormat:  order.Uint64(v[72:]),
		RegsUser:      order.Uint64(v[80:]),
		StackUser:     order.Uint32(v[88:]),
		ClockID:       int32(order.Uint32(v[92:])),
		RegsIntr:      order.Uint64(v[96:]),
		AuxWatermark:  order.Uint32(v[104:]),
		MaxStack:      order.Uint16(v[108:]),
		AuxSampleSize: order.Uint32(v[112:]),
		AuxAction:     order.Uint32(v[116:]),
		SigData:       order.Uint64(v[120:]),
		Config3:       order.Uint64(v[128:]),
		Config4:       order.Uint64(v[136:]),
	}
	return nil
}
