package perfdata

import (
	"encoding/binary"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// What stands at the end of a KSYMBOL or BPF_EVENT record can be anything. It makes nothing else late.
func TestGarbageTimes(t *testing.T) {
	f := &built{order: binary.NativeEndian, events: testEvents()}
	id := func(t uint64) perfring.SampleID {
		return perfring.SampleID{PID: 7, TID: 8, Time: t, ID: 11, CPU: 1}
	}
	s := perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 7, TID: 8, ID: 12, CPU: 1, Period: 1000000}
	const start, garbage = 1e12, 94252467549056
	for i := range uint64(5) {
		for _, ring := range []uint64{200, 100} {
			s.Time = start + 1000*i + ring
			f.sample(0, s)
		}
		f.kernel(perfring.RecordBPFEvent, 0, f.enc().u16(1, 0).u32(42).raw(1, 2, 3, 4, 5, 6, 7, 8), 0, id(garbage))
		f.kernel(perfring.RecordKSymbol, 0, f.enc().u64(0xffffffffc0000000).u32(100).u16(1, 0).name("bpf_prog_x", 8), 0, id(500*garbage))
		f.round()
	}
	var got transcript
	if _, result := readFile(t, f.file(), &got); result.Late != 0 || result.Samples[0] != 10 {
		t.Errorf("%d of %d samples late", result.Late, result.Samples[0])
	}
}
