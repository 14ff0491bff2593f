package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// function is one that bursts run.
type function struct {
	code   func(memory []uint64, rounds int) uint64
	memory []uint64 // what it walks, a power of two of words; nil: nothing
	enter  []byte   // what the counter is told
	walk   []byte   // what the simulated PMU is told of its memory; nil: nothing
	rate   float64  // rounds per second, of a CPU that has nothing else to do
}

// The functions differ in name and code and in nothing else that matters: what
// they draw is what the counter is told.

//go:noinline
func parse(_ []uint64, rounds int) (x uint64) {
	for i := range rounds {
		x = x*33 ^ uint64(i)
	}
	return x
}

//go:noinline
func hash(_ []uint64, rounds int) (x uint64) {
	for i := range rounds {
		x = (x ^ uint64(i)) * 1099511628211
	}
	return x
}

//go:noinline
func sort(_ []uint64, rounds int) (x uint64) {
	for i := range rounds {
		x ^= x << 13
		x += uint64(i)
	}
	return x
}

//go:noinline
func encode(_ []uint64, rounds int) (x uint64) {
	for i := range rounds {
		x = x>>6 | x<<58
		x += uint64(i)
	}
	return x
}

// stream goes through its memory line by line.
//
//go:noinline
func stream(memory []uint64, rounds int) (x uint64) {
	for i := range rounds {
		x += memory[8*i&(len(memory)-1)]
	}
	return x
}

// lookup goes through it backwards.
//
//go:noinline
func lookup(memory []uint64, rounds int) (x uint64) {
	for i := range rounds {
		x ^= memory[-8*i&(len(memory)-1)]
	}
	return x
}

var code = map[string]func([]uint64, int) uint64{
	"parse": parse, "hash": hash, "sort": sort, "encode": encode, "stream": stream, "lookup": lookup,
}

// parseFunctions reads NAME=MILLIWATTS[:DRAM_MILLIWATTS[:LEVEL[:PACKAGE[:LINES]]]],...
func parseFunctions(text string) ([]function, error) {
	var list []function
	for field := range strings.SplitSeq(text, ",") {
		name, power, _ := strings.Cut(field, "=")
		if code[name] == nil {
			return nil, fmt.Errorf("%q: there are parse, hash, sort, encode, stream and lookup", name)
		}
		words := strings.Split(power, ":")
		if len(words) > 5 {
			return nil, fmt.Errorf("%s: more than five numbers", field)
		}
		for i, what := range []string{"milliwatts", "milliwatts of memory", "level", "package", "lines"}[:len(words)] {
			if what == "level" && words[i] == "line" {
				continue
			}
			if _, err := strconv.ParseUint(words[i], 10, 32); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", what, field, err)
			}
		}
		f := function{code: code[name], memory: make([]uint64, 8)}
		if len(words) > 2 {
			if err := f.takeMemory(words[2:]); err != nil {
				return nil, fmt.Errorf("memory of %s: %w", field, err)
			}
			words = append(words[:2], words[3:min(4, len(words))]...) // the counter wants no level and no lines
		}
		f.enter = []byte(name + " " + strings.Join(words, " "))
		list = append(list, f)
	}
	return list, nil
}

// memorySize is what a function walks, in bytes: each level with every state of the
// second-level TLB and the lock of simpmu's rule.
const memorySize = 4096

// takeMemory gives the function pages of its own, of the NUMA node that a package has by
// its number, and what the simulated PMU is to be told of it: that its loads are served by
// a level, or by that of each line, and that so many lines are moved. what is the level and
// after it the package and the lines, as far as they are known.
func (f *function) takeMemory(what []string) error {
	mem, err := unix.Mmap(-1, 0, memorySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	if len(what) > 1 {
		if err := bind(mem, what[1]); err != nil {
			return fmt.Errorf("node %s: %w", what[1], err)
		}
	}
	for i := 0; i < len(mem); i += os.Getpagesize() {
		mem[i] = 1
	}
	f.memory = unsafe.Slice((*uint64)(unsafe.Pointer(&mem[0])), memorySize/8)
	said := fmt.Sprintf("%#x %d", uintptr(unsafe.Pointer(&mem[0])), memorySize)
	if what[0] == "line" {
		what[0] = "-"
	}
	said += " " + what[0]
	if len(what) > 2 {
		said += " " + what[2]
	}
	f.walk = []byte(said)
	return nil
}

// bind wants the pages of mem, none of which is there yet, on a NUMA node.
func bind(mem []byte, node string) error {
	const mpolBind = 2 // include/uapi/linux/mempolicy.h
	n, err := strconv.ParseUint(node, 10, 6)
	if err != nil {
		return err
	}
	mask := uint64(1) << n
	_, _, errno := unix.RawSyscall6(unix.SYS_MBIND, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), mpolBind,
		uintptr(unsafe.Pointer(&mask)), 64, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
