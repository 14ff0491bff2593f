package perfdata

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// manySamples is a file of n samples with callchains of ten addresses on cpus
// CPUs, each of whose rings is visited in every round.
func manySamples(n, cpus int) *built {
	f := &built{order: binary.LittleEndian, events: []builtEvent{{attr: perfring.Attr{Type: 1, Sample: 1e6, Flags: perfring.FlagSampleIDAll,
		SampleFormat: perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU |
			perfring.SamplePeriod | perfring.SampleCallchain}, size: 112}}}
	for cpu := range cpus {
		f.events[0].ids = append(f.events[0].ids, uint64(100+cpu))
	}
	const visit = 100
	for at := 0; at < n; at += visit * cpus {
		for cpu := range cpus {
			for i := range visit {
				f.sample(0, perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, ID: uint64(100 + cpu), CPU: uint32(cpu), PID: 7, TID: 8,
					IP: 0x400000, Time: uint64(1e9 + (at+i*cpus+cpu)*1000), Period: 1e6,
					Callchain: []uint64{perfring.ContextUser, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}})
			}
		}
		f.round()
	}
	return f
}

// The cost of a record from the file, in memory, to a sink that does nothing.
func BenchmarkRead(b *testing.B) {
	const samples = 200_000
	pack := func(cpus int) []byte {
		f := manySamples(samples, cpus)
		f.compress(b, 0, 1000, 65000, true)
		return f.piped()
	}
	for _, bench := range []struct {
		name string
		file []byte
	}{
		{"cpus=2", manySamples(samples, 2).file()},
		{"cpus=128", manySamples(samples, 128).file()},
		{"zstd", pack(2)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				f, err := NewFile(bytes.NewReader(bench.file), int64(len(bench.file)), "bench")
				must(b, err)
				var sink counter
				if _, err := f.Read(&sink); err != nil || sink.samples < samples || sink.back != 0 {
					b.Fatalf("%+v, %v", sink, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/samples, "ns/record")
			b.ReportMetric(float64(len(bench.file)), "bytes")
		})
	}
}
