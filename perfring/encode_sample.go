package perfring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
)

// ErrTooLong says that a record would be longer than its 16-bit size can tell.
var ErrTooLong = errors.New("record is too long")

// AppendSample appends to b the record of a sample with what SampleFormat, ReadFormat, BranchFormat, RegsUser and
// RegsIntr of a name, in the order of the kernel (perf_output_sample in kernel/events/core.c). A Decoder that knows a
// gives the same sample back. Fields of s that a does not name are left out. The header's Size is not looked at; of
// RawData the length, with the kernel's padding, must be 4 bytes more than a multiple of 8.
//
// An error names the field that does not have the shape that a asks for, or is ErrTooLong; b is then returned as it was.
func (a *Attr) AppendSample(b []byte, s *Sample) ([]byte, error) {
	if err := a.encodes(s); err != nil {
		return b, err
	}
	e := encoder{format: a.SampleFormat, b: b}
	e.head(s.Header)
	e.word(SampleIdentifier, s.ID)
	e.word(SampleIP, s.IP)
	e.halves(SampleTID, s.PID, s.TID)
	e.word(SampleTime, s.Time)
	e.word(SampleAddr, s.Addr)
	e.word(FormatID, s.ID)
	e.word(SampleStreamID, s.StreamID)
	e.halves(SampleCPU, s.CPU, 0)
	e.word(SamplePeriod, s.Period)
	e.read(a.ReadFormat, s)
	e.words(SampleCallchain, uint64(len(s.Callchain)), s.Callchain)
	e.raw(s.RawData)
	e.branches(a.BranchFormat, s)
	e.words(SampleRegsUser, s.UserRegsABI, s.UserRegs)
	e.stack(s.UserStack)
	e.word(SampleWeight, s.Weight)
	e.word(SampleWeightStruct, uint64(s.WeightVar1)|uint64(s.WeightVar2)<<32|uint64(s.WeightVar3)<<48)
	e.word(SampleDataSrc, s.DataSrc)
	e.word(SampleTransaction, s.Transaction)
	e.words(SampleRegsIntr, s.IntrRegsABI, s.IntrRegs)
	e.word(SamplePhysAddr, s.PhysAddr)
	e.word(SampleCGroup, s.CGroup)
	e.word(SampleDataPageSize, s.DataPageSize)
	e.word(SampleCodePageSize, s.CodePageSize)
	e.word(SampleAux, uint64(len(s.Aux)))
	e.bytes(SampleAux, s.Aux)
	size := len(e.b) - len(b)
	if size > math.MaxUint16 {
		return b, fmt.Errorf("perf sample of %d bytes: %w", size, ErrTooLong)
	}
	binary.NativeEndian.PutUint16(e.b[len(b)+6:], uint16(size))
	return e.b, nil
}

// encodes checks what a reader could not tell from the record.
func (a *Attr) encodes(s *Sample) error {
	bad := func(field string, have, want int) error {
		return fmt.Errorf("perf sample: %s: %d, want %d: %w", field, have, want, ErrMalformed)
	}
	registers := func(field string, in SampleFormat, abi uint64, regs []uint64, mask uint64) error {
		want := bits.OnesCount64(mask)
		if abi == 0 {
			want = 0
		}
		if a.SampleFormat&in == 0 || len(regs) == want {
			return nil
		}
		return bad(field, len(regs), want)
	}
	counters := a.BranchFormat&unix.PERF_SAMPLE_BRANCH_COUNTERS != 0
	switch f := a.SampleFormat; {
	case f&SampleRead != 0 && a.ReadFormat&ReadGroup == 0 && len(s.Read) != 1:
		return bad("values", len(s.Read), 1)
	case f&SampleRaw != 0 && len(s.RawData)%8 != 4:
		return bad("raw bytes modulo 8", len(s.RawData)%8, 4)
	case f&SampleBranchStack != 0 && counters && len(s.BranchCounters) != len(s.Branches):
		return bad("branch counters", len(s.BranchCounters), len(s.Branches))
	case f&SampleAux != 0 && len(s.Aux)%8 != 0:
		return bad("aux bytes modulo 8", len(s.Aux)%8, 0)
	}
	if err := registers("user registers", SampleRegsUser, s.UserRegsABI, s.UserRegs, a.RegsUser); err != nil {
		return err
	}
	return registers("interrupt registers", SampleRegsIntr, s.IntrRegsABI, s.IntrRegs, a.RegsIntr)
}

