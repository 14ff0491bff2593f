package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// Formula is how another tool shares out energy, with a function in the place
// of a process or of whatever is the finest thing that it tells apart.
//
// The formulas are given what they use at its best: exact CPU times instead of
// ticks, and the energy of every package. They are asked for joules of
// functions; that some of them put static power on functions on purpose is part
// of their answer.
type Formula struct {
	Name   string
	Source string
	// Joules is by function, of all packages together, and of packages alone.
	Joules func(*Trace) []float64
}

// Formulas are those of Scaphandre, Kepler, PowerJoular and SmartWatts.
func Formulas() []Formula {
	return []Formula{
		{"scaphandre", "hubblo-org/scaphandre, src/sensors/mod.rs, get_process_power_consumption_microwatts", Scaphandre},
		{"kepler", "sustainable-computing-io/kepler 0.10, internal/monitor/node.go and process.go", Kepler},
		{"powerjoular", "joular/powerjoular, src/powerjoular.adb", PowerJoular},
		{"smartwatts", "powerapi-ng/smartwatts-formula, src/smartwatts/model/power_model.py and handler/hwpc_report.py", SmartWatts},
	}
}

// ticks is what a tool sees that looks every so often: joules of all packages
// and CPU seconds by function.
func (tr *Trace) ticks(every time.Duration, give func(joules, seconds float64, ran []float64)) {
	edges := tr.every(int64(every))
	joules := make([]float64, len(edges)-1)
	ran := make([][]float64, len(edges)-1)
	for s := range tr.Machine.Packages {
		for k, j := range tr.between(s, edges) {
			joules[k] += j
		}
		functions, _ := tr.Ran(s, edges)
		for k := range functions {
			if ran[k] == nil {
				ran[k] = make([]float64, len(functions[k]))
			}
			for f, seconds := range functions[k] {
				ran[k][f] += seconds
			}
		}
	}
	for k := range joules {
		give(joules[k], float64(edges[k+1]-edges[k])/1e9, ran[k])
	}
}

func sum(v []float64) float64 {
	var s float64
	for _, x := range v {
		s += x
	}
	return s
}

// Scaphandre: power of the host x CPU usage of the process in percent of all
// CPUs, idle or not; every 2 s, the default of its stdout exporter.
func Scaphandre(tr *Trace) []float64 {
	out := make([]float64, len(tr.Machine.Functions))
	cpus := float64(tr.Machine.CPUs())
	tr.ticks(2*time.Second, func(joules, seconds float64, ran []float64) {
		for f, s := range ran {
			out[f] += joules * s / (cpus * seconds)
		}
	})
	return out
}

// Kepler: energy of the node x its CPU usage ratio is active energy, of which a
// process gets its part of the CPU time of all processes; every 5 s, its
// default interval.
func Kepler(tr *Trace) []float64 {
	out := make([]float64, len(tr.Machine.Functions))
	cpus := float64(tr.Machine.CPUs())
	tr.ticks(5*time.Second, func(joules, seconds float64, ran []float64) {
		all := sum(ran)
		if all == 0 {
			return
		}
		active := joules * all / (cpus * seconds)
		for f, s := range ran {
			out[f] += active * s / all
		}
	})
	return out
}

// PowerJoular: power x utilisation of the process / utilisation of the CPU,
// every second. So what is idle goes to whatever ran.
func PowerJoular(tr *Trace) []float64 {
	out := make([]float64, len(tr.Machine.Functions))
	tr.ticks(time.Second, func(joules, _ float64, ran []float64) {
		all := sum(ran)
		if all == 0 {
			return
		}
		for f, s := range ran {
			out[f] += joules * s / all
		}
	})
	return out
}

// SmartWatts: the power of a package is fitted to hardware counters by a linear
// model with positive coefficients and an intercept, on intervals of 1 s; a
// target gets what the model says of its counters, and of the intercept the
// same share. The original is an elastic net with scikit-learn's defaults
// (alpha 1, l1_ratio 0.5) on raw counts, in a model for each 100 MHz of
// frequency. A penalty of that size on coefficients of 1e-9 W per event is
// nothing, so it is left out, and so are the frequencies, which do not change
// here. The original needs 10 s before its first model and 60 s for an
// intercept; here the model is fitted to the whole recording.
//
// The counters are cycles, instructions and cache misses. Instructions follow
// the watts of a function with a spread of 30 %, misses its memory watts and
// chance: see counters.
func SmartWatts(tr *Trace) []float64 {
	out := make([]float64, len(tr.Machine.Functions))
	rates := make([][counterCount]float64, len(out))
	for f := range rates {
		rates[f] = tr.Machine.Functions[f].counters(f)
	}
	edges := tr.every(int64(time.Second))
	for s := range tr.Machine.Packages {
		joules := tr.between(s, edges)
		ran, _ := tr.Ran(s, edges)
		var a [counterCount + 1][counterCount + 1]float64 // normal equations; the last is the intercept
		var b [counterCount + 1]float64
		counts := make([][counterCount + 1]float64, len(joules))
		for k := range joules {
			for f, seconds := range ran[k] {
				for e, rate := range rates[f] {
					counts[k][e] += rate * seconds
				}
			}
			counts[k][counterCount] = float64(edges[k+1]-edges[k]) / 1e9
			for i, x := range counts[k] {
				for j, y := range counts[k] {
					a[i][j] += x * y
				}
				b[i] += x * joules[k]
			}
		}
		coefficient := positive(a, b)
		for k := range joules {
			var dynamic float64
			for e, n := range counts[k][:counterCount] {
				dynamic += coefficient[e] * n
			}
			if dynamic <= 0 {
				continue
			}
			static := coefficient[counterCount] * counts[k][counterCount]
			for f, seconds := range ran[k] {
				var target float64
				for e, rate := range rates[f] {
					target += coefficient[e] * rate * seconds
				}
				out[f] += target + target/dynamic*static
			}
		}
	}
	return out
}

// counterCount is the number of hardware counters that SmartWatts is given.
const counterCount = 3

// counters are events per second of a function: billions of reference cycles,
// billions of instructions, millions of cache misses.
func (f *Function) counters(index int) [counterCount]float64 {
	rng := rand.New(rand.NewPCG(uint64(index), 0xc0437e5))
	return [...]float64{
		3,
		max(0.1, f.Watts/3*(1+0.3*rng.NormFloat64())),
		math.Exp(4*rng.Float64()) + 20*f.DRAMWatts,
	}
}

// positive solves the normal equations a x = b for x >= 0 by coordinate
// descent. They are few and small.
func positive(a [counterCount + 1][counterCount + 1]float64, b [counterCount + 1]float64) [counterCount + 1]float64 {
	var x [counterCount + 1]float64
	for range 20000 {
		var change float64
		for i := range x {
			if a[i][i] == 0 {
				continue
			}
			g := b[i]
			for j, v := range x {
				g -= a[i][j] * v
			}
			next := max(0, x[i]+g/a[i][i])
			change = max(change, math.Abs(next-x[i])/(1e-9+next))
			x[i] = next
		}
		if change < 1e-9 {
			break
		}
	}
	return x
}
