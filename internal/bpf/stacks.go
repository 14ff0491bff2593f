package bpf

import (
	"github.com/energyprof/energyprof/internal/unwind"
)

// StackOptions are the limits of walks.
type StackOptions struct {
	MaxFrames int // of one stack, at most 1024; 0: 127, as for the kernel's own chains
	CopyBytes int // of a stack whose walk got stuck, at most 24 KiB; 0: 24 KiB
}

// SpaceKey names an address space as the kernel has it, so that neither exec nor a process id that is used again can
// mix two. It is what a Walked says; nobody else can make one.
type SpaceKey struct {
	MM   uint64 // the address of its mm_struct
	TGID uint32 // the process, in the first PID namespace
	Exec uint32 // how many times it, and those that it descends from, have executed a program
}

// Kind is how the code of a mapping is walked.
type Kind uint32

const (
	Tables        Kind = iota // by the rows of its module
	FramePointers             // code without a file, which is taken to keep frame pointers
	NoTables                  // its file cannot be read
)

// StackMapping is one mapping of code of a process. Its addresses are Bias higher than in its module's own numbering.
type StackMapping struct {
	Start, Limit, Bias uint64
	Module             uint32
	Kind               Kind
}

// SetRules tells the program the rules: all those that there are, of which it takes those that have been added since.
// It is called before rows that name them are loaded.
func (s *Stacks) SetRules(rules []unwind.Rule) error { return nil }

// Load tells the program the rows of one chunk of a module. If there is no room left, all chunks are forgotten first: what is sampled
// again will be asked for again.
func (s *Stacks) Load(module uint32, chunk uint64, rows unwind.Chunk) error { return nil }

// SetSpace tells the program what is mapped in a process, in place of what it knew of it. Where mappings overlap the later
// one of the list holds.
func (s *Stacks) SetSpace(key SpaceKey, ms []StackMapping) error { return nil }

// Drop forgets a process.
func (s *Stacks) Drop(key SpaceKey) {}

// Forgotten is how many times all chunks, and how many times processes, were forgotten for want of room.
func (s *Stacks) Forgotten() (chunks, spaces int) { return 0, 0 }
