package unwind

import (
	"encoding/binary"
	"testing"

	delve "github.com/go-delve/delve/pkg/dwarf/frame"
)

// benchmarked are a library of usual size and a large one.
var benchmarked = []struct{ name, path string }{
	{"libc", "/lib/x86_64-linux-gnu/libc.so.6"},
	{"libLLVM", "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1"},
}

// BenchmarkTables compiles all chunks of a library: what it would cost to sample every function of it.
func BenchmarkTables(b *testing.B) {
	for _, lib := range benchmarked {
		b.Run(lib.name, func(b *testing.B) {
			img := elfImage(b, installed(b, false, lib.path))
			rows, chunks := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				rows, chunks = 0, 0
				m := NewModule(img, NewRules(), 0)
				for _, r := range img.Text {
					for n := r.Start >> ChunkShift; n <= (r.Limit-1)>>ChunkShift; n++ {
						rows += len(m.Chunk(n))
						chunks++
					}
				}
			}
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(chunks), "ns/chunk")
		})
	}
}

// BenchmarkFirstChunk compiles one chunk of a library of which nothing is known yet: what the first sample in it costs.
func BenchmarkFirstChunk(b *testing.B) {
	for _, lib := range benchmarked {
		b.Run(lib.name, func(b *testing.B) {
			img := elfImage(b, installed(b, false, lib.path))
			n := (img.Text[0].Start + img.Text[0].Limit) / 2 >> ChunkShift
			rules := NewRules()
			b.ReportAllocs()
			for b.Loop() {
				NewModule(img, rules, 0).Chunk(n)
			}
		})
	}
}

// BenchmarkDelve does the same with delve's reader: all entries are read, then each address at which a row starts is asked
// for (it has no rows to tell: which these are is known from ours).
func BenchmarkDelve(b *testing.B) {
	for _, lib := range benchmarked {
		img := elfImage(b, installed(b, false, lib.path))
		data := sectionBytes(b, img.EHFrame)
		parse := func(b *testing.B) delve.FrameDescriptionEntries {
			entries, err := delve.Parse(data, binary.LittleEndian, 0, 8, img.EHFrame.Addr)
			if err != nil {
				b.Fatal(err)
			}
			return entries
		}
		b.Run(lib.name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parse(b)
			}
		})
		b.Run(lib.name+"/rows", func(b *testing.B) {
			entries := parse(b)
			m := NewModule(img, NewRules(), 0)
			var at [][2]uint64 // function, address
			for i, e := range entries {
				for n := e.Begin() >> ChunkShift; n <= (e.End()-1)>>ChunkShift; n++ {
					for _, r := range m.Chunk(n) {
						if addr := n<<ChunkShift + uint64(r.At); e.Cover(addr) {
							at = append(at, [2]uint64{uint64(i), addr})
						}
					}
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, a := range at {
					if _, err := entries[a[0]].EstablishFrame(a[1]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(len(at)), "rows")
		})
	}
}
