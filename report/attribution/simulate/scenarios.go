package simulate

import (
	"math/rand/v2"
	"time"
)

// Scenario is a kind of machine and instruments; a seed gives one of the kind.
type Scenario struct {
	Name string
	// Claimed is whether a method that fits watts to intervals claims that its
	// confidence intervals hold here.
	Claimed bool
	Make    func(rng *rand.Rand) (Machine, Instruments)
	// StaticGiven is whether the method is told the static power.
	StaticGiven bool
}

// Record makes the machine of a seed and records it.
func (s *Scenario) Record(seed uint64) (*Trace, error) {
	m, in := s.Make(rand.New(rand.NewPCG(seed, 0x5ce7a210)))
	return Record(m, in, seed)
}

func between(rng *rand.Rand, low, high float64) float64 { return low + (high-low)*rng.Float64() }

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// functions are n of 2 to 20 W with bursts of 2 to 30 ms and shares of the time
// that differ by up to 3.
func functions(rng *rand.Rand, n int) []Function {
	fs := make([]Function, n)
	for i := range fs {
		fs[i] = Function{
			Watts: between(rng, 2, 20), Share: between(rng, 1, 3),
			Burst: time.Duration(between(rng, 2, 30) * float64(time.Millisecond)),
		}
	}
	return fs
}

func packages(n int, p Package) []Package {
	out := make([]Package, n)
	for i := range out {
		out[i] = p
	}
	return out
}

// MachineA is 5 to 10 functions of 2 to 20 W on 4 to 16 CPUs of one or two
// packages that are busy for 80 % of the time.
func MachineA(rng *rand.Rand) Machine {
	n := pick(rng, 1, 2)
	cpus := pick(rng, 4, 8, 16)
	return Machine{
		Packages:  packages(n, Package{CPUs: cpus / n, Busy: 0.8, Static: between(rng, 5, 20)}),
		Functions: functions(rng, 5+rng.IntN(6)),
	}
}

// MachineB is 4 to 8 functions on 4 CPUs with 10 W of static power and 10 W more
// while any CPU runs, busy for the given share of the time.
func MachineB(rng *rand.Rand, busy float64) Machine {
	return Machine{
		Packages:  []Package{{CPUs: 4, Busy: busy, Static: 10, Active: 10}},
		Functions: functions(rng, 4+rng.IntN(5)),
	}
}
