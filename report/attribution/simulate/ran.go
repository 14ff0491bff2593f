package simulate

// Ran is what really ran on the CPUs of a series, in seconds: CPU time by
// function, and the time in which any CPU ran, for each stretch between two of
// the edges, which are times in ns and ascend.
func (tr *Trace) Ran(series int, edges []int64) (functions [][]float64, active []float64) {
	n := len(edges) - 1
	active = make([]float64, n)
	functions = make([][]float64, n)
	for k := range functions {
		functions[k] = make([]float64, len(tr.Machine.Functions))
	}
	alternate := tr.Machine.alternates()
	var runs [][]run
	for _, cpu := range tr.Series[series].CPUs {
		runs = append(runs, tr.runs[cpu])
		k := 0
		for _, r := range tr.runs[cpu] {
			k = split(edges, k, r.from, r.to, func(k int, seconds float64) {
				if a, ok := alternate[r.function]; ok {
					functions[k][a.With] += a.Part * seconds
					seconds *= 1 - a.Part
				}
				functions[k][r.function] += seconds
			})
		}
	}
	k, busy, since := 0, 0, int64(0)
	running := make([]bool, len(runs))
	for events := newEvents(runs); ; {
		e, ok := events.next()
		if !ok {
			return functions, active
		}
		was := busy
		if runs := e.function != idle; runs != running[e.cpu] {
			running[e.cpu] = runs
			if runs {
				busy++
			} else {
				busy--
			}
		}
		switch {
		case was == 0 && busy > 0:
			since = e.t
		case was > 0 && busy == 0:
			k = split(edges, k, since, e.t, func(k int, seconds float64) { active[k] += seconds })
		}
	}
}

// split gives each stretch between edges the seconds that it has of [from, to),
// looking from stretch k on, and returns the stretch to look from next.
func split(edges []int64, k int, from, to int64, give func(k int, seconds float64)) int {
	for k < len(edges)-1 && edges[k+1] <= from {
		k++
	}
	for i := k; i < len(edges)-1 && edges[i] < to; i++ {
		if part := min(to, edges[i+1]) - max(from, edges[i]); part > 0 {
			give(i, float64(part)/1e9)
		}
	}
	return k
}

// alternates are the functions that take turns with another, by index.
func (m *Machine) alternates() map[int32]Alternating {
	out := map[int32]Alternating{}
	for _, a := range m.Alternating {
		out[int32(a.Of)] = a
	}
	return out
}

// between is the energy of a series between two times by its readings, straight
// lines between them.
func (tr *Trace) between(series int, edges []int64) []float64 {
	rs := tr.Readings[series]
	at := func(t int64) float64 {
		lo, hi := 0, len(rs)-1
		switch {
		case t <= rs[lo].T:
			return rs[lo].Joules
		case t >= rs[hi].T:
			return rs[hi].Joules
		}
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; rs[mid].T <= t {
				lo = mid
			} else {
				hi = mid
			}
		}
		return rs[lo].Joules + (rs[hi].Joules-rs[lo].Joules)*float64(t-rs[lo].T)/float64(rs[hi].T-rs[lo].T)
	}
	out := make([]float64, len(edges)-1)
	for k := range out {
		out[k] = at(edges[k+1]) - at(edges[k])
	}
	return out
}

// span is the measured time.
func (tr *Trace) span() (from, to int64) { return lead, lead + int64(tr.Instruments.Duration) }

// every cuts the measured time into stretches of ns, the last shorter.
func (tr *Trace) every(ns int64) []int64 {
	from, to := tr.span()
	var edges []int64
	for t := from; t < to; t += ns {
		edges = append(edges, t)
	}
	return append(edges, to)
}
