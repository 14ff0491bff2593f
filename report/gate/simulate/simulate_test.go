package simulate

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

const times = 100

// What of times checks happens more often has a probability of 1 in 1,000 if each is 1 %: the binomial distribution.
const most = 5

func must(t *testing.T) func(Score, error) Score {
	return func(s Score, err error) Score {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// A short form of the command accuracy: no change, no names, and intervals that have it.
func TestNoChange(t *testing.T) {
	covered := int(times * (0.95 - 4*math.Sqrt(0.95*0.05/times)))
	for kind := Normal; kind <= Speeds; kind++ {
		for _, c := range []Case{{Kind: kind, Noise: 0.01, Runs: 3}, {Kind: kind, Noise: 0.05, Runs: 5}, {Kind: kind, Noise: 0.3, Runs: 10}} {
			if s := must(t)(c.Check(0, times, runtime.NumCPU(), 1)); s.Any > most {
				t.Errorf("%v: %d of %d checks fail or name a function, want at most %d", c, s.Any, s.Of, most)
			}
			s := must(t)(c.Compare(times, runtime.NumCPU(), 2))
			if s.Any > most {
				t.Errorf("%v: %d of %d comparisons name something, want at most %d", c, s.Any, s.Of, most)
			}
			if s.Covered < covered {
				t.Errorf("%v: %d of %d intervals of the total's energy have 0, want %d", c, s.Covered, s.Of, covered)
			}
		}
	}
}

// A change of the size that is printed is found: of times less than 95 % - 4 sd have a probability below 1 in 10,000.
func TestDetectable(t *testing.T) {
	least := int(times * (0.95 - 4*math.Sqrt(0.95*0.05/times)))
	for _, c := range []Case{{Noise: 0.05, Runs: 3}, {Noise: 0.3, Runs: 5}, {Noise: 0.01, Runs: 20}, {Kind: Drift, Noise: 0.05, Runs: 10}} {
		if s := must(t)(c.Detectable(times, runtime.NumCPU(), 3)); s.Found < least || s.Named < least {
			t.Errorf("%v: of %d detectable changes %d of the total and %d of a function are found, want %d", c, s.Of, s.Found, s.Named, least)
		}
	}
}

// Too few runs decide nothing, and what is above the limit does not pass; the runs that are planned find it.
func TestLimit(t *testing.T) {
	for _, change := range []float64{0.05, 0.1} {
		for _, n := range []int{3, 10} {
			c := Case{Noise: 0.05, Runs: n, Where: All, Change: change}
			if s := must(t)(c.Check(0.05, times, runtime.NumCPU(), 4)); s.Pass > most {
				t.Errorf("%v: %d of %d checks pass a limit of +5 %%", c, s.Pass, s.Of)
			}
		}
	}
	p := Planned{Noise: 0.05, Change: 0.1, Limit: 0.05, Functions: 1}
	n, err := p.Runs()
	if err != nil {
		t.Fatal(err)
	}
	if s := must(t)(p.Score(n, times, runtime.NumCPU(), 5)); s.Fail < times*9/10 {
		t.Errorf("%d runs: %d of %d checks fail, want 95 %%", n, s.Fail, s.Of)
	}
	if s := must(t)(p.Score(n/4, times, runtime.NumCPU(), 6)); s.Pass > most || s.Fail > times/2 {
		t.Errorf("%d runs: %d of %d checks fail and %d pass, want most undecided", n/4, s.Fail, s.Of, s.Pass)
	}
}

// A function whose power changes is named, and why.
func TestCause(t *testing.T) {
	for _, watts := range []bool{false, true} {
		c := Case{Noise: 0.05, Runs: 20, Where: One, Change: 0.3, Watts: watts}
		s := must(t)(c.Compare(times, runtime.NumCPU(), 7))
		if s.Found < times*99/100 || s.Because < times*95/100 || s.Names > most {
			t.Errorf("power %v: of %d comparisons %d find the function, %d the cause, %d name others", watts, s.Of, s.Found, s.Because, s.Names)
		}
	}
}

// The programs are as noisy as they say.
func TestNoise(t *testing.T) {
	c := Case{Noise: 0.2, Runs: 4000}
	old, _ := c.Draw(rand.New(rand.NewPCG(8, 0)))
	var sum, squares float64
	for _, r := range old {
		j := r.Functions[Key(3)].Joules
		sum += j
		squares += j * j
	}
	n := float64(len(old))
	mean := sum / n
	if sd := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(sd-c.Noise) > 0.01 {
		t.Errorf("a function's energy has a relative standard deviation of %v, want %v", sd, c.Noise)
	}
	if got := poisson(rand.New(rand.NewPCG(9, 0)), 0); got != 0 {
		t.Errorf("a Poisson variable of mean 0 is %d", got)
	}
}
