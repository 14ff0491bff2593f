package attribution

import (
	"math"
	"slices"
)

// outcome hands the joules of a solved series out.
type outcome struct {
	*identified
	series    *seriesHistory
	functions *functions
	unit      []float64 // CPU seconds by unit, as the keys have it
	counted   []float64 // by unit: what one of its seconds counts (see company)
	sums      []float64 // counted seconds of functions by term
	all       float64   // counted seconds of all functions
	other     float64   // s
	lost      float64   // s, in the mixture of all functions
	lostIn    []float64 // s by term, in its functions
	sd        []float64 // standard error of the joules by term
}

func newOutcome(id *identified, s *seriesHistory, f *functions) *outcome {
	o := &outcome{identified: id, series: s, functions: f, sd: id.errors()}
	o.unit, o.counted, o.sums = make([]float64, f.units()), make([]float64, f.units()), make([]float64, id.problem.n)
	ns, shared, crowd := make([]float64, f.units()), make([]float64, f.units()), make([]float64, f.units())
	for _, e := range s.rows.entries {
		ns[e.unit] += float64(e.ns)
		shared[e.unit] += float64(e.shared)
		crowd[e.unit] += float64(e.crowd)
	}
	for u := range o.counted {
		o.counted[u] = 1
		if ns[u] > 0 {
			o.counted[u] = id.model.company.counted(ns[u], shared[u], crowd[u]) / ns[u]
		}
	}
	o.lostIn = make([]float64, id.problem.n)
	for u, ns := range s.cut.lost {
		if t := id.model.terms.unit[u]; t != none {
			o.lostIn[t] += ns * 1e-9
			o.lost -= ns * 1e-9
		}
	}
	o.eachKey(func(key Key, u int32, s float64) {
		switch key {
		case KeyOther:
			o.other += s
		case KeyLost:
			o.lost += s
		default:
			o.unit[u] += s
			if t := id.model.terms.unit[u]; t != none {
				o.sums[t] += s * o.counted[u]
				o.all += s * o.counted[u]
			}
		}
	})
	for _, s := range o.lostIn {
		o.all += s
	}
	return o
}

// eachKey calls with the CPU seconds of each key on each type of core.
func (o *outcome) eachKey(call func(key Key, unit int32, seconds float64)) {
	types := int(o.functions.types)
	for i, ns := range o.series.cut.keyWeight {
		if ns == 0 {
			continue
		}
		key := Key(i/types - keyShift)
		unit := int32(none)
		if key >= 0 {
			unit = o.functions.of(key)*o.functions.types + int32(i%types)
		}
		call(key, unit, ns*1e-9)
	}
}

// parts is how the joules of a term are divided: to its functions by the counted
// second, to lost time and to others. whole is the counted seconds of all three.
func (o *outcome) parts(term int) (whole, perSecond, lost, other float64) {
	t := &o.model.terms
	joules := o.joules[term]
	lostHere := o.lostIn[term]
	if t.lost == term {
		lostHere += max(0, o.lost)
	} else if t.lost == none && o.all > 0 {
		lostHere += max(0, o.lost) * (o.sums[term] + lostHere) / o.all
	}
	otherHere := 0.0
	if t.other == term {
		otherHere = o.other
	}
	whole = o.sums[term] + lostHere + otherHere
	if whole <= 0 {
		return 0, 0, 0, 0
	}
	return whole, joules / whole, joules * lostHere / whole, joules * otherHere / whole
}

// result is the series, shared out.
func (o *outcome) result(keys int) SeriesResult {
	t := &o.model.terms
	r := o.series.track.result(keys)
	clear(r.ByKey)
	span := o.problem.span
	r.Baseline = o.model.watts * span
	r.Active, r.Other, r.Lost, r.Idle, r.Unattributed = 0, 0, 0, 0, 0
	rates, wholes := make([]float64, o.problem.n), make([]float64, o.problem.n)
	for j := range o.problem.n {
		switch j {
		case t.base:
			r.Baseline += o.joules[j]
		case t.active:
			r.Active = o.joules[j]
			if s := o.problem.total[j]; s > 0 {
				r.ActiveWatts = r.Active / s
			}
		default:
			var lost, other float64
			wholes[j], rates[j], lost, other = o.parts(j)
			r.Lost += lost
			r.Other += other
			if wholes[j] == 0 {
				r.Unattributed += o.joules[j]
			}
		}
	}
	r.BaselineFitted = t.base != none
	if span > 0 {
		r.BaselineWatts = r.Baseline / span
	}
	o.eachKey(func(key Key, u int32, s float64) {
		if key >= 0 && t.unit[u] != none {
			r.ByKey[key] += s * o.counted[u] * rates[t.unit[u]]
		}
	})
	r.Functions = o.powers(rates, wholes, r.Joules)
	return r
}

