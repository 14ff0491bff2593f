package simulate

import (
	"testing"
	"time"
)

// BenchmarkRecord is 15 s of 16 CPUs at 997 Hz with readings at 100 Hz.
func BenchmarkRecord(b *testing.B) {
	m := Machine{
		Packages:  packages(2, Package{CPUs: 8, Busy: 0.8, Static: 10}),
		Functions: []Function{{Watts: 3, Share: 1}, {Watts: 8, Share: 1, Burst: 2 * time.Millisecond}, {Watts: 12, Share: 1, Burst: 20 * time.Millisecond}},
	}
	var seed uint64
	for b.Loop() {
		seed++
		if _, err := Record(m, Typical(), seed); err != nil {
			b.Fatal(err)
		}
	}
}
