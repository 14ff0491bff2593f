package simulate

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/energyprof/energyprof/report/attribution"
)

// Normal95 is how many standard deviations a 95 % interval reaches to each side.
const Normal95 = 1.959964

// Oracle is how far an estimator must err that knows what no profiler knows:
// exact run times, the lag, the covariance of the errors, and how the power of a
// function changes with the type of core, the neighbours and the time, by all but
// one factor. They are standard deviations in theory, nothing is estimated. Infinite is what it could not
// tell either.
type Oracle struct {
	Joules   []float64 // by function
	Baseline float64   // W; 0 where it was given
	Active   float64   // W
}

// Oracle is generalised least squares on one series. An interval's error is
// what its energy differs by from the true watts x the sampled CPU time, the
// samples taken around their instants and the readings moved back by the lag:
// so it has the noise of counter, stamp and unit, the chance of sampling, and
// watts that are not constant. Its variance is that of the counter's noise,
// plus a + b x CPU time, fitted, and its correlation is that of neighbours up to
// two intervals away. It is not told which powers are none: it fits that of an
// active package, unless nothing tells that apart from the others. The joules of
// a function are watts x sampled CPU time, so what sampling does to the CPU time
// is added: with a period p, a run of length L is sampled floor(L/p) or one
// more times, a variance of p^2 x f(1-f) where f is the fraction of L/p.
func (tr *Trace) Oracle(series int, staticGiven bool) Oracle {
	truth := &tr.Truth.Series[series]
	readings := tr.Readings[series]
	edges := make([]int64, len(readings))
	for i, r := range readings {
		edges[i] = r.T - int64(tr.Instruments.Lag+tr.Instruments.Grid/2)
	}
	functions, active := tr.Ran(series, edges)
	sampled := tr.sampled(series, edges)
	spent, static := tr.spent(series, edges)
	var terms []int // functions that ran
	for f, t := range truth.Functions {
		if t.Seconds > 0 {
			terms = append(terms, f)
		}
	}
	columns := len(terms)
	baseline := -1
	if !staticGiven {
		baseline = columns
		columns++
	}
	activity := columns // the last, so that it can be left out
	columns++
	activeWatts := truth.Active / max(truth.ActiveSeconds, math.SmallestNonzeroFloat64)
	rows := len(active)
	x := make([][]float64, rows)
	residual, busy, noise := make([]float64, rows), make([]float64, rows), make([]float64, rows)
	for k := range x {
		dt := float64(edges[k+1]-edges[k]) / 1e9
		x[k] = make([]float64, columns)
		residual[k] = readings[k+1].Joules - readings[k].Joules - static[k] - activeWatts*active[k]
		noise[k] = static[k] + activeWatts*active[k]
		for i, f := range terms {
			watts := truth.Functions[f].Joules / truth.Functions[f].Seconds
			if watts > 0 {
				x[k][i] = spent[k][f] / watts
			}
			if functions[k][f] > 0 {
				watts = spent[k][f] / functions[k][f]
			}
			residual[k] -= watts * sampled[k][f]
			busy[k] += functions[k][f]
			noise[k] += spent[k][f]
		}
		noise[k] *= tr.Instruments.Noise
		if baseline >= 0 {
			x[k][baseline] = dt
		}
		x[k][activity] = active[k]
	}
	information := whiten(x, residual, deviations(residual, busy, noise))
	of := covariance(information)
	activeAlone := 1/(of(activity, activity)*information.At(activity, activity)) > alone
	if !activeAlone {
		of = covariance(mat.NewSymDense(activity, corner(information, activity)))
	}
	chance := tr.chance(series)
	o := Oracle{Joules: make([]float64, len(tr.Machine.Functions))}
	for i, f := range terms {
		t := truth.Functions[f]
		o.Joules[f] = math.Hypot(math.Sqrt(of(i, i))*t.Seconds, t.Joules/t.Seconds*chance[f])
		if o.Joules[f] > hopeless*t.Joules {
			o.Joules[f] = math.Inf(1)
		}
	}
	if baseline >= 0 {
		o.Baseline = math.Sqrt(of(baseline, baseline))
	}
	if o.Active = math.Inf(1); activeAlone {
		o.Active = math.Sqrt(of(activity, activity))
	} else if activeWatts > 0 && !staticGiven {
		o.Baseline = math.Inf(1) // it has both
	}
	return o
}

