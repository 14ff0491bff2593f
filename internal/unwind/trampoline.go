package unwind

import "bytes"

// Python 3.12 and 3.13 with -X perf run each function through a trampoline of its own, which has a name in the perf map
// (Python/asm_trampoline.S and perf_trampoline.c). It has no table and keeps no frame pointer on amd64, as code without a file is taken to;
// but it is always the same:
//
//	sub rsp, 8; call rcx; add rsp, 8; ret
var pythonCode = []byte("\x48\x83\xec\x08\xff\xd1\x48\x83\xc4\x08\xc3")

// Where in a trampoline what it pushed is on the stack.
const trampolinePushed, trampolinePopped = 4, 10

// arenaSize is that of the memory that Python fills with trampolines at a time, 11 or 16 bytes each. It is that of a chunk.
const arenaSize = 1 << ChunkShift

// maxTrampoline is more than the bytes between two trampolines can be.
const maxTrampoline = 64

// TrampolineCode is how many bytes of code Trampolines looks at.
const TrampolineCode = maxTrampoline + 11

// Trampolines says how many bytes a trampoline takes in memory for which Python's perf support wrote the code; 0 if what it
// begins with is something else.
func Trampolines(code []byte) int {
	if !bytes.HasPrefix(code, pythonCode) {
		return 0
	}
	next := bytes.Index(code[len(pythonCode):], pythonCode)
	if next < 0 {
		return 0
	}
	return len(pythonCode) + next
}

// trampolines has the rows of one arena.
func (m *Module) trampolines(every int) Chunk {
	outside := Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: 8, RA: AtCFA, RAOffset: -8}
	inside := outside
	inside.CFAOffset = 16
	called, calling := m.number(outside), m.number(inside)
	c := Chunk{{Rule: called}}
	for at := 0; at+len(pythonCode) <= arenaSize; at += every {
		c = c.add(uint64(at+trampolinePushed), calling)
		c = c.add(uint64(at+trampolinePopped), called)
	}
	return c
}
