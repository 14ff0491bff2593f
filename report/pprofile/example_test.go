package pprofile_test

import (
	"fmt"
	"time"

	"github.com/energyprof/energyprof/report/pprofile"
)

// One function and the static power of one package.
func ExampleBuild() {
	app := &pprofile.Mapping{Start: 0x400000, Limit: 0x500000, File: "/bin/app"}
	work := &pprofile.Location{Address: 0x401000, Mapping: app, Lines: []pprofile.Frame{{Function: "work"}}}
	p, err := pprofile.Build(&pprofile.Profile{
		Stacks: []pprofile.Stack{{Locations: []*pprofile.Location{work}, Process: "app", PID: 7, TID: 7,
			Samples: 1000, Nanoseconds: 1e9, Joules: []float64{4}}},
		Columns: []pprofile.Column{{Domain: "package", Sum: true, Joules: 14,
			Synthetic: pprofile.Synthetic{Baseline: 10}}},
		Measured: true, Main: app, Duration: time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range p.SampleType {
		fmt.Println(t.Type + "/" + t.Unit)
	}
	for _, s := range p.Sample {
		fmt.Println(s.Location[0].Line[0].Function.Name, s.Value)
	}
	// Output:
	// samples/count
	// cpu/nanoseconds
	// energy_package/microjoules
	// energy/microjoules
	// work [1000 1000000000 4000000 4000000]
	// [baseline] [0 0 10000000 10000000]
}
