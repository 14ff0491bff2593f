package attribution

import (
	"fmt"
	"math"
)

// Reading adds a value of a series' counter: joules since any fixed origin at
// time t in nanoseconds. Of one series times must increase and joules must not
// decrease; wraps are the caller's to undo. The first reading is the start of
// the measured span. A reading may come after Advance has passed its time, by
// up to readingDelay. A reading that is refused has no effect.
func (a *Attributor) Reading(series int, t int64, joules float64) error {
	if series < 0 || series >= len(a.tracks) {
		return fmt.Errorf("attribution: reading of series %d, there are %d", series, len(a.tracks))
	}
	s := a.tracks[series]
	switch {
	case math.IsNaN(joules) || math.IsInf(joules, 0):
		return fmt.Errorf("attribution: series %d (%v): reading of %v J at %d ns", series, s.Series, joules, t)
	case t < 0 || t == math.MaxInt64:
		return fmt.Errorf("attribution: series %d (%v): reading at the time %d ns", series, s.Series, t)
	case s.any && t <= s.last.t:
		return fmt.Errorf("attribution: series %d (%v): time goes from %d to %d ns", series, s.Series, s.last.t, t)
	case s.any && joules < s.last.joules:
		return fmt.Errorf("attribution: series %d (%v): energy goes back from %v to %v J at %d ns",
			series, s.Series, s.last.joules, joules, t)
	case t < s.solved:
		return fmt.Errorf("%w: series %d (%v): reading at %d ns, the joules up to %d ns are shared out", ErrLate, series, s.Series, t, s.solved)
	}
	s.last, s.any = reading{t, joules}, true
	s.queue = append(s.queue, s.last)
	if s.history != nil {
		s.history.readings = append(s.history.readings, s.last)
	}
	return nil
}

// Busy adds weight nanoseconds of CPU time that key spent on cpu, spread evenly
// over [start, end); with start == end all of it is at start. The weight may
// exceed end - start: a sample can stand for more time than lies since the last.
//
// CPU time outside the readings, or on a CPU of no series, is kept in the
// Result as seconds. Two errors are of use to a caller that goes on: ErrUnknownCPU,
// the weight is in Result.UncoveredSeconds; ErrLate, the part before the time
// that is shared out is in OutsideSeconds and the rest counts. After any other
// error the call had no effect.
func (a *Attributor) Busy(key Key, cpu int, start, end int64, weight float64) error {
	switch {
	case key < KeyLost || key > math.MaxInt32-keyShift:
		return fmt.Errorf("attribution: busy time of the key %d", key)
	case start < 0 || end < start || end == math.MaxInt64:
		return fmt.Errorf("attribution: busy time of key %d on CPU %d from %d to %d ns", key, cpu, start, end)
	case !(weight >= 0) || math.IsInf(weight, 1):
		return fmt.Errorf("attribution: busy time of key %d on CPU %d at %d ns: weight %v ns", key, cpu, start, weight)
	}
	a.maxKey = max(a.maxKey, key)
	if cpu < 0 || cpu >= len(a.byCPU) || len(a.byCPU[cpu]) == 0 {
		a.uncovered += weight
		return fmt.Errorf("%w %d", ErrUnknownCPU, cpu)
	}
	var late *group
	for _, g := range a.byCPU[cpu] {
		if !g.busy(stretch{start: start, end: end, weight: weight, key: key}, cpu) {
			late = g
		}
	}
	if late != nil {
		return fmt.Errorf("%w: busy time of key %d on CPU %d from %d to %d ns, shared out up to %d ns",
			ErrLate, key, cpu, start, end, late.mark)
	}
	return nil
}

// Advance says that no later Busy starts before t nanoseconds. The intervals
// that end at or before t are shared out and forgotten. A t that is not later
// than an earlier one changes nothing. Between two calls memory grows by 32
// bytes a Busy, and as much again for a regression, so call it every second or so.
func (a *Attributor) Advance(t int64) {
	if t <= a.advanced {
		return
	}
	a.advanced = t
	for _, g := range a.groups {
		g.share(a.method, t, t-readingDelay)
		if g.history != nil {
			g.history.settle(t)
		}
	}
}

// Finish shares out what is left and returns the result. CPU time past the last
// reading of a series is counted as outside it. The Attributor must not be used
// afterwards.
func (a *Attributor) Finish() *Result {
	for _, g := range a.groups {
		g.share(a.method, math.MaxInt64, math.MaxInt64)
	}
	r := &Result{Method: a.method, UncoveredSeconds: a.uncovered / 1e9}
	for _, t := range a.tracks {
		r.Series = append(r.Series, t.result(int(a.maxKey)+1))
	}
	if a.method == Auto || a.method == Regression {
		a.regress(r)
	}
	return r
}
