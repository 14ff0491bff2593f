// Program gowalk does what stacks of Go programs are made of, between SIGSTOPs: a test runs it instruction by
// instruction.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"
)

func init() { runtime.LockOSThread() }

//go:noinline
func leaf(n int) int { return n*3 + 1 }

//go:noinline
func recurse(n int) int {
	var big [64]byte
	big[n] = byte(n)
	if n == 0 {
		return leaf(n)
	}
	return recurse(n-1) + int(big[n])
}

//go:noinline
func fault() (err any) {
	defer func() { err = recover() }()
	var p *int
	return *p
}

func stop() {
	if err := syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGSTOP); err != nil {
		panic(err)
	}
}

func main() {
	words := strings.Fields("what stacks of go programs are made of")
	ch := make(chan int)
	stop() // and with it all threads but this one: nothing from here to there waits for another
	n := recurse(60)
	sort.Slice(words, func(i, j int) bool { return words[i] < words[j] })
	m := map[string]int{}
	for i, w := range words {
		m[w] = i
	}
	n += int(time.Now().Unix() & 1)
	n += len(fmt.Sprintf("%v %T %d", fault(), m, n))
	stop() // now they go on
	for {
		go func() { ch <- recurse(3) }()
		n += <-ch // this goroutine has its thread for itself: the thread waits
		runtime.GC()
		time.Sleep(time.Duration(n))
	}
}
