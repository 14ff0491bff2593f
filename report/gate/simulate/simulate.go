// Package simulate makes runs of programs whose change is known and scores what package gate says of them: how often it
// finds what is there and names what is not.
package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/energyprof/energyprof/report/gate"
)

// Kind is how runs vary.
type Kind int

// The kinds.
const (
	// Normal is noise whose logarithms are normal: half of its variance is common to all functions of a run.
	Normal Kind = iota
	// Heavy is Normal, but one run in 20 takes 30 % longer.
	Heavy
	// Drift is Normal in pairs of random order, on a machine that gets 30 % slower from the first run to the last, not
	// evenly.
	Drift
	// Sampled is Normal with times of functions that are counted samples, 997 a second, and a hundred more functions around
	// the least that is tested.
	Sampled
	// Rounded is Normal with times in steps of 10 ms and energies in steps of 0.1 J.
	Rounded
	// Speeds is Normal, but each run is one of two speeds 10 % apart.
	Speeds
	// Layouts is Normal, but each function of each run has one of two speeds 10 % apart.
	Layouts
)

func (k Kind) String() string {
	return [...]string{"normal", "heavy tails", "drift, in pairs", "sampled", "rounded", "two speeds", "two speeds a function"}[k]
}

// Where is what changes.
type Where int

// What changes.
const (
	Nowhere Where = iota
	One           // one function
	All           // the whole program
)

// Functions is how many functions a program has.
const Functions = 50

// Changed is the function that changes where one does: it has some 2 % of the time.
const Changed = Functions / 2

// Case is a program, its change and how it is measured.
type Case struct {
	Kind   Kind
	Noise  float64 // relative standard deviation of a function's energy between runs
	Runs   int     // on each side
	Where  Where
	Change float64 // relative: 0.1 is +10 %
	Watts  bool    // the change is one of power at the same times, else one of time at the same power
}

func (c Case) String() string {
	return fmt.Sprintf("%v, %g %% noise, %d runs, %+g %%", c.Kind, 100*c.Noise, c.Runs, 100*c.Change)
}

// Options are those of gate for the case: the defaults.
func (c Case) Options() gate.Options {
	opt := gate.DefaultOptions()
	opt.Paired = c.Kind == Drift
	return opt
}

// Key is that of a function.
func Key(i int) gate.Key { return gate.Key{Name: fmt.Sprintf("f%d", i), Library: "program"} }

var keys = func() []gate.Key {
	k := make([]gate.Key, 3*Functions)
	for i := range k {
		k[i] = Key(i)
	}
	return k
}()

// Of the variance of a function's energy this much is the time's; the rest is the power's.
const timePart = 0.64

// Draw makes the runs of both sides.
func (c Case) Draw(rng *rand.Rand) (old, new []gate.Run) {
	old, new = make([]gate.Run, c.Runs), make([]gate.Run, c.Runs)
	var wander float64
	for i := range c.Runs {
		order := []int{0, 1}
		if rng.IntN(2) == 1 {
			order[0], order[1] = 1, 0
		}
		for at, s := range order {
			drift := 0.0
			if c.Kind == Drift {
				// The wandering is some 10 % over the whole, the trend the rest.
				wander += 0.1 * rng.NormFloat64() / math.Sqrt(float64(2*c.Runs))
				drift = wander + math.Log(1.3)*float64(2*i+at)/float64(2*c.Runs)
			}
			if s == 0 {
				old[i] = c.run(rng, drift, false)
			} else {
				new[i] = c.run(rng, drift, true)
			}
		}
	}
	return old, new
}

// run is one run; drift is added to the logarithms of its times.
func (c Case) run(rng *rand.Rand, drift float64, changed bool) gate.Run {
	sd := math.Sqrt(math.Log1p(c.Noise * c.Noise))
	ofTime, ofPower := sd*math.Sqrt(timePart/2), sd*math.Sqrt((1-timePart)/2)
	slow := drift + ofTime*rng.NormFloat64()
	hot := ofPower * rng.NormFloat64()
	switch {
	case c.Kind == Heavy && rng.IntN(20) == 0:
		slow += math.Log(1.3)
	case c.Kind == Speeds && rng.IntN(2) == 0:
		slow += math.Log(1.1)
	}
	n := Functions
	if c.Kind == Sampled {
		n = len(keys)
	}
	r := gate.Run{Functions: make(map[gate.Key]gate.Amount, n)}
	faster := func(at Where) (time, power float64) {
		if !changed || c.Where != at {
			return 0, 0
		}
		if c.Watts {
			return 0, math.Log1p(c.Change)
		}
		return math.Log1p(c.Change), 0
	}
	allTime, allPower := faster(All)
	for i := range n {
		logTime := slow + allTime + ofTime*rng.NormFloat64()
		logPower := hot + allPower + ofPower*rng.NormFloat64()
		if i == Changed {
			t, p := faster(One)
			logTime, logPower = logTime+t, logPower+p
		}
		if c.Kind == Layouts && rng.IntN(2) == 0 {
			logTime += math.Log(1.1)
		}
		seconds, watts := function(i)
		a := gate.Amount{Seconds: seconds * math.Exp(logTime), Cycles: math.NaN()}
		if c.Kind == Sampled {
			a.Seconds = float64(poisson(rng, a.Seconds*997)) / 997
		}
		a.Joules = a.Seconds * watts * math.Exp(logPower)
		if c.Kind == Rounded {
			a.Seconds, a.Joules = math.Round(a.Seconds/0.01)*0.01, math.Round(a.Joules/0.1)*0.1
		}
		r.Total.Seconds += a.Seconds
		r.Total.Joules += a.Joules
		if a.Seconds > 0 || a.Joules > 0 {
			r.Functions[keys[i]] = a
		}
	}
	// What no function has: a tenth.
	r.Total.Seconds *= 10. / 9
	r.Total.Joules *= 10. / 9
	r.Total.Cycles = math.NaN()
	r.Elapsed = r.Total.Seconds / 2 // on two CPUs
	return r
}

// function is the CPU time and the power of a function: the first ones have some 8 %, the last of Functions 1 %, those
// beyond between half and twice of what is tested.
func function(i int) (seconds, watts float64) {
	watts = 5 + float64(i*7%20)
	if i >= Functions {
		return 0.025 * math.Pow(4, float64(i-Functions)/float64(len(keys)-Functions-1)), watts
	}
	return 10 / float64(i+6), watts
}

// poisson is a Poisson variable: by counting exponential gaps (Knuth), or from its square root where it is large.
func poisson(rng *rand.Rand, mean float64) int {
	if mean > 500 {
		return int(max(0, math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	n := 0
	for t := rng.ExpFloat64(); t < mean; t += rng.ExpFloat64() {
		n++
	}
	return n
}
