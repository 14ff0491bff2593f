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
