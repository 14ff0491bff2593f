package perfring

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
)

// BenchmarkDecode reads samples with a callchain from a full ring of 512 KiB:
// draining and decoding them, the same with go-perf, and what it costs to
// copy their bytes. Time is per record. That of perfring does not depend on the
// depth, because it leaves callchains where they lie.
func BenchmarkDecode(b *testing.B) {
	a := Attr{SampleFormat: SampleIdentifier | SampleIP | SampleTID | SampleTime | SampleCPU | SamplePeriod | SampleCallchain, Flags: FlagSampleIDAll}
	for _, depth := range []int{16, 64, 127} {
		s := Sample{ID: 1, IP: 2, PID: 3, TID: 4, Time: 5, Callchain: counted(depth, 0x400000)}
		raw := encodeSample(&a, &s)
		k := newFakeRing(512 << 10)
		records := 0
		for k.write(raw) {
			records++
		}
		// As the kernel does, refill: here the same bytes stay in place.
		refill := func() { binary.NativeEndian.PutUint64(k.mem[pageDataTail:], 0) }

		b.Run(fmt.Sprintf("depth=%d/perfring", depth), func(b *testing.B) {
			r := k.open(b)
			d := decoderOf(b, &a, 1)
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			frames := 0
			for n := 0; n < b.N; n += records {
				refill()
				r.Drain(func(raw []byte) {
					rec, err := d.Decode(raw)
					if err != nil {
						b.Fatal(err)
					}
					frames += len(rec.(*Sample).Callchain)
				})
			}
			if want := (b.N + records - 1) / records * records * depth; frames != want {
				b.Fatalf("%d frames, want %d", frames, want)
			}
		})
		b.Run(fmt.Sprintf("depth=%d/go-perf", depth), func(b *testing.B) {
			ev := oracleOn(k, oracleAttr(&a))
			refill()
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for n := range b.N {
				if n%records == 0 {
					refill()
				}
				if _, err := ev.ReadRecord(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("depth=%d/memcpy", depth), func(b *testing.B) {
			to := make([]byte, len(raw))
			b.SetBytes(int64(len(raw)))
			for n := range b.N {
				at := n % records * len(raw)
				copy(to, k.data[at:at+len(raw)])
			}
		})
	}
}
