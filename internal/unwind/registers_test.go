package unwind

import "testing"

// The values of perf's masks for user code land at the DWARF numbers of their registers.
func TestFromPerf(t *testing.T) {
	values := make([]uint64, 33)
	for i := range values {
		values[i] = uint64(i) + 100
	}
	// rax rbx rcx rdx rsi rdi rbp rsp rip flags cs ss r8-r15, the mask that perf asks for on amd64.
	a := FromPerf(AMD64, 0xff0fff, values[:20])
	if a.PC != 108 || a.Known != 0xffff {
		t.Errorf("amd64: pc %d, known %#x, want 108, 0xffff", a.PC, a.Known)
	}
	for number, want := range []uint64{100, 103, 102, 101, 104, 105, 106, 107, 112, 113, 114, 115, 116, 117, 118, 119} {
		if a.R[number] != want {
			t.Errorf("amd64: register %d is %d, want %d", number, a.R[number], want)
		}
	}
	b := FromPerf(ARM64, 1<<33-1, values)
	if b.PC != 132 || b.Known != 1<<32-1 || b.R[0] != 100 || b.R[29] != 129 || b.R[30] != 130 || b.R[31] != 131 {
		t.Errorf("arm64: %+v", b)
	}
	// Less than the mask says: what is there.
	if c := FromPerf(AMD64, 1<<7|1<<8|1<<6, values[:2]); c.Known != 1<<6|1<<7 || c.PC != 0 || c.R[6] != 100 || c.R[7] != 101 {
		t.Errorf("two of three: %+v", c)
	}
}
