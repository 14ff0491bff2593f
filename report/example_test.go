package report_test

import (
	"fmt"
	"os"
	"time"

	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

func recording() *report.Recording {
	stack := func(name string, seconds, joules float64) pprofile.Stack {
		return pprofile.Stack{
			Locations: []*pprofile.Location{{Lines: []pprofile.Frame{{Function: name}}}},
			Process:   "app", PID: 7, TID: 7,
			Samples: int64(1000 * seconds), Nanoseconds: int64(1e9 * seconds), Joules: []float64{joules},
		}
	}
	return &report.Recording{
		Data: pprofile.Profile{
			Stacks: []pprofile.Stack{stack("work_a", 1.5, 27), stack("work_b", 0.5, 2)},
			Columns: []pprofile.Column{{Domain: "package", CPUs: "0-3", Sum: true, Joules: 49,
				Synthetic: pprofile.Synthetic{Baseline: 20}}},
			Measured: true, Duration: 2 * time.Second,
		},
		Source:      "perf-power",
		Attribution: report.Attribution{Method: attribution.Proportional, BaselineWatts: []float64{10}},
	}
}

func ExampleSummary_Text() {
	if err := recording().Summary().Text(os.Stdout, 80); err != nil {
		fmt.Println(err)
	}
	// Output:
	// recorded 2.000 s: 2000 samples, 0 lost, 0 throttled, 0 bad records
	// energy:  49.00 J  24.50 W  perf-power, measured: package 0 (CPUs 0-3)
	// attribution: proportional, baseline 10.00 W
	//
	//  joules   share  cpu time    watts  function
	// 27.00 J  55.1 %   1.500 s  18.00 W  work_a
	// 2.000 J   4.1 %  500.0 ms  4.000 W  work_b
	// 20.00 J  40.8 %                     [baseline]
}

func ExampleReadTable() {
	p, err := recording().Profile()
	if err != nil {
		fmt.Println(err)
		return
	}
	t := report.ReadTable(p)
	for _, r := range t.Rows {
		fmt.Printf("%s %.1f J\n", r.Name, r.Joules)
	}
	// Output:
	// work_a 27.0 J
	// [baseline] 20.0 J
	// work_b 2.0 J
}
