package unwind

import "fmt"

// Arch is an instruction set.
type Arch uint8

const (
	AMD64 Arch = iota
	ARM64
)

// DWARF numbers of registers: System V ABI for AMD64, figure 3.36; DWARF for the Arm 64-bit Architecture, table 1.
const (
	amd64RBX, amd64RBP, amd64RSP, amd64RIP = 3, 6, 7, 16
	arm64FP, arm64LR, arm64SP              = 29, 30, 31
)

// stackPointer is the DWARF number of the stack pointer.
func (a Arch) stackPointer() uint8 {
	if a == ARM64 {
		return arm64SP
	}
	return amd64RSP
}

// framePointer is the DWARF number of the frame pointer.
func (a Arch) framePointer() uint8 {
	if a == ARM64 {
		return arm64FP
	}
	return amd64RBP
}

// x is the DWARF number of the third register that is followed (see Rule).
func (a Arch) x() uint8 {
	if a == ARM64 {
		return arm64LR
	}
	return amd64RBX
}

// Module is the tables of one binary. It may not be used by several goroutines at once, nor may modules that share Rules.
type Module struct {
	ID    uint32
	Arch  Arch
	image Image
	rules *Rules
	err   error

	chunks    map[uint64]Chunk // those compiled so far
	kept      int              // their rows
	eh, debug *frames          // nil if the binary has no such section
	brought   int              // rules that no module before had
}

// NewModule returns the tables of a binary, of which nothing is read yet. The rules of its rows are numbered in rules.
// The id is the caller's.
func NewModule(img Image, rules *Rules, id uint32) *Module {
	m := &Module{ID: id, Arch: img.Arch, image: img, rules: rules, chunks: map[uint64]Chunk{}}
	if img.EHFrame.Data != nil {
		m.eh = newFrames(".eh_frame", &m.image, img.EHFrame, img.EHFrameHdr)
	}
	if img.DebugFrame.Data != nil {
		m.debug = newFrames(".debug_frame", &m.image, img.DebugFrame, Section{})
	}
	return m
}

// Err is the first fault found in the binary's tables so far: a read that failed, or contents that are no tables. What
// it touches has no rule.
func (m *Module) Err() error { return m.err }

// fault keeps the first error.
func (m *Module) fault(err error) {
	if m.err == nil && err != nil {
		m.err = fmt.Errorf("unwind information of %s: %w", m.image.Name, err)
	}
}
