package rapl_test

import (
	"fmt"
	"log"

	"github.com/energyprof/energyprof/rapl"
)

// What did this machine use for a piece of work? "auto" in the place of "model"
// takes the best source that this user may read. Info says whether it measures.
func Example() {
	src, err := rapl.Open(rapl.Machine{}, "model")
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()

	before := make([]float64, len(src.Info().Domains))
	after := make([]float64, len(src.Info().Domains))
	if _, err := src.Read(before); err != nil {
		log.Fatal(err)
	}
	sum := 0
	for i := range 10_000_000 {
		sum += i * i
	}
	if _, err := src.Read(after); err != nil {
		log.Fatal(err)
	}

	joules := 0.0
	for i, d := range src.Info().Domains {
		if d.Sum {
			joules += after[i] - before[i]
		}
	}
	fmt.Println(sum != 0, joules > 0)
	// Output: true true
}
