// Package simulate makes recordings of machines whose watts per function are
// known: the truth that no real machine tells, for judging methods that turn
// energy counters and samples into joules per function. It is pure: no I/O, no
// clock, and the same machine, instruments and seed give the same recording.
//
// A Machine is packages of CPUs that run functions by chance, each with its own
// watts. Instruments are the energy counters and the sampling clock, with what
// is wrong with them: lag, unit, noise, jitter, losses. Record runs both and
// returns a Trace: the readings and the stretches of CPU time that a profiler
// would have seen, and the Truth. Play gives the trace to an
// attribution.Attributor; several methods can be given the same trace, and so
// can one that is not of this module.
//
// The truth is integrated from event to event, not in steps of time: it is
// exact but for rounding, and its parts add up to the energy that went through
// the counters (which then read it late and with errors).
//
// # Judging
//
// Known and Errors hold joules by function against the truth, Intervals the
// confidence intervals of a regression. Formulas are what other tools would say
// of the same trace, and Oracle is how far anybody must err. Scenarios are many
// kinds of machines, and Evaluate runs one with many seeds; the command
// simulate/accuracy does so with all of them and writes docs/accuracy.md.
//
// # Power
//
// At any instant a package draws
//
//	P = static x drift(t) + active x [any CPU runs] + crowd(n) x sum over cores of core
//
// where a core with one busy CPU draws what the function on it draws, times the
// factor of the core's type, and a core with two busy hyperthreads the sum of
// both times Package.Shared; crowd is 1 + Crowding x (n-1)/(N-1) with n of N CPUs
// busy, for neighbours that heat or slow each other. Its memory draws a static
// power and the functions' own.
package simulate

import (
	"errors"
	"fmt"
	"time"
)

// Machine is what draws power.
type Machine struct {
	Packages  []Package
	Functions []Function
	// IdleBurst is the mean length of one choice of idleness; 0 is 5 ms.
	IdleBurst time.Duration
	// Phases follow each other, the first again after the last. Nil: all the time alike.
	Phases      []Phase
	Alternating []Alternating
	Together    []Together
}

// Package is one processor package and the memory behind it. Its CPUs are
// numbered on from those of the package before.
type Package struct {
	CPUs int
	// Busy is the share of time that each CPU runs, 0 to 1; BusyCPU by CPU of
	// the package overrides it.
	Busy    float64
	BusyCPU []float64

	Static     float64 // W, always
	Active     float64 // W, while any of the CPUs runs
	DRAMStatic float64 // W of the memory, always

	// Siblings makes CPUs 2i and 2i+1 hyperthreads of one core. When both run,
	// each draws Shared (0 to 1) of its function's watts.
	Siblings bool
	Shared   float64

	// Types are the types of core by CPU of the package, indices of TypeWatts,
	// the factors on the watts of functions. Nil: all of factor 1.
	Types     []uint8
	TypeWatts []float64

	// Crowding is by what part the watts of functions change when all CPUs of
	// the package run, in proportion to those that do: above 0 where voltage or
	// heat rise, below 0 where the clock falls.
	Crowding float64

	// Drift is by what part the static power grows as the package warms up:
	// static x (1 + Drift x (1 - exp(-t/DriftTime))).
	Drift     float64
	DriftTime time.Duration
}

// Function is what the CPUs run.
type Function struct {
	Watts     float64       // per second on a CPU
	DRAMWatts float64       // in the memory of the package, per second on a CPU
	Share     float64       // of the CPU time, beside the other functions
	Burst     time.Duration // mean length of a run, exponentially distributed; 0 is 5 ms
	CPUs      []int         // where it may run; nil: everywhere
	// Other makes it a process that is not sampled: the profiler sees only that
	// something ran, exactly (attribution.KeyOther).
	Other bool
	// Pool is what Trace.Function gives beside the id: the binary.
	Pool int32
}

// Phase is a part of the recording in which the mix is another.
type Phase struct {
	Length time.Duration
	Busy   float64   // factor on the CPUs' busy shares; 1 leaves them
	Watts  []float64 // factors on the watts by function; nil: 1
	Share  []float64 // shares by function in place of their own; nil: their own
}

// Alternating is two functions that take turns at microseconds: a run of Of is
// a run of both, With having Part (0 to 1) of its time. Both have the watts of
// their own. Give With a share of 0 so that it does not run by itself.
type Alternating struct {
	Of, With int
	Part     float64
}

