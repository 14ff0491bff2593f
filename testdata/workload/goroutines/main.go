// Goroutines is a workload that measures itself, as threads.c does: two
// goroutines on threads of their own run functions and print, for each, the
// seconds of CPU time that CLOCK_THREAD_CPUTIME_ID gave it:
//
//	FUNCTION SECONDS
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// cpuSeconds is the CPU time of this thread.
func cpuSeconds() float64 {
	const threadCPUTime = 3 // CLOCK_THREAD_CPUTIME_ID, linux/time.h
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadCPUTime, uintptr(unsafe.Pointer(&ts)), 0)
	return float64(ts.Nano()) / 1e9
}

// sink keeps results from being optimised away.
var sink [2]float64

//go:noinline
func divide(n int) float64 {
	x := 1.0
	for range n {
		x /= 1.0000001
	}
	return x
}

//go:noinline
func count(n int) float64 {
	var x uint64
	for i := range n {
		x = x*6364136223846793005 + uint64(i)
	}
	return float64(x)
}

//go:noinline
func recurse(depth, n int) float64 {
	if depth > 1 {
		return recurse(depth-1, n) + 1
	}
	return deep(n)
}

//go:noinline
func deep(n int) float64 {
	x := 1.0
	for range n {
		x += 1e-9
	}
	return x
}

func main() {
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil {
		panic(err)
	}
	run := func(slot int, name string, work func() float64) {
		begin := cpuSeconds()
		for cpuSeconds()-begin < seconds {
			sink[slot] += work()
		}
		fmt.Printf("%s %.6f\n", name, cpuSeconds()-begin)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread()
		run(0, "main.divide", func() float64 { return divide(200000) })
	})
	wg.Go(func() {
		runtime.LockOSThread()
		run(1, "main.count", func() float64 { return count(400000) })
		run(1, "main.deep", func() float64 { return recurse(40, 400000) })
	})
	wg.Wait()
}
