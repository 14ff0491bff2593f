package collect

import (
	"fmt"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/attribution"
)

// busyStream is a process whose samples come round and round on stacks of the given depth.
func busyStream(t testing.TB, depth, stacks int, opt Options) (s *stream, samples []*perfring.Sample) {
	s = newStream(t, opt)
	s.stacks.cache = make([]cached, cacheSize)
	s.exec(10, "app")
	for i := range uint64(100) {
		s.mmap(10, 0x10_0000+i<<16, 1<<16, 0, fmt.Sprintf("/lib/%d.so", i))
	}
	for i := range stacks {
		chain := []uint64{perfring.ContextUser}
		for d := range depth {
			chain = append(chain, 0x10_0000+uint64(i*977+d*64)%(100<<16))
		}
		samples = append(samples, &perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10,
			Period: ms, IP: chain[1], Callchain: chain})
	}
	return s, samples
}

// round is 250 ms of samples at 1 kHz, as a session delivers them.
func (s *stream) round(samples []*perfring.Sample) {
	for i := range 250 {
		r := samples[(int(s.now/ms)+i)%len(samples)]
		s.now += ms
		r.Time = s.now
		s.Record(r, 0, 0)
	}
	s.Energy(0, int64(s.now), float64(s.now)/second)
	s.Advance(int64(s.now))
}

func TestKnownStacksDoNotAllocate(t *testing.T) {
	opt := withEnergy(attribution.Proportional)
	opt.SystemWide = true
	s, samples := busyStream(t, 30, 100, opt)
	for range 200 {
		s.round(samples)
	}
	// The queue of readings in the attribution is taken from a slice that moves on.
	if n := testing.AllocsPerRun(100, func() { s.round(samples) }); n > 2 {
		t.Errorf("%v allocations per 250 samples", n)
	}
}

func BenchmarkSample(b *testing.B) {
	for _, depth := range []int{1, 16, 64, 127} {
		for _, energy := range []bool{false, true} {
			b.Run(fmt.Sprintf("depth=%d/energy=%v", depth, energy), func(b *testing.B) {
				var opt Options
				if energy {
					opt = withEnergy(attribution.Proportional)
				}
				opt.SystemWide = true
				s, samples := busyStream(b, depth, 1000, opt)
				for range 20 {
					s.round(samples)
				}
				b.ReportAllocs()
				for b.Loop() {
					s.round(samples)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*250), "ns/sample")
			})
		}
	}
}

// Loads come with a data source and an address each.
func BenchmarkAccess(b *testing.B) {
	for _, addresses := range []bool{false, true} {
		b.Run(fmt.Sprintf("addresses=%v", addresses), func(b *testing.B) {
			opt := weighed(attribution.Proportional)
			opt.Memory.Addresses = addresses
			s, samples := busyStream(b, 16, 1000, opt)
			for i, r := range samples {
				r.DataSrc, r.Addr, r.Weight = []uint64{ramHit, l3Hit, pmemHit, storeHit}[i%4], uint64(i)<<6, 300
				r.Misc |= perfring.MiscExactIP
			}
			round := func() {
				for i := range 250 {
					r := samples[(int(s.now/ms)+i)%len(samples)]
					s.now += ms
					r.Time = s.now
					s.Record(r, 0, 1)
				}
				s.Energy(0, int64(s.now), float64(s.now)/second)
				s.Energy(1, int64(s.now), float64(s.now)/second)
				s.Advance(int64(s.now))
			}
			for range 20 {
				round()
			}
			b.ReportAllocs()
			for b.Loop() {
				round()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*250), "ns/sample")
		})
	}
}

func BenchmarkNewStack(b *testing.B) {
	s, samples := busyStream(b, 30, 1, Options{MaxStacks: maxMaxStacks})
	chain := samples[0].Callchain
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		chain[1+i%30] = 0x10_0000 + uint64(i*7919)%(100<<16)
		s.Record(samples[0], 0, 0)
	}
}