// portion is the part of a term's joules that is a function's.
type portion struct {
	term    int32
	seconds float64
	part    float64
}

// portions appends those of a function: one for each term that its units on types of
// core have.
func (o *outcome) portions(list []portion, f int, wholes []float64) []portion {
	types := int(o.functions.types)
	for u := f * types; u < (f+1)*types; u++ {
		term := o.model.terms.unit[u]
		if o.unit[u] == 0 || term == none {
			continue
		}
		i := slices.IndexFunc(list, func(p portion) bool { return p.term == term })
		if i < 0 {
			i, list = len(list), append(list, portion{term: term})
		}
		list[i].seconds += o.unit[u]
		if wholes[term] > 0 {
			list[i].part += o.unit[u] * o.counted[u] / wholes[term]
		}
	}
	return list
}

// powers is what is known of each function, of all joules of the series.
func (o *outcome) powers(rates, wholes []float64, all float64) []FunctionPower {
	t := &o.model.terms
	members := make([]int, o.problem.n) // functions by term
	if t.other != none {
		members[t.other]++
	}
	if t.lost != none {
		members[t.lost]++
	}
	powers := make([]FunctionPower, len(o.functions.pools))
	var list []portion
	for f := range powers {
		list = o.portions(list[:0], f, wholes)
		for _, p := range list {
			members[p.term]++
		}
	}
	for f := range powers {
		p := &powers[f]
		p.Group = none
		var variance float64
		list = o.portions(list[:0], f, wholes)
		for _, m := range list {
			p.Seconds += m.seconds
			p.Joules += m.part * wholes[m.term] * rates[m.term]
			if members[m.term] > 1 {
				p.Group = m.term
			}
			// The error of the power, and that of the seconds.
			e, ofSeconds := o.sd[m.term], o.joules[m.term]*math.Sqrt(o.problem.noise.At(int(m.term), int(m.term)))
			if m.part > 0 {
				variance += m.part * m.part * (e*e + ofSeconds*ofSeconds)
			}
		}
		half := halfWidth * math.Sqrt(variance)
		// Few intervals do not tell how large an error is (see freedom). No function
		// drew more than all.
		if math.IsNaN(half) {
			half = math.Inf(1)
		}
		p.Low, p.High = max(0, p.Joules-half), min(p.Joules+half, max(p.Joules, all))
		if p.Seconds > 0 {
			p.Watts = p.Joules / p.Seconds
		}
	}
	return powers
}

// clearBaseline is how well static power is known, in part, where nothing is said of
// its error.
const clearBaseline = 0.05

// notes says what was given up, and what a reader must know of the model, in the words of say.
func (o *outcome) notes(say func(format string, args ...any) string) []string {
	name := o.series.track.Series
	var notes []string
	if o.noBase {
		notes = append(notes, say("%v: static power cannot be told from what runs: joules of functions include it", name))
	}
	if b := o.model.terms.base; b != none && o.joules[b] > 0 && halfWidth*o.sd[b] > clearBaseline*o.joules[b] {
		sure := say("give or take %.2g W", halfWidth*o.sd[b]/o.problem.span)
		if math.IsInf(o.sd[b], 0) {
			sure = "but the recording is too short to tell how sure that is"
		}
		notes = append(notes, say("%v: static power is %.3g W, %s", name, o.joules[b]/o.problem.span, sure))
	}
	if o.coarse {
		notes = append(notes, say("%v: what runs changes faster than it is sampled, so functions' joules are uncertain beyond their intervals: sample more often", name))
	}
	if c := o.model.company; c.shared != 0 {
		notes = append(notes, say("%v: a function that shares its core with another hardware thread draws %.0f %% of what it draws alone", name, 100*(1+c.shared)))
	}
	if c := o.model.company; c.crowd != 0 {
		notes = append(notes, say("%v: functions draw %.0f %% of their power when all other CPUs run", name, 100*(1+c.crowd)))
	}
	if o.asOne && !o.noBase {
		notes = append(notes, say("%v: it was hardly ever idle, so [baseline] includes what any running CPU costs", name))
	}
	if o.noAlone && !o.noBase {
		notes = append(notes, say("%v: what any running CPU costs cannot be told from what runs: joules of functions include it", name))
	}
	return notes
}
