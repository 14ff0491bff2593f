// Program golang is Go's part of these programs: calls of calls, a closure, a method behind an interface, a goroutine, and
// functions of the runtime in assembler. Each runs for as many seconds of CPU time as the first argument says.
package main

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

const clockThreadCPUTime = 3 // CLOCK_THREAD_CPUTIME_ID

var seconds = 0.1

func cpuSeconds() float64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&t)), 0)
	return float64(t.Sec) + float64(t.Nsec)/1e9
}

// turns keeps to its thread: its clock is the thread's.
//
//go:noinline
func turns(work func() int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for until := cpuSeconds() + seconds; cpuSeconds() < until; {
		kept = work()
	}
}

var kept int

//go:noinline
func leaf(n int) int {
	x := n
	for i := range n {
		x = x*3 ^ i
	}
	return x
}

//go:noinline
func middle(n int) int { return leaf(n) + 1 }

//go:noinline
func chain() int { return middle(1_000_000) + 1 }

//go:noinline
func apply(f func(int) int, n int) int { return f(n) + 1 }

//go:noinline
func closure() int {
	by := kept | 1
	return apply(func(n int) int {
		x := by
		for range n {
			x = x*5 + by
		}
		return x
	}, 1_000_000)
}

type shape interface{ area(n int) int }

type square int

//go:noinline
func (s square) area(n int) int {
	x := int(s)
	for i := range n {
		x = x*7 - i
	}
	return x
}

var one shape = square(1)

//go:noinline
func method() int { return one.area(1_000_000) + 1 }

// A leaf in assembler: it has no frame, and keeps no frame pointer.
var haystack = make([]byte, 1<<16)

//go:noinline
func assembler() int {
	n := 0
	for range 300 {
		n += bytes.IndexByte(haystack, 'x')
	}
	return n
}

//go:noinline
func inGoroutine() int { return middle(1_000_000) - 1 }

func main() {
	if len(os.Args) > 1 {
		var err error
		if seconds, err = strconv.ParseFloat(os.Args[1], 64); err != nil {
			panic(err)
		}
	}
	turns(chain)
	turns(closure)
	turns(method)
	turns(assembler)
	done := make(chan struct{})
	go func() {
		turns(inGoroutine)
		close(done)
	}()
	<-done
}
