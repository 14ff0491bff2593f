// Touch accesses memory in ways that are known beforehand: so many writes to a global variable, or one
// write to each page of a list. It says on standard output what it did.
//
//	touch watched N        writes the variable main.watched N times
//	touch shared N         writes two variables of one cache line N times each, on two CPUs at a time
//	touch pages N [REPEAT] maps N pages and writes to every third of them, REPEAT times over anew
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watched is what a breakpoint is set on. Nothing but write changes it.
var watched uint64

// counters holds a whole cache line, in which left and right write to places of their own.
var counters [16]uint64

// place is the index of the variable at this many bytes of the line.
func place(bytes uintptr) int {
	const line = 64
	at := uintptr(unsafe.Pointer(&counters))
	return int(((at+line-1)/line*line - at + bytes) / 8)
}

// madvNoHugepage keeps the kernel from serving several pages with one fault (madvise(2)).
const madvNoHugepage = 15

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: touch watched N | touch shared N | touch pages N [REPEAT]")
	}
	n := number(2)
	switch os.Args[1] {
	case "watched":
		for i := range n {
			write(i + 1)
		}
		fmt.Println(watched)
	case "shared":
		shared(n)
	case "pages":
		repeat := 1
		if len(os.Args) > 3 {
			repeat = number(3)
		}
		for i := range repeat {
			pages(n, i == 0)
		}
	default:
		log.Fatalf("touch: unknown way %q", os.Args[1])
	}
}

func number(arg int) int {
	n, err := strconv.Atoi(os.Args[arg])
	if err != nil || n < 1 {
		log.Fatalf("touch: %q is no number from 1 up", os.Args[arg])
	}
	return n
}

// write writes once.
//
//go:noinline
func write(value int) { watched = uint64(value) }

// shared runs left and right on the first two CPUs that this process may use.
func shared(n int) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		log.Fatal(err)
	}
	if allowed.Count() < 2 {
		log.Fatal("touch: two CPUs are needed")
	}
	var wait sync.WaitGroup
	cpu := 0
	for _, work := range []func(int){left, right} {
		for !allowed.IsSet(cpu) {
			cpu++
		}
		one := unix.CPUSet{}
		one.Set(cpu)
		cpu++
		wait.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with its CPU
			if err := unix.SchedSetaffinity(0, &one); err != nil {
				log.Fatal(err)
			}
			work(n)
		})
	}
	wait.Wait()
}

//go:noinline
func left(n int) {
	for i, at := 0, place(8); i < n; i++ {
		atomic.StoreUint64(&counters[at], uint64(i))
	}
}

//go:noinline
func right(n int) {
	for i, at := 0, place(40); i < n; i++ {
		atomic.StoreUint64(&counters[at], uint64(i))
	}
}

// pages maps n pages, writes to every third and unmaps them; tell prints the addresses of those.
func pages(n int, tell bool) {
	size := os.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, n*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		log.Fatal(err)
	}
	if err := syscall.Madvise(memory, madvNoHugepage); err != nil && err != syscall.EINVAL { // EINVAL: a kernel without huge pages
		log.Fatal(err)
	}
	first := uintptr(unsafe.Pointer(&memory[0]))
	fault(memory, 3*size)
	if tell {
		fmt.Printf("from %#x to %#x\n", first, first+uintptr(len(memory)))
		for at := 0; at < len(memory); at += 3 * size {
			fmt.Printf("%#x\n", first+uintptr(at))
		}
	}
	if err := syscall.Munmap(memory); err != nil {
		log.Fatal(err)
	}
	runtime.KeepAlive(memory)
}

// fault writes every step bytes.
//
//go:noinline
func fault(memory []byte, step int) {
	for at := 0; at < len(memory); at += step {
		memory[at] = 1
	}
}
