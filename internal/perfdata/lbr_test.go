package perfdata

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// lbrFile is what perf record --call-graph lbr writes: the kernel's chain, that of
// the user as far as frame pointers lead, and the branches.
func lbrFile() *built {
	return &built{order: binary.LittleEndian, events: []builtEvent{{attr: perfring.Attr{Sample: 1, BranchFormat: branchCallStack | 1<<17,
		SampleFormat: perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleCallchain | perfring.SampleBranchStack}, ids: []uint64{1}}}}
}

type chains struct {
	counter
	chain []uint64
}

func (s *chains) Record(rec perfring.Record, cpu, event int) {
	if r, ok := rec.(*perfring.Sample); ok {
		s.chain = slices.Clone(r.Callchain)
	}
}

func TestCallStackOfBranches(t *testing.T) {
	const user, kernel = perfring.ContextUser, perfring.ContextKernel
	stack := []perfring.Branch{{From: 0x2008, To: 0x1000}, {From: 0x3008, To: 0x2000}, {From: 0, To: 0x3000}}
	tests := []struct {
		name     string
		mode     uint16
		chain    []uint64
		branches []perfring.Branch
		want     []uint64
	}{
		{"user", perfring.MiscUser, []uint64{user, 0x1004, 0xbad}, stack, []uint64{user, 0x1004, 0x2009, 0x3009}},
		{"system call", perfring.MiscKernel, []uint64{kernel, 0xff, user, 0x1004}, stack, []uint64{kernel, 0xff, user, 0x1004, 0x2009, 0x3009}},
		{"nothing of the user", perfring.MiscKernel, []uint64{kernel, 0xff, user}, stack, []uint64{kernel, 0xff, user, 0x1000, 0x2009, 0x3009}},
		{"thread of the kernel", perfring.MiscKernel, []uint64{kernel, 0xff}, stack, []uint64{kernel, 0xff}},
		{"no branches", perfring.MiscUser, []uint64{user, 0x1004, 0xbad}, nil, []uint64{user, 0x1004, 0xbad}},
		{"branches alone", perfring.MiscUser, nil, stack, []uint64{user, 0x1002, 0x2009, 0x3009}},
		{"branches alone, in the kernel", perfring.MiscKernel, nil, stack, []uint64{kernel, 0x1002, user, 0x1000, 0x2009, 0x3009}},
	}
	for _, test := range tests {
		for _, callStack := range []bool{true, false} {
			f := lbrFile()
			if !callStack {
				f.events[0].attr.BranchFormat = 1 << 17 // what ran last, whoever called it
				test.want = test.chain
			}
			f.sample(0, perfring.Sample{Header: perfring.Header{Misc: test.mode}, IP: 0x1002, Time: 1, Callchain: test.chain, Branches: test.branches})
			var sink chains
			readFile(t, f.file(), &sink)
			if !slices.Equal(sink.chain, test.want) {
				t.Errorf("%s, call stack %v: %#x, want %#x", test.name, callStack, sink.chain, test.want)
			}
		}
	}
}