// spent is the energy of each function between the edges, and the static energy.
func (tr *Trace) spent(series int, edges []int64) (functions [][]float64, static []float64) {
	s := tr.Series[series]
	memory := s.Domain == memoryDomain
	p := &tr.Machine.Packages[s.Package]
	var stops []stop
	last := make([]float64, len(tr.Machine.Functions))
	for i, t := range edges {
		stops = append(stops, stop{t, func(mt *meter) {
			mt.edge()
			now := make([]float64, len(last))
			for f := range now {
				sum := mt.truth[f].joules
				if memory {
					sum = mt.truth[f].dram
				}
				now[f], last[f] = sum-last[f], sum
			}
			if i == 0 {
				return
			}
			functions = append(functions, now)
			if memory {
				static = append(static, p.DRAMStatic*float64(t-edges[i-1])/1e9)
			} else {
				static = append(static, p.static(t)-p.static(edges[i-1]))
			}
		}})
	}
	tr.Machine.integrate(p, tr.runs[s.CPUs[0]:s.CPUs[0]+p.CPUs], stops)
	return functions, static
}

// sampled is CPU time by function as the samples have it, each taken around its
// instant; of processes that are not sampled, and of time that is booked as
// lost, it is the exact one.
func (tr *Trace) sampled(series int, edges []int64) [][]float64 {
	out, _ := tr.Ran(series, edges)
	for k := range out {
		for f := range out[k] {
			if !tr.Machine.Functions[f].Other {
				out[k][f] = 0
			}
		}
	}
	mine := make([]bool, len(tr.runs))
	for _, cpu := range tr.Series[series].CPUs {
		mine[cpu] = true
	}
	found := 1.0
	if tr.Instruments.Silent {
		found -= tr.Instruments.Lost
	}
	period := int64(1e9 / tr.Instruments.Hertz)
	next := make([]int, len(tr.runs)) // of the runs
	k := 0
	for _, s := range tr.Stretches {
		if !mine[s.CPU] || s.Key == attribution.KeyOther {
			continue
		}
		from, to := s.Start, s.End
		if half := (to - from) / 2; half <= period {
			from, to = from+half, to+half // a sample; a stretch without samples is where it is
		}
		for k > 0 && edges[k] > from {
			k--
		}
		if s.Key != attribution.KeyLost {
			k = split(edges, k, from, to, func(k int, seconds float64) { out[k][s.Key] += seconds / found })
			continue
		}
		runs := tr.runs[s.CPU]
		i := next[s.CPU]
		for i < len(runs) && runs[i].to <= from {
			i++
		}
		next[s.CPU] = i
		for ; i < len(runs) && runs[i].from < to; i++ {
			if f := runs[i].function; !tr.Machine.Functions[f].Other {
				split(edges, k, max(from, runs[i].from), min(to, runs[i].to), func(k int, seconds float64) { out[k][f] += seconds })
			}
		}
	}
	return out
}

// chance is the standard deviation of the sampled CPU time of each function.
func (tr *Trace) chance(series int) []float64 {
	period := 1e9 / tr.Instruments.Hertz
	variance := make([]float64, len(tr.Machine.Functions))
	alternate := tr.Machine.alternates()
	from, to := tr.span()
	for _, cpu := range tr.Series[series].CPUs {
		for _, r := range tr.runs[cpu] {
			if tr.Machine.Functions[r.function].Other {
				continue
			}
			if n := min(r.to, to) - max(r.from, from); n > 0 {
				whole := float64(n) / period
				f := whole - math.Floor(whole)
				if a, ok := alternate[r.function]; ok { // every sample is a throw of dice
					variance[r.function] += whole*a.Part*(1-a.Part) + (1-a.Part)*(1-a.Part)*f*(1-f)
					variance[a.With] += whole*a.Part*(1-a.Part) + a.Part*a.Part*f*(1-f)
					continue
				}
				variance[r.function] += f * (1 - f)
			}
		}
	}
	for i, v := range variance {
		variance[i] = math.Sqrt(v) * period / 1e9
	}
	return variance
}