// Together binds CPU Beside to another CPU of its package: it runs With[f]
// exactly while that one runs f, and idles otherwise.
type Together struct {
	CPU, Beside int
	With        map[int]int
}

const defaultBurst = 5 * time.Millisecond

// ErrInvalid is a machine or instruments that make no sense; the error says
// what of them.
var ErrInvalid = errors.New("simulate: invalid")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// CPUs is the number of CPUs of all packages.
func (m *Machine) CPUs() int {
	n := 0
	for i := range m.Packages {
		n += m.Packages[i].CPUs
	}
	return n
}

func (m *Machine) check() error {
	if len(m.Packages) == 0 || len(m.Functions) == 0 {
		return invalid("%d packages and %d functions", len(m.Packages), len(m.Functions))
	}
	for i := range m.Packages {
		if err := m.Packages[i].check(); err != nil {
			return fmt.Errorf("%w (package %d)", err, i)
		}
	}
	cpus := m.CPUs()
	for i, f := range m.Functions {
		if !(f.Watts >= 0 && f.DRAMWatts >= 0 && f.Share >= 0 && f.Burst >= 0) {
			return invalid("function %d: %v W, %v W of memory, share %v, bursts of %v", i, f.Watts, f.DRAMWatts, f.Share, f.Burst)
		}
		for _, cpu := range f.CPUs {
			if cpu < 0 || cpu >= cpus {
				return invalid("function %d on CPU %d of %d", i, cpu, cpus)
			}
		}
	}
	for i, p := range m.Phases {
		if p.Length <= 0 || !(p.Busy >= 0) ||
			(p.Watts != nil && len(p.Watts) != len(m.Functions)) || (p.Share != nil && len(p.Share) != len(m.Functions)) {
			return invalid("phase %d of %v, busy factor %v, %d watts and %d shares for %d functions",
				i, p.Length, p.Busy, len(p.Watts), len(p.Share), len(m.Functions))
		}
	}
	function := func(f int) bool { return f >= 0 && f < len(m.Functions) }
	for _, a := range m.Alternating {
		if !function(a.Of) || !function(a.With) || a.Of == a.With || !(a.Part >= 0 && a.Part <= 1) ||
			m.Functions[a.Of].Other || m.Functions[a.With].Other {
			return invalid("function %d alternates with %d for %v of its time", a.Of, a.With, a.Part)
		}
	}
	for _, t := range m.Together {
		if t.CPU < 0 || t.CPU >= cpus || t.Beside < 0 || t.Beside >= cpus || t.CPU == t.Beside {
			return invalid("CPU %d beside CPU %d of %d", t.Beside, t.CPU, cpus)
		}
		for f, with := range t.With {
			if !function(f) || !function(with) {
				return invalid("function %d beside function %d", with, f)
			}
		}
	}
	return nil
}

func (p *Package) check() error {
	switch {
	case p.CPUs < 1:
		return invalid("%d CPUs", p.CPUs)
	case !(p.Busy >= 0 && p.Busy <= 1), p.BusyCPU != nil && len(p.BusyCPU) != p.CPUs:
		return invalid("busy %v, and of %d of %d CPUs", p.Busy, len(p.BusyCPU), p.CPUs)
	case !(p.Static >= 0 && p.Active >= 0 && p.DRAMStatic >= 0):
		return invalid("%v W static, %v W active, %v W of memory", p.Static, p.Active, p.DRAMStatic)
	case p.Siblings && (p.CPUs%2 != 0 || !(p.Shared >= 0)):
		return invalid("%d CPUs in pairs that draw %v of their sum", p.CPUs, p.Shared)
	case p.Types != nil && len(p.Types) != p.CPUs:
		return invalid("types of %d of %d CPUs", len(p.Types), p.CPUs)
	case !(p.Crowding > -1):
		return invalid("crowding %v", p.Crowding)
	case p.Drift != 0 && (p.DriftTime <= 0 || !(p.Drift > -1)):
		return invalid("drift %v in %v", p.Drift, p.DriftTime)
	}
	for _, busy := range p.BusyCPU {
		if !(busy >= 0 && busy <= 1) {
			return invalid("a CPU busy for %v of the time", busy)
		}
	}
	for _, t := range p.Types {
		if int(t) >= len(p.TypeWatts) || !(p.TypeWatts[t] >= 0) {
			return invalid("core type %d with factors %v", t, p.TypeWatts)
		}
	}
	return nil
}
