package simulate

import (
	"cmp"
	"math"
	"slices"

	"github.com/energyprof/energyprof/report/attribution"
)

// Options is what an attributor should know of the machine: functions, pools,
// cores and their types. Method and static power are for the caller to add.
func (tr *Trace) Options(method attribution.Method) attribution.Options {
	opt := attribution.Options{Method: method, Function: tr.Function}
	cpu := 0
	var typed, siblings bool
	for i := range tr.Machine.Packages {
		typed = typed || tr.Machine.Packages[i].Types != nil
		siblings = siblings || tr.Machine.Packages[i].Siblings
	}
	for i := range tr.Machine.Packages {
		p := &tr.Machine.Packages[i]
		for c := range p.CPUs {
			if typed {
				var t uint8
				if p.Types != nil {
					t = p.Types[c]
				}
				opt.CoreType = append(opt.CoreType, t)
			}
			if siblings {
				core := int32(cpu)
				if p.Siblings {
					core -= int32(c % 2)
				}
				opt.Core = append(opt.Core, core)
			}
			cpu++
		}
	}
	return opt
}

// Attribute plays the recording to an attributor.
func (tr *Trace) Attribute(opt attribution.Options) (*attribution.Result, error) {
	a, err := attribution.New(tr.Series, opt)
	if err != nil {
		return nil, err
	}
	if err := tr.Play(a); err != nil {
		return nil, err
	}
	return a.Finish(), nil
}

// Joules is what a result gives each function in the series of a domain.
func (tr *Trace) Joules(r *attribution.Result, domain string) []float64 {
	out := make([]float64, len(tr.Machine.Functions))
	for _, s := range r.Series {
		if s.Domain != domain {
			continue
		}
		for f := range min(len(out), len(s.ByKey)) {
			out[f] += s.ByKey[f]
		}
	}
	return out
}

// Known is the true joules of each function in a domain, less those of CPU time
// whose samples were lost, for they are known to be lost; share is its part of
// the CPU time of all functions that are sampled. Functions that are not
// sampled have a share of 0.
func (tr *Trace) Known(domain string) (joules, seconds, share []float64) {
	n := len(tr.Machine.Functions)
	joules, seconds, share = make([]float64, n), make([]float64, n), make([]float64, n)
	var all float64
	for i, s := range tr.Truth.Series {
		if tr.Series[i].Domain != domain {
			continue
		}
		for f, t := range s.Functions {
			joules[f] += t.known()
			seconds[f] += t.Seconds
			if !tr.Machine.Functions[f].Other {
				share[f] += t.Seconds
				all += t.Seconds
			}
		}
	}
	for f := range share {
		share[f] /= max(all, math.SmallestNonzeroFloat64)
	}
	return joules, seconds, share
}

// known is the joules that are not lost.
func (t FunctionTruth) known() float64 {
	if t.Seconds == 0 {
		return 0
	}
	return t.Joules * (1 - min(1, t.LostSeconds/t.Seconds))
}

// Errors are the relative errors of the joules of functions, above 0 where they
// are too large, of those with a share of the CPU time of at least minShare, and
// joules at all. Joules that are NaN are left out.
func (tr *Trace) Errors(joules []float64, domain string, minShare float64) []float64 {
	truth, _, share := tr.Known(domain)
	var out []float64
	for f, j := range joules {
		if share[f] >= minShare && truth[f] > 0 && !math.IsNaN(j) {
			out = append(out, (j-truth[f])/truth[f])
		}
	}
	return out
}

// Scaled is joules times the one factor that brings them nearest to the truth:
// what is left of the error when static power is no question.
func (tr *Trace) Scaled(joules []float64, domain string) []float64 {
	truth, _, share := tr.Known(domain)
	var num, den float64
	for f, j := range joules {
		if share[f] > 0 && truth[f] > 0 && !math.IsNaN(j) {
			num += j / truth[f] * share[f]
			den += j * j / (truth[f] * truth[f]) * share[f]
		}
	}
	out := slices.Clone(joules)
	if den > 0 {
		for f := range out {
			out[f] *= num / den
		}
	}
	return out
}

// Interval is a confidence interval and the truth, of one function in one
// series, or of one group of functions.
type Interval struct {
	Truth, Low, High float64 // J
	Seconds          float64 // CPU time
	Share            float64 // of the CPU time of the series' sampled functions
	Oracle           float64 // J, standard deviation; 0 of a group
	Functions        []int   // one, or those of the group
}

func (iv Interval) has(function int) bool { return slices.Contains(iv.Functions, function) }

// Inside tells whether the interval has the truth.
func (iv Interval) Inside() bool { return iv.Low <= iv.Truth && iv.Truth <= iv.High }

// Intervals are the confidence intervals of a regression in a domain. Functions that are
// not told apart make one interval, that of their group.
func (tr *Trace) Intervals(r *attribution.Result, domain string, oracle func(series int) Oracle) []Interval {
	var out []Interval
	for i, s := range r.Series {
		if s.Functions == nil || s.Domain != domain {
			continue
		}
		var all float64
		groups := map[int32]*Interval{}
		var order []int32
		first := len(out)
		o := oracle(i)
		for f, p := range s.Functions {
			truth := tr.Truth.Series[i].Functions[f]
			if tr.Machine.Functions[f].Other || truth.Seconds == 0 {
				continue
			}
			all += truth.Seconds
			iv := Interval{Truth: truth.known(), Low: p.Low, High: p.High, Seconds: truth.Seconds, Functions: []int{f}}
			if p.Group < 0 {
				iv.Oracle = o.Joules[f]
				out = append(out, iv)
				continue
			}
			g := groups[p.Group]
			if g == nil {
				g = &Interval{}
				groups[p.Group] = g
				order = append(order, p.Group)
			}
			g.Truth += iv.Truth
			g.Low += iv.Low
			g.High += iv.High
			g.Seconds += iv.Seconds
			g.Functions = append(g.Functions, f)
		}
		for _, id := range order {
			out = append(out, *groups[id])
		}
		for k := range out[first:] {
			out[first+k].Share = out[first+k].Seconds / all
		}
	}
	return out
}

// quantile is the value at a share q of the sorted values.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Clone(v)
	slices.SortFunc(v, cmp.Compare[float64])
	return v[min(len(v)-1, int(q*float64(len(v))))]
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return sum(v) / float64(len(v))
}

func absolute(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.Abs(x)
	}
	return out
}

func largest(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return slices.Max(v)
}
