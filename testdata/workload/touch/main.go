// Touch accesses memory in ways that are known beforehand: so many writes to a global variable, or one
// write to each page of a list. It says on standard output what it did.
//
//	touch watched N        writes the variable main.watched N times
//	touch pages N [REPEAT] maps N pages and writes to every third of them, REPEAT times over anew
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// watched is what a breakpoint is set on. Nothing but write changes it.
var watched uint64

// madvNoHugepage keeps the kernel from serving several pages with one fault (madvise(2)).
const madvNoHugepage = 15

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: touch watched N | touch pages N [REPEAT]")
	}
	n := number(2)
	switch os.Args[1] {
	case "watched":
		for i := range n {
			write(i + 1)
		}
		fmt.Println(watched)
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
