// Command burn uses CPU time in a function of known name, called by another.
package main

import (
	"fmt"
	"os"
	"time"
)

//go:noinline
func outer(d time.Duration) uint64 { return burn(d) + 1 }

//go:noinline
func burn(d time.Duration) (x uint64) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for i := range uint64(200_000) {
			x = x*6364136223846793005 + i
		}
	}
	return x
}

func main() {
	d, err := time.ParseDuration(os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, outer(d))
}
