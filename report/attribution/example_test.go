package attribution_test

import (
	"fmt"

	"github.com/energyprof/energyprof/report/attribution"
)

// A package of two CPUs spends 3 J in 100 ms, 1 J of them static; stack 0 runs
// all the time on CPU 0 and stack 1 half of it on CPU 1.
func Example() {
	a, err := attribution.New(
		[]attribution.Series{{Domain: "package", Package: 0, CPUs: []int{0, 1}}},
		attribution.Options{Method: attribution.Proportional, BaselineWatts: []float64{10}})
	if err != nil {
		fmt.Println(err)
		return
	}
	const ms = 1_000_000
	for _, err := range []error{
		a.Reading(0, 0, 120.0),
		a.Busy(0, 0, 0, 100*ms, 100*ms),
		a.Busy(1, 1, 50*ms, 100*ms, 50*ms),
		a.Reading(0, 100*ms, 123.0),
	} {
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	s := a.Finish().Series[0]
	fmt.Printf("%.1f J = baseline %.1f + stack 0 %.2f + stack 1 %.2f\n", s.Joules, s.Baseline, s.ByKey[0], s.ByKey[1])
	// Output: 3.0 J = baseline 1.0 + stack 0 1.33 + stack 1 0.67
}