// encoder appends those fields of a sample that are in its format.
type encoder struct {
	format SampleFormat
	b      []byte
}

func (e *encoder) put(words ...uint64) {
	for _, w := range words {
		e.b = binary.NativeEndian.AppendUint64(e.b, w)
	}
}

func (e *encoder) put32(halves ...uint32) {
	for _, h := range halves {
		e.b = binary.NativeEndian.AppendUint32(e.b, h)
	}
}

func (e *encoder) head(h Header) {
	e.put32(uint32(RecordSample))
	e.b = binary.NativeEndian.AppendUint16(e.b, h.Misc)
	e.b = binary.NativeEndian.AppendUint16(e.b, 0) // the size, when it is known
}

func (e *encoder) word(in SampleFormat, w uint64) {
	if e.format&in != 0 {
		e.put(w)
	}
}

func (e *encoder) halves(in SampleFormat, low, high uint32) {
	if e.format&in != 0 {
		e.put32(low, high)
	}
}

// words are a count or another word, and words.
func (e *encoder) words(in SampleFormat, first uint64, words []uint64) {
	if e.format&in != 0 {
		e.put(first)
		e.put(words...)
	}
}

func (e *encoder) bytes(in SampleFormat, b []byte) {
	if e.format&in != 0 {
		e.b = append(e.b, b...)
	}
}

func (e *encoder) raw(b []byte) {
	if e.format&SampleRaw != 0 {
		e.put32(uint32(len(b)))
		e.b = append(e.b, b...)
	}
}

// read are the values of a counter, or of all counters of a group.
func (e *encoder) read(f ReadFormat, s *Sample) {
	if e.format&SampleRead == 0 {
		return
	}
	times := func() {
		if f&ReadTotalTimeEnabled != 0 {
			e.put(s.Enabled)
		}
		if f&ReadTotalTimeRunning != 0 {
			e.put(s.Running)
		}
	}
	if f&ReadGroup != 0 {
		e.put(uint64(len(s.Read)))
		times()
	}
	for _, v := range s.Read {
		e.put(v.Value)
		if f&ReadGroup == 0 {
			times()
		}
		if f&ReadID != 0 {
			e.put(v.ID)
		}
		if f&ReadLost != 0 {
			e.put(v.Lost)
		}
	}
}

func (e *encoder) branches(f uint64, s *Sample) {
	if e.format&SampleBranchStack == 0 {
		return
	}
	e.put(uint64(len(s.Branches)))
	if f&unix.PERF_SAMPLE_BRANCH_HW_INDEX != 0 {
		e.put(s.BranchHWIndex)
	}
	for _, b := range s.Branches {
		e.put(b.From, b.To, uint64(b.Flags))
	}
	if f&unix.PERF_SAMPLE_BRANCH_COUNTERS != 0 {
		e.put(s.BranchCounters...)
	}
}

// stack is the copy of a stack: the room that it takes, what is in it, and how much of that is really of the stack.
func (e *encoder) stack(b []byte) {
	if e.format&SampleStackUser == 0 {
		return
	}
	room := (len(b) + 7) &^ 7
	e.put(uint64(room))
	if room == 0 {
		return
	}
	e.b = append(e.b, b...)
	e.b = append(e.b, make([]byte, room-len(b))...)
	e.put(uint64(len(b)))
}
