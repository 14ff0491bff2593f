// Package attribution turns what an energy counter says and what ran into
// joules per stack. It is pure mathematics: no I/O, no clock, no kernel.
//
// The caller streams two things on one clock, in any interleaving: readings of
// cumulative energy, one series for each (domain, package), and stretches of
// CPU time, each with a key of the caller's (a stack id). Two successive
// readings bound an interval [t0, t1): a stretch belongs to it by the part of
// it that overlaps, as if its weight were spread evenly. When both sides of an
// interval are known, the method shares out its joules and the interval is
// forgotten, so memory grows with the number of keys and not with time.
//
// Whatever the method, the parts of a series (keys, baseline, active, other,
// lost, unattributed, idle) add up to last reading - first reading.
//
// # Methods
//
// regression finds the power of each function, of the package and of an active
// package that explain the energies of all intervals best, by non-negative least
// squares whose total is the counter's. It tells apart what runs at the same time on
// two CPUs, says how sure it is, and says what it cannot tell.
// docs/attribution.md has the mathematics.
//
// auto is regression where it predicts one half of the recording from the other
// better than simpler models do, else proportional.
//
// proportional gives BaselineWatts x time to the baseline and the rest of each
// interval to what ran on the CPUs of the series, by CPU time; an interval in
// which nothing ran is baseline altogether. Without a baseline that is harsh on an
// idle machine: a function that ran for 1 ms of a 10 ms interval at 10 W pays for
// all 0.1 J of it.
//
// share divides each interval by CPU time over all CPUs of the series, running
// or not, as process-level tools do; what no CPU time claims is idle.
//
// The last two assume that a second of CPU time costs the same whoever spends it.
// Two functions that run at the same time on two CPUs of a package and draw 4 W and
// 18 W come out at 11 W each.
package attribution

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Method is the rule by which the joules of an interval are shared out.
type Method string

// The methods; the package comment says what each does and what it assumes.
const (
	Auto         Method = "auto" // Regression where validation supports it, else Proportional
	Regression   Method = "regression"
	Proportional Method = "proportional"
	Share        Method = "share"
)

// Key names who spent CPU time: an id of the caller's from 0 up, dense because
// memory is proportional to the largest, or one of the two reserved keys.
type Key int32

const (
	// KeyOther is CPU time of processes that were not sampled.
	KeyOther Key = -1
	// KeyLost is CPU time whose samples were lost.
	KeyLost Key = -2
)

// keyShift makes every Key an index: KeyLost is slot 0, KeyOther 1, key k is k+2.
const keyShift = 2

// Series is one energy counter: a domain of one package and the CPUs whose
// running it sees. A domain with one counter per core is one Series per core.
type Series struct {
	Domain  string
	Package int
	CPUs    []int
}

func (s Series) String() string { return fmt.Sprintf("%s of package %d", s.Domain, s.Package) }

// Options choose the method.
type Options struct {
	Method Method
	// BaselineWatts is the static power of each series in watts, in the order of
	// the series. nil, or NaN for a series, is to be fitted by a regression and 0
	// for proportional.
	BaselineWatts []float64

	// Counts says that the series count events: wherever this package says joules and watts they are counts and
	// counts per second, but for the notes, which say what they are. Counts that do not depend on what runs are all
	// baseline for auto, where energy is then shared by CPU time.
	Counts bool

	// Sampled is set where the weights are amounts that samples draw, and neither CPU time nor counts that go with it.
	Sampled *Sampled

	// Function tells what the CPU time of a key is spent in, for a regression:
	// a function, and the pool (a binary) in which it is put when it is too rare to
	// have a power of its own. Both count from 0 and should be dense. It is called
	// once per key, in Finish, and before that in recordings that outgrow memory.
	// nil makes every key a function and all of them one pool.
	Function func(Key) (function, pool int32)
	// CoreType is the type of core by CPU number, for machines with several (a
	// function then has a power on each); nil if they are all of one type.
	CoreType []uint8
	// Core is the physical core by CPU number: CPUs of equal numbers are hardware
	// threads of one core. nil makes every CPU a core.
	Core []int32
}

var (
	// ErrUnknownCPU is a stretch on a CPU that no series covers.
	ErrUnknownCPU = errors.New("attribution: no series covers the CPU")
	// ErrLate is a stretch or a reading of a time that is already shared out.
	ErrLate = errors.New("attribution: time already shared out")
)

