package gate_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"

	"github.com/energyprof/energyprof/report/gate"
)

// A program of two functions, ten runs before and ten after a change that made parse draw 30 % more power.
func Example() {
	rng := rand.New(rand.NewPCG(1, 2))
	run := func(watts float64) gate.Run {
		parse := gate.Amount{Seconds: 2 * (1 + 0.02*rng.NormFloat64())}
		parse.Joules = parse.Seconds * watts
		sort := gate.Amount{Seconds: 3 * (1 + 0.02*rng.NormFloat64())}
		sort.Joules = sort.Seconds * 8
		return gate.Run{
			Elapsed: parse.Seconds + sort.Seconds,
			Total:   gate.Amount{Seconds: parse.Seconds + sort.Seconds, Joules: parse.Joules + sort.Joules},
			Functions: map[gate.Key]gate.Amount{
				{Name: "parse", Library: "app"}: parse,
				{Name: "sort", Library: "app"}:  sort,
			},
		}
	}
	var old, new []gate.Run
	for range 10 {
		old, new = append(old, run(10)), append(new, run(13))
	}
	opt := gate.DefaultOptions()
	opt.Limits = []gate.Limit{
		{Quantity: gate.Time, Max: 0.05},
		{Quantity: gate.Energy, Function: regexp.MustCompile("."), Max: 0.10},
	}
	result, err := gate.Check(old, new, opt)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range result.Verdicts {
		name := "total"
		if v.Key != nil {
			name = v.Key.String()
		}
		fmt.Printf("%v of %s %+.0f %%, limit %+.0f %%: %v\n", v.Limit.Quantity, name, 100*(v.Change.Ratio-1), 100*v.Limit.Max, v.Decision)
	}
	for _, f := range result.Functions {
		if f.Named {
			fmt.Printf("%s: %s, %.1f J of time and %.1f J of power\n", f.Name, f.Because, f.TimePart, f.PowerPart)
		}
	}
	fmt.Println(result.Decision())
	// Output:
	// time of total +1 %, limit +5 %: pass
	// energy of parse (app) +31 %, limit +10 %: fail
	// energy of sort (app) +1 %, limit +10 %: pass
	// parse: power, 0.2 J of time and 6.0 J of power
	// fail
}

// What a change of +10 % takes at 5 % noise.
func ExamplePlan() {
	for _, limit := range []float64{0, 0.05} {
		for _, functions := range []int{1, 50} {
			runs, err := gate.Plan(0.05, 0.10, limit, functions)
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("limit %+.0f %%, %d tests: %d runs\n", 100*limit, functions, runs)
		}
	}
	// Output:
	// limit +0 %, 1 tests: 12 runs
	// limit +0 %, 50 tests: 20 runs
	// limit +5 %, 1 tests: 38 runs
	// limit +5 %, 50 tests: 66 runs
}
