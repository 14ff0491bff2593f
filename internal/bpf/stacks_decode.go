package bpf

import (
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

	// Frames are the addresses of user code, the innermost one first, as unwind.Walker has them. None: the thread has
	// no user part (NoStack), or is a 32-bit program.
	Frames  []uint64
	Outcome unwind.Outcome // of a walk that did not get stuck

	// Stuck: the walk is to be continued with Walker.Resume from Regs, whose PC is not in Frames, First, and Stack,
	// a copy of the memory from address Base on.
	Stuck         bool
	First         bool
	Regs          unwind.Registers
	Base          uint64
	Stack         []byte // valid as long as what was decoded
	Missing       Missing
	MissingModule uint32
	MissingNumber uint64
}

// DecodeWalk reads a record of the program (PERF_SAMPLE_RAW). The slices of w are used again.
func DecodeWalk(raw []byte, w *Walked) error { return nil }