// maxCPU bounds the table from CPU to series; the largest CONFIG_NR_CPUS that
// Linux accepts is 8192 on x86-64 (arch/x86/Kconfig, MAXSMP) and 4096 on arm64.
const maxCPU = 1 << 16

// Attributor shares out energy as it comes. It is not safe for concurrent use.
type Attributor struct {
	method    Method
	counts    bool       // not joules
	sampled   *Sampled   // nil: the weights are CPU time
	tracks    []*track   // one per series, in the caller's order
	groups    []*group   // series with equal CPUs
	byCPU     [][]*group // the groups that a CPU belongs to
	advanced  int64
	maxKey    Key
	uncovered float64 // ns on CPUs of no series
}

// New checks the series and options and returns an empty Attributor. The CPUs
// of a series must be distinct and not empty, and no CPU may be in two series
// of one domain, since its time would then earn the domain's joules twice.
func New(series []Series, opt Options) (*Attributor, error) {
	switch opt.Method {
	case Auto, Regression, Proportional, Share:
	default:
		return nil, fmt.Errorf("attribution: unknown method %q (%s, %s, %s or %s)", opt.Method, Auto, Regression, Proportional, Share)
	}
	if n := len(opt.BaselineWatts); n != 0 && n != len(series) {
		return nil, fmt.Errorf("attribution: %d baseline watts for %d series", n, len(series))
	}
	if opt.Method == Share && opt.Sampled != nil {
		return nil, fmt.Errorf("attribution: method %s divides by the CPU time that there is, and %s is to share out", Share, opt.Sampled.What)
	}
	a := &Attributor{method: opt.Method, counts: opt.Counts, sampled: opt.Sampled, maxKey: -1}
	owner := map[string]map[int]Series{} // domain -> CPU -> series
	for i, s := range series {
		if owner[s.Domain] == nil {
			owner[s.Domain] = map[int]Series{}
		}
		if len(s.CPUs) == 0 {
			return nil, fmt.Errorf("attribution: series %d (%v) has no CPUs", i, s)
		}
		for _, cpu := range s.CPUs {
			if cpu < 0 || cpu >= maxCPU {
				return nil, fmt.Errorf("attribution: series %d (%v): CPU %d is not in 0-%d", i, s, cpu, maxCPU-1)
			}
			if o, ok := owner[s.Domain][cpu]; ok {
				return nil, fmt.Errorf("attribution: series %d (%v): CPU %d is already in %v", i, s, cpu, o)
			}
			owner[s.Domain][cpu] = s
		}
		watts := math.NaN()
		if len(opt.BaselineWatts) > 0 {
			watts = opt.BaselineWatts[i]
		}
		fitted := math.IsNaN(watts)
		if fitted {
			watts = 0
		}
		if !(watts >= 0) || math.IsInf(watts, 1) {
			return nil, fmt.Errorf("attribution: series %d (%v): baseline of %v W", i, s, watts)
		}
		if watts > 0 && opt.Method == Share {
			return nil, fmt.Errorf("attribution: series %d (%v): method %s has no baseline, got %v W", i, s, Share, watts)
		}
		a.add(s, watts, fitted)
	}
	if opt.Method == Auto || opt.Method == Regression {
		f := newFunctions(&opt)
		for _, g := range a.groups {
			g.history = newHistory(g, f, opt.Core)
		}
	}
	return a, nil
}

// add puts a series in the group of its CPUs.
func (a *Attributor) add(s Series, watts float64, fitted bool) {
	s.CPUs = slices.Sorted(slices.Values(s.CPUs))
	t := &track{Series: s, index: len(a.tracks), watts: watts, fitted: fitted}
	a.tracks = append(a.tracks, t)
	for _, g := range a.groups {
		if slices.Equal(g.tracks[0].CPUs, s.CPUs) {
			g.tracks = append(g.tracks, t)
			return
		}
	}
	g := &group{tracks: []*track{t}}
	a.groups = append(a.groups, g)
	for _, cpu := range s.CPUs {
		if cpu >= len(a.byCPU) {
			a.byCPU = append(a.byCPU, make([][]*group, cpu+1-len(a.byCPU))...)
		}
		a.byCPU[cpu] = append(a.byCPU[cpu], g)
	}
}
