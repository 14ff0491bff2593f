package gate

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// quantities are the sides of what is known of a run or a function.
type quantities map[Quantity]sides

// amounts are those of a run or of a function in it.
type amounts struct {
	Amount
	elapsed float64 // 0: not known, or a function
}

// of is a quantity of a run or a function. NaN: not known.
func (a amounts) of(q Quantity) float64 {
	switch q {
	case Energy:
		return a.Joules
	case Time:
		return a.Seconds
	case Elapsed:
		return a.elapsed
	case Cycles:
		return a.Cycles
	}
	return math.NaN() // Power is made of the others
}

// logarithms are those of a quantity, nil if it is not known in all runs. A zero stands for less than what can be seen and
// gets least, the least amount that was seen; nil without one.
func logarithms(runs []amounts, q Quantity, least float64) []float64 {
	logs := make([]float64, len(runs))
	for i, r := range runs {
		v := r.of(q)
		if v == 0 {
			v = least
		}
		if !(v > 0) || math.IsInf(v, 1) {
			return nil
		}
		logs[i] = math.Log(v)
	}
	return logs
}

// totals are the sides of the runs' totals.
func totals(old, new []Run, energy bool) quantities {
	q := quantities{}
	all := func(runs []Run) []amounts {
		a := make([]amounts, len(runs))
		for i, r := range runs {
			a[i] = amounts{r.Total, r.Elapsed}
		}
		return a
	}
	q.add(all(old), all(new), energy, [Cycles + 1]float64{})
	return q
}

// add puts in what is known on both sides. least has the least amount seen of each quantity.
func (q quantities) add(old, new []amounts, energy bool, least [Cycles + 1]float64) {
	for _, what := range []Quantity{Energy, Time, Elapsed, Cycles} {
		o, n := logarithms(old, what, least[what]), logarithms(new, what, least[what])
		if o != nil && n != nil && (energy || what != Energy) {
			q[what] = sides{o, n}
		}
	}
	e, t := q[Energy], q[Elapsed]
	if t.old == nil { // a function
		t = q[Time]
	}
	if e.old != nil && t.old != nil {
		q[Power] = sides{minus(e.old, t.old), minus(e.new, t.new)}
	}
}

func minus(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// function is what is known of a function of both sides.
type function struct {
	Key
	quantities
}

// functions are those of both sides: which are tested, which only one side has, and how many are left out.
type functions struct {
	tested         []function
	small          int
	added, removed []Single
}

// match brings the functions of the two sides together.
func match(old, new []Run, opt *Options) functions {
	var f functions
	keys := map[Key]bool{}
	for _, runs := range [][]Run{old, new} {
		for _, r := range runs {
			for k := range r.Functions {
				keys[k] = true
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), compareKeys) {
		o, n := side(old, k), side(new, k)
		mo, mn := average(o), average(n)
		seenOld, seenNew := seen(o), seen(n)
		if seenOld == 0 || seenNew == 0 {
			s := Single{Key: k, Amount: mo}
			if seenOld == 0 {
				s.Amount = mn
			}
			switch {
			case seenOld+seenNew == 0:
			case !opt.large(s.Amount):
				f.small++
			case seenOld == 0:
				f.added = append(f.added, s)
			default:
				f.removed = append(f.removed, s)
			}
			continue
		}
		// By the mean of the two sides, which says nothing of their difference: a choice by the larger one would be a
		// choice of those that differ by chance.
		both := Amount{Seconds: (mo.Seconds + mn.Seconds) / 2, Joules: (mo.Joules + mn.Joules) / 2}
		// What comes and goes from run to run on both sides has no noise that could be estimated from few runs.
		if !opt.large(both) || seenOld < len(o) && seenNew < len(n) {
			f.small++
			continue
		}
		q := quantities{}
		q.add(o, n, opt.Energy, least(o, n))
		if len(q) > 0 {
			f.tested = append(f.tested, function{k, q})
		}
	}
	sortSingles(f.added, opt.Energy)
	sortSingles(f.removed, opt.Energy)
	rename(f.removed, f.added, opt.Energy)
	return f
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Library, b.Library))
}

// large says that a function takes what is asked for.
func (o *Options) large(a Amount) bool {
	return a.Seconds >= o.MinSeconds || o.Energy && a.Joules >= o.MinJoules
}

func side(runs []Run, k Key) []amounts {
	a := make([]amounts, len(runs))
	for i, r := range runs {
		a[i].Amount = r.Functions[k]
	}
	return a
}

func average(a []amounts) Amount {
	var m Amount
	for _, v := range a {
		m.Seconds += v.Seconds / float64(len(a))
		m.Joules += v.Joules / float64(len(a))
		m.Cycles += v.Cycles / float64(len(a))
	}
	return m
}

// seen is in how many runs there was anything of it.
func seen(a []amounts) int {
	n := 0
	for _, v := range a {
		if v.Seconds > 0 || v.Joules > 0 {
			n++
		}
	}
	return n
}

// least is the least amount above 0 of each quantity; 0 where a side has none at all.
func least(old, new []amounts) [Cycles + 1]float64 {
	var least [Cycles + 1]float64
	for q := range least {
		m := [2]float64{math.Inf(1), math.Inf(1)}
		for i, a := range [][]amounts{old, new} {
			for _, v := range a {
				if x := v.of(Quantity(q)); x > 0 {
					m[i] = min(m[i], x)
				}
			}
		}
		if !math.IsInf(max(m[0], m[1]), 1) {
			least[q] = min(m[0], m[1])
		}
	}
	return least
}
