// Command burn uses as much CPU time as it is told, in a function of known name, called by another.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

//go:noinline
func outer(d time.Duration) uint64 { return burn(d) + 1 }

//go:noinline
func burn(d time.Duration) (x uint64) {
	for used() < d {
		for i := range uint64(200_000) {
			x = x*6364136223846793005 + i
		}
	}
	return x
}

func used() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func main() {
	d, err := time.ParseDuration(os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, outer(d))
}
