package session

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// toucherEnv makes the test binary a program that touches memory, "GATE THREADS PAGES
// WRITES": half of the threads are there before the file GATE can be opened, which waits
// for a writer if it is a FIFO, and half are born after it. Each thread touches so
// many pages of its own, one after the other from touchedAt on, and writes so often to watched.
const toucherEnv = "ENERGYPROF_TEST_TOUCHER"

// touchedAt is where no program of Go has anything.
const touchedAt = uintptr(0x1000_0000_0000)

// watched lies at the same address in the test and in the program that it runs.
var watched uint64

func runToucher(spec string) {
	var gate string
	var threads, pages, writes int
	if _, err := fmt.Sscan(spec, &gate, &threads, &pages, &writes); err != nil {
		panic(err)
	}
	memory := touchable(threads * pages * pageSize)
	opened := make(chan struct{})
	var wg sync.WaitGroup
	start := func(thread int) {
		wg.Go(func() {
			runtime.LockOSThread()
			<-opened
			for page := range pages {
				touchPage(&memory[(thread*pages+page)*pageSize])
			}
			for range writes {
				writeWatched()
			}
		})
	}
	for thread := range threads / 2 {
		start(thread)
	}
	fmt.Println("ready")
	if _, err := os.ReadFile(gate); err != nil {
		panic(err)
	}
	close(opened)
	for thread := threads / 2; thread < threads; thread++ {
		start(thread)
	}
	wg.Wait()
	os.Exit(0)
}

// touchable is memory of small pages at touchedAt that nobody has touched.
func touchable(size int) []byte {
	if size == 0 {
		return nil
	}
	at := touchedAt
	p, err := unix.MmapPtr(-1, 0, *(*unsafe.Pointer)(unsafe.Pointer(&at)), uintptr(size), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE)
	if err != nil {
		panic(err)
	}
	memory := unsafe.Slice((*byte)(p), size)
	if err := unix.Madvise(memory, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL { // there are none
		panic(err)
	}
	return memory
}

// The race detector would read first, which is a fault of its own.
//
//go:noinline
//go:norace
func touchPage(p *byte) { *p = 1 }

//go:noinline
func writeWatched() { atomic.AddUint64(&watched, 1) }
