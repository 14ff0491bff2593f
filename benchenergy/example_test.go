package benchenergy_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/energyprof/energyprof/benchenergy"
)

// BenchmarkSum has J/op and W where the machine has energy counters, and is skipped where it has none.
func BenchmarkSum(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data := make([]byte, size)
			meter := benchenergy.Start(b)
			for b.Loop() {
				sha256.Sum256(data)
			}
			meter.Stop()
		})
	}
}

// Without counters of energy, or the right to read them, this benchmark has its time alone.
func ExampleOptions() {
	data := make([]byte, 1<<16)
	result := testing.Benchmark(func(b *testing.B) {
		meter := benchenergy.Options{Optional: true}.Start(b)
		for b.Loop() {
			sha256.Sum256(data)
		}
		meter.Stop()
	})
	fmt.Println("it ran:", result.N > 0)
	if joules, measured := result.Extra["J/op"]; measured && joules <= 0 {
		fmt.Println("and took no energy, which cannot be")
	}
	// Output: it ran: true
}
