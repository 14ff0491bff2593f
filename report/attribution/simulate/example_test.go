package simulate_test

import (
	"fmt"
	"time"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/attribution/simulate"
)

// Two functions that draw 4 W and 18 W run at the same time on the CPUs of one
// package. Sharing by CPU time cannot tell them apart.
func Example() {
	machine := simulate.Machine{
		Packages: []simulate.Package{{CPUs: 4, Busy: 0.6, Static: 10}},
		Functions: []simulate.Function{
			{Watts: 4, Share: 1, Burst: 20 * time.Millisecond},
			{Watts: 18, Share: 1, Burst: 20 * time.Millisecond},
		},
	}
	trace, err := simulate.Record(machine, simulate.Typical(), 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := attribution.New(trace.Series, attribution.Options{
		Method: attribution.Proportional, BaselineWatts: trace.StaticWatts(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := trace.Play(a); err != nil {
		fmt.Println(err)
		return
	}
	result := a.Finish().Series[0]
	for f, truth := range trace.Truth.Series[0].Functions {
		fmt.Printf("function %d: %.0f W, shared out %.0f W\n", f, truth.Joules/truth.Seconds, result.ByKey[f]/truth.Seconds)
	}
	// Output:
	// function 0: 4 W, shared out 9 W
	// function 1: 18 W, shared out 14 W
}

// A method of one's own: all energy above 10 W goes to what ran, by CPU time.
// What it is given are the readings of each counter and the stretches of CPU
// time; what it says is held against the truth.
func Example_method() {
	machine := simulate.Machine{
		Packages: []simulate.Package{{CPUs: 2, Busy: 0.5, Static: 10}},
		Functions: []simulate.Function{
			{Watts: 5, Share: 1},
			{Watts: 15, Share: 1},
		},
	}
	trace, err := simulate.Record(machine, simulate.Typical(), 7)
	if err != nil {
		fmt.Println(err)
		return
	}
	readings := trace.Readings[0]
	first, last := readings[0], readings[len(readings)-1]
	joules := last.Joules - first.Joules - 10*float64(last.T-first.T)/1e9
	ran := make([]float64, len(machine.Functions))
	var all float64
	for _, s := range trace.Stretches {
		ran[s.Key] += s.Weight
		all += s.Weight
	}
	for f := range ran {
		ran[f] *= joules / all
	}
	for f, e := range trace.Errors(ran, "package", 0) {
		fmt.Printf("function %d: %+.0f %%\n", f, 100*e)
	}
	// Output:
	// function 0: +97 %
	// function 1: -34 %
}
