package bpf

import (
	"encoding/binary"
	"fmt"

	"github.com/energyprof/energyprof/internal/unwind"
)

// Missing is what a walk that got stuck did not find.
type Missing uint8

const (
	NothingMissing Missing = iota
	MissingSpace           // the mappings of the process: SetSpace
	MissingMapping         // a mapping of the address, in those that are known
	MissingChunk           // MissingModule's chunk MissingNumber: Load
)

// Walked is what the program says of one sample.
type Walked struct {
	IP       uint64 // of the sample, which may be in the kernel
	PID, TID uint32 // as samples have them, in the PID namespace of who loaded the program
	Space    SpaceKey

	// Frames are the addresses of user code, the innermost one first, as unwind.Walker has them. None, and Complete: the
	// thread is one of the kernel's, without user code.
	Frames  []uint64
	Outcome unwind.Outcome // of a walk that did not get stuck

	// Stuck: the walk is to be continued with Walker.Resume from Regs, whose PC is not in Frames, First, and Stack,
	// a copy of the memory from address Base on. It is empty (NoStack) where too much has been copied within some milliseconds.
	Stuck         bool
	First         bool // PC is no return address
	Regs          unwind.Registers
	Base          uint64
	Stack         []byte // part of what was decoded
	Missing       Missing
	MissingModule uint32
	MissingNumber uint64
}

// The sizes of struct walked of stacks_state.bpf.h and of the registers that follow the frames.
const (
	walkedBytes    = 80
	registersBytes = 8 * 32
)

// DecodeWalk reads a record of the program (PERF_SAMPLE_RAW). The slice Frames of w is used again.
func DecodeWalk(raw []byte, w *Walked) error {
	le := binary.LittleEndian
	if len(raw) < walkedBytes {
		return fmt.Errorf("walk of a stack: %d bytes, the header has %d", len(raw), walkedBytes)
	}
	*w = Walked{
		IP: le.Uint64(raw), PID: le.Uint32(raw[24:]), TID: le.Uint32(raw[28:]),
		Space:   SpaceKey{MM: le.Uint64(raw[8:]), TGID: le.Uint32(raw[16:]), Exec: le.Uint32(raw[20:])},
		Frames:  w.Frames[:0],
		Outcome: unwind.Outcome(raw[34]),
	}
	frames, missing := int(le.Uint16(raw[32:])), Missing(raw[35])
	if frames > maxFrames || w.Outcome > unwind.OtherWidth || missing > MissingChunk {
		return fmt.Errorf("walk of a stack: %d frames, outcome %d, missing %d", frames, w.Outcome, missing)
	}
	size := walkedBytes + 8*frames
	copied := le.Uint64(raw[72:])
	if missing != NothingMissing {
		if copied > maxCopy {
			return fmt.Errorf("walk of a stack: %d bytes of it, at most %d can be", copied, maxCopy)
		}
		size += registersBytes + int(copied)
	}
	// The kernel fills up to a multiple of eight.
	if len(raw) < size || len(raw) >= size+8 {
		return fmt.Errorf("walk of a stack: %d bytes, it should have %d", len(raw), size)
	}
	for i := range frames {
		w.Frames = append(w.Frames, le.Uint64(raw[walkedBytes+8*i:]))
	}
	if missing == NothingMissing {
		return nil
	}
	w.Stuck, w.Missing = true, missing
	w.First = le.Uint32(raw[68:]) != 0
	if missing == MissingChunk {
		w.MissingModule, w.MissingNumber = le.Uint32(raw[36:]), le.Uint64(raw[40:])
	}
	w.Regs = unwind.Registers{PC: le.Uint64(raw[48:])}
	known := le.Uint32(raw[64:])
	rest := raw[walkedBytes+8*frames : size]
	for i := range uint8(32) {
		if known&(1<<i) != 0 {
			w.Regs.Set(i, le.Uint64(rest[8*int(i):]))
		}
	}
	w.Base, w.Stack = le.Uint64(raw[56:]), rest[registersBytes:]
	return nil
}
