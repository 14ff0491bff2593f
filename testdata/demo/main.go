// Demo is the sample workload of `make demo`: a few seconds of work of
// different kinds on several goroutines, in functions whose names say what
// they do.
package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

const seconds = 4

// multiplyMatrices keeps the floating point units busy.
//
//go:noinline
func multiplyMatrices(n int) float64 {
	a, b, c := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
	for i := range a {
		a[i], b[i] = float64(i%7), float64(i%5)
	}
	for i := range n {
		for k := range n {
			x := a[i*n+k]
			for j := range n {
				c[i*n+j] += x * b[k*n+j]
			}
		}
	}
	return c[n+1]
}

// chasePointers waits for memory most of the time.
//
//go:noinline
func chasePointers(next []uint32, steps int) uint32 {
	var at uint32
	for range steps {
		at = next[at]
	}
	return at
}

// hashBlocks runs the processor's hash instructions.
//
//go:noinline
func hashBlocks(block []byte, times int) byte {
	var sum [sha256.Size]byte
	for range times {
		sum = sha256.Sum256(block)
		block[0] = sum[0]
	}
	return sum[0]
}

// sortRecords branches in ways nobody can predict.
//
//go:noinline
func sortRecords(rng *rand.Rand, records []uint64) uint64 {
	for i := range records {
		records[i] = rng.Uint64()
	}
	slices.Sort(records)
	return records[0]
}

// ring returns one random cycle through n places.
func ring(rng *rand.Rand, n int) []uint32 {
	order := rng.Perm(n)
	next := make([]uint32, n)
	for i, at := range order {
		next[at] = uint32(order[(i+1)%n])
	}
	return next
}

func main() {
	deadline := time.Now().Add(seconds * time.Second)
	workers := min(runtime.NumCPU(), 4)
	fmt.Printf("demo: %d workers for %d seconds\n", workers, seconds)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			next := ring(rng, 1<<20)
			block := make([]byte, 64<<10)
			records := make([]uint64, 1<<16)
			for time.Now().Before(deadline) {
				multiplyMatrices(192)
				chasePointers(next, 1<<17)
				hashBlocks(block, 128)
				sortRecords(rng, records)
			}
		})
	}
	wg.Wait()
}
