package memory

import (
	"cmp"
	"math/bits"
	"slices"
)

// latencies are the distributions of latency of all cells: how many accesses took how many cycles. They are
// exact until max pairs of a cell and a latency are known; new latencies after that are rounded up to
// steps of 1/16, and left out once as many again are known.
type latencies struct {
	max          int
	weights      map[latencyKey]uint64
	rounded, out uint64 // samples
}

type latencyKey struct {
	cell   int32
	cycles uint64
}

func newLatencies(limit int) latencies {
	return latencies{max: limit, weights: map[latencyKey]uint64{}}
}

// add takes an access that took so many cycles and stands for so many.
func (l *latencies) add(cell int32, cycles, period uint64) {
	key := latencyKey{cell, cycles}
	w, known := l.weights[key]
	if !known && len(l.weights) >= l.max {
		l.rounded++
		key.cycles = roundUp(cycles)
		w, known = l.weights[key]
		if !known && len(l.weights)-l.max >= l.max {
			l.rounded--
			l.out++
			return
		}
	}
	l.weights[key] = plus(w, period)
}

// roundUp keeps the five highest bits, so that it is at most 1/16 too much.
func roundUp(v uint64) uint64 {
	low := bits.Len64(v) - 5
	if low <= 0 {
		return v
	}
	up := v>>low + 1
	if v&(1<<low-1) == 0 {
		up--
	}
	if up<<low>>low != up {
		return v
	}
	return up << low
}

// latency is how many accesses took so many cycles.
type latency struct{ cycles, weight uint64 }

// percentile is the least latency that so many of 100 accesses do not exceed; ok is false without any.
func percentile(all []latency, percent uint64) (cycles uint64, ok bool) {
	slices.SortFunc(all, func(a, b latency) int { return cmp.Compare(a.cycles, b.cycles) })
	var total uint64
	for _, l := range all {
		total = plus(total, l.weight)
	}
	wantHigh, wantLow := bits.Mul64(total, percent)
	var upTo uint64
	for _, l := range all {
		upTo = plus(upTo, l.weight)
		if high, low := bits.Mul64(upTo, 100); high > wantHigh || high == wantHigh && low >= wantLow {
			return l.cycles, true
		}
	}
	return 0, false
}

// split gives each of the cells' latencies to the rows that they are in. rowOf is the row of a cell.
func (l *latencies) split(rows int, rowOf func(cell int32) int) [][]latency {
	all := make([][]latency, rows)
	for key, weight := range l.weights {
		if row := rowOf(key.cell); row >= 0 {
			all[row] = append(all[row], latency{key.cycles, weight})
		}
	}
	return all
}
