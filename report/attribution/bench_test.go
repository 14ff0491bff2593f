package attribution

import "testing"

// BenchmarkSecond is one second of a busy machine: 50 CPUs at 1 kHz over 1000
// stacks, package and dram of two packages at 100 Hz, Advance every 250 ms.
// core-% is the part of one core that it takes.
func BenchmarkSecond(b *testing.B) {
	var cpus [2][]int
	for cpu := range 50 {
		cpus[cpu/25] = append(cpus[cpu/25], cpu)
	}
	a := mustNew(b, Options{Method: Proportional, BaselineWatts: []float64{10, 10, 2, 2}},
		Series{"package", 0, cpus[0]}, Series{"package", 1, cpus[1]}, Series{"dram", 0, cpus[0]}, Series{"dram", 1, cpus[1]})
	b.ReportAllocs()
	var now int64
	key := uint32(1)
	for b.Loop() {
		for tick := range int64(1000) {
			if tick%10 == 0 {
				for s := range 4 {
					read(b, a, s, now, float64(now)/1e9)
				}
			}
			for cpu := range 50 {
				key = key*1664525 + 1013904223
				if err := a.Busy(Key(key>>16%1000), cpu, now, now+ms, ms); err != nil {
					b.Fatal(err)
				}
			}
			now += ms
			if tick%250 == 249 {
				a.Advance(now)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e7, "core-%")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50_000, "ns/Busy")
}
