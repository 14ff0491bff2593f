package compare

import (
	"maps"
	"math"

	"github.com/energyprof/energyprof/report/gate"
)

// cycles compares the cycles of functions, of which package gate tests seconds and joules: they take the place of the
// seconds in a comparison of their own. Its p-values, of another family, are left out: these changes explain, and claim
// nothing. nil: cycles are not known of all runs.
func cycles(old, new []gate.Run, options gate.Options) (map[gate.Key]gate.Change, error) {
	inPlace := func(runs []gate.Run) []gate.Run {
		var out []gate.Run
		for _, run := range runs {
			if math.IsNaN(run.Total.Cycles) {
				return nil
			}
			functions := maps.Clone(run.Functions)
			for key, a := range functions {
				functions[key] = onlyCycles(a)
			}
			out = append(out, gate.Run{Total: onlyCycles(run.Total), Functions: functions})
		}
		return out
	}
	a, b := inPlace(old), inPlace(new)
	if a == nil || b == nil {
		return nil, nil
	}
	options.Energy, options.MinSeconds = false, 0
	c, err := gate.Compare(a, b, options)
	if err != nil {
		return nil, err
	}
	changes := make(map[gate.Key]gate.Change, len(c.Functions))
	for i := range c.Functions {
		change := c.Functions[i].Time
		change.Quantity, change.P, change.Adjusted, change.Significant, change.Detectable = gate.Cycles, math.NaN(), math.NaN(), false, math.Inf(1)
		changes[c.Functions[i].Key] = change
	}
	return changes, nil
}

func onlyCycles(a gate.Amount) gate.Amount {
	return gate.Amount{Seconds: a.Cycles, Joules: math.NaN(), Cycles: math.NaN()}
}
