package collect

import (
	"flag"
	"fmt"
	"math"
	"testing"

	"github.com/energyprof/energyprof/report/attribution"
)

var alternatives = flag.Bool("alternatives", false, "TestJoulesOfLoads: other ways to share joules out, as well")

// simCase is a machine whose functions differ in what the sampled loads do not tell.
type simCase struct {
	name string
	simMachine
	// invisible: without the controllers' counts nobody can tell (a function that loads nothing and writes).
	invisible bool
	few       bool // samples: how far off that is, is printed and not held to a limit
}

func simCases() []simCase {
	with := func(functions ...simFunction) simMachine {
		return simMachine{packages: 1, cpus: 4, busy: 0.7, static: 3, period: 4000, jitter: 0.2, functions: functions}
	}
	loads := func(name string, millions float64, part float64, from tier) simFunction {
		return simFunction{name: name, share: 1, loads: millions, tiers: []tier{tierCache, from}, part: []float64{1 - part, part}}
	}
	beside := func(f simFunction, lines float64) simFunction {
		f.beside = lines
		return f
	}
	by := func(f simFunction, in int) simFunction {
		f.in = in
		return f
	}
	cache, stream, chase := loads("cache", 20, 0, tierDRAM), loads("stream", 40, 0.5, tierDRAM), loads("chase", 10, 0.9, tierDRAM)
	cold, far := loads("cold", 10, 0.8, tierPMEM), loads("far", 20, 0.8, tierRemote)
	both := simFunction{name: "both", share: 1, loads: 15, tiers: []tier{tierDRAM, tierPMEM}, part: []float64{0.7, 0.3}}
	fill := loads("fill", 1, 0, tierDRAM)
	fill.writes = 4
	remote := with(cache, stream, far)
	remote.packages = 2
	return []simCase{
		{name: "one tier", simMachine: with(cache, stream, chase)},
		{name: "two tiers", simMachine: with(cache, stream, cold, both)},
		{name: "one prefetches", simMachine: with(cache, beside(stream, 2), chase)},
		{name: "two tiers, one prefetches", simMachine: with(cache, beside(stream, 2), cold, both)},
		{name: "one writes", simMachine: with(cache, stream, fill), invisible: true},
		{name: "remote memory", simMachine: remote},
		{name: "one function, three callers", simMachine: with(loads("copy", 20, 0, tierDRAM), by(loads("recent", 20, 0.1, tierDRAM), 1),
			by(loads("old", 20, 0.8, tierDRAM), 1), by(loads("archive", 20, 0.5, tierPMEM), 1))},
	}
}

// simScore is how far joules are from the truth.
type simScore struct {
	worst float64 // of a function, relative to its joules
	mean  float64 // of all functions, relative to all that was not static
	rest  float64 // of pprofile.Prefetch, likewise
}

func (c *simCase) score(t *testing.T, seed uint64, how string, traffic bool) simScore {
	t.Helper()
	r, _, truth := c.run(t, seed, traffic, func(c *Collector) { shareBy(t, c, how) })
	if _, err := r.Profile(); err != nil { // which adds up all parts
		t.Error(err)
	}
	got := c.joulesOf(r)
	var s simScore
	var beside, dynamic float64
	for f := range c.functions {
		beside += truth.beside[f]
		dynamic += truth.all(f)
	}
	for f := range c.functions {
		want := truth.all(f)
		if traffic {
			want = truth.loads[f]
		}
		off := math.Abs(got[f] - want)
		if want > 0 {
			s.worst = max(s.worst, off/want)
		}
		s.mean += off / dynamic / float64(len(c.functions))
	}
	if traffic {
		s.rest = math.Abs(got[len(c.functions)]-beside) / dynamic
	}
	return s
}

// shareBy makes a collector share joules out in another way than by function and level.
func shareBy(t *testing.T, c *Collector, how string) {
	opt := c.byLoads(attribution.Options{Method: attribution.Auto})
	switch how {
	case "function":
		opt.Function = c.function
	case "level":
		opt.Function = func(k attribution.Key) (function, pool int32) {
			_, level := c.functionAndLevel(k)
			return level, 0
		}
	case "CPU time":
		opt = attribution.Options{Method: attribution.Auto, Function: c.function}
	default:
		return
	}
	s, err := newShared(c.opt.Energy.Domains, nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	c.energy.joules, c.energy.all, c.energy.weighed = s, []*shared{s}, []*shared{s}
	if how == "CPU time" {
		c.energy.timed, c.energy.weighed = c.energy.weighed, nil
	}
}

// Joules of functions against the truth of machines whose memory takes so much for a byte. docs/decisions/dram-weights.md
// has what it prints with -alternatives.
func TestJoulesOfLoads(t *testing.T) {
	const (
		worst = 0.05 // of the joules of a function
		mean  = 0.01 // of all that was not static
	)
	hows, seeds, seconds := []string{"function and level"}, uint64(1), 10. // shorter recordings keep the limits, too
	cases := simCases()
	if *alternatives {
		hows, seeds, seconds = append(hows, "function", "level", "CPU time"), 5, 20
		for _, period := range []uint64{20_000, 200_000} {
			for _, c := range simCases() {
				c.name, c.period, c.few = fmt.Sprintf("%s, 1 in %d", c.name, period), period, true
				cases = append(cases, c)
			}
		}
	}
	for _, c := range cases {
		c.seconds = seconds
		t.Run(c.name, func(t *testing.T) {
			for _, how := range hows {
				for _, traffic := range []bool{false, true} {
					if how == "CPU time" && traffic || c.invisible && !traffic && !*alternatives || c.few && how != hows[0] {
						continue
					}
					var w, m, rest float64
					for seed := range seeds {
						s := c.score(t, seed, how, traffic)
						w, m, rest = max(w, s.worst), max(m, s.mean), max(rest, s.rest)
					}
					t.Logf("| %-27s | %-18s | %-5v | %6.1f %% | %5.1f %% | %4.1f %% |", c.name, how, traffic, 100*w, 100*m, 100*rest)
					if how == hows[0] && !c.few && (!c.invisible || traffic) && (w > worst || m > mean || rest > mean) {
						t.Errorf("controllers counted: %v: a function is off by %.1f %%, all by %.1f %%, the rest by %.1f %%", traffic, 100*w, 100*m, 100*rest)
					}
				}
			}
		})
	}
}
