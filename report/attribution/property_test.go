package attribution

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// input is a random recording: series with readings, and CPU time.
type input struct {
	opt      Options
	series   []Series
	readings [][]reading
	busy     []call
}

type call struct {
	key Key
	cpu int
	stretch
}

func drawInput(t *rapid.T) input {
	var in input
	in.opt.Method = rapid.SampledFrom([]Method{Proportional, Share}).Draw(t, "method")
	times := rapid.SliceOfNDistinct(rapid.Int64Range(0, 2000), 0, 12, rapid.ID[int64]).Draw(t, "common times")
	for pkg := range rapid.IntRange(1, 2).Draw(t, "packages") {
		cpus := []int{2 * pkg, 2*pkg + 1}
		for _, domain := range []string{"package", "dram"} {
			in.series = append(in.series, Series{domain, pkg, cpus})
			own := times
			if rapid.Bool().Draw(t, "read at times of its own") {
				own = rapid.SliceOfNDistinct(rapid.Int64Range(0, 2000), 0, 12, rapid.ID[int64]).Draw(t, "times")
			}
			joules := rapid.Float64Range(-100, 1e6).Draw(t, "origin")
			var rs []reading
			for _, at := range slices.Sorted(slices.Values(own)) {
				rs = append(rs, reading{at, joules})
				joules += rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 10), rapid.Float64Range(0, 1e5)).Draw(t, "joules")
			}
			in.readings = append(in.readings, rs)
			if in.opt.Method == Proportional {
				in.opt.BaselineWatts = append(in.opt.BaselineWatts,
					rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 1e11)).Draw(t, "baseline")) // intervals are nanoseconds
			}
		}
	}
	cpus := rapid.IntRange(0, 2*len(in.series)/2-1)
	for range rapid.IntRange(0, 40).Draw(t, "calls") {
		start := rapid.Int64Range(0, 2200).Draw(t, "start")
		in.busy = append(in.busy, call{
			key: Key(rapid.IntRange(-2, 5).Draw(t, "key")), cpu: cpus.Draw(t, "cpu"),
			stretch: stretch{start: start, end: start + rapid.Int64Range(0, 300).Draw(t, "length"),
				weight: rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.001, 1000)).Draw(t, "weight")},
		})
	}
	return in
}

// overlap is the weight of c in [from, to), by the definition.
func (c call) overlap(from, to int64) float64 {
	if c.start == c.end {
		if from <= c.start && c.start < to {
			return c.weight
		}
		return 0
	}
	n := min(c.end, to) - max(c.start, from)
	return c.weight * float64(max(n, 0)) / float64(c.end-c.start)
}

// reference computes a series interval by interval, looking at all calls each
// time: slow, plain and apart from the code under test.
func (in input) reference(i int) SeriesResult {
	r := SeriesResult{ByKey: make([]float64, 6)}
	var total, inside float64
	for _, c := range in.busy {
		if slices.Contains(in.series[i].CPUs, c.cpu) {
			total += c.weight
		}
	}
	for k := 1; k < len(in.readings[i]); k++ {
		a, b := in.readings[i][k-1], in.readings[i][k]
		energy, ns := b.joules-a.joules, float64(b.t-a.t)
		r.Joules += energy
		w := map[Key]float64{}
		var sum float64
		for _, c := range in.busy {
			if slices.Contains(in.series[i].CPUs, c.cpu) {
				w[c.key] += c.overlap(a.t, b.t)
				sum += c.overlap(a.t, b.t)
			}
		}
		inside += sum
		var divisor float64
		if in.opt.Method == Share {
			divisor = max(sum, 2*ns)
			r.Idle += energy * (1 - sum/divisor)
		} else {
			base := energy
			if sum > 0 {
				base = min(energy, in.opt.BaselineWatts[i]*ns/1e9)
			}
			r.Baseline += base
			energy, divisor = energy-base, sum
		}
		for key, weight := range w {
			if weight == 0 {
				continue
			}
			switch joules := energy * weight / divisor; key {
			case KeyOther:
				r.Other += joules
			case KeyLost:
				r.Lost += joules
			default:
				r.ByKey[key] += joules
			}
		}
	}
	r.BusySeconds, r.OutsideSeconds = inside/1e9, (total-inside)/1e9
	return r
}

// run feeds the input in a random interleaving that keeps each series in order
// and never breaks the promise of Advance.
func (in input) run(t *rapid.T) *Result {
	a, err := New(in.series, in.opt)
	if err != nil {
		t.Fatal(err)
	}
	calls := rapid.Permutation(in.busy).Draw(t, "order")
	if rapid.Bool().Draw(t, "in order of time") {
		slices.SortStableFunc(calls, func(a, b call) int { return int(a.start - b.start) })
	}
	next := make([]int, len(in.series))
	for {
		var can []int // series with readings left, and -1 for a call
		for i := range next {
			if next[i] < len(in.readings[i]) {
				can = append(can, i)
			}
		}
		if len(calls) > 0 {
			can = append(can, -1)
		}
		if len(can) == 0 {
			break
		}
		if i := rapid.SampledFrom(can).Draw(t, "next"); i >= 0 {
			r := in.readings[i][next[i]]
			if err := a.Reading(i, r.t, r.joules); err != nil {
				t.Fatal(err)
			}
			next[i]++
		} else {
			c := calls[0]
			calls = calls[1:]
			if err := a.Busy(c.key, c.cpu, c.start, c.end, c.weight); err != nil {
				t.Fatal(err)
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "advance") == 0 {
			limit := int64(3000)
			for _, c := range calls {
				limit = min(limit, c.start)
			}
			a.Advance(limit)
		}
	}
	return a.Finish()
}

func near(got, want, scale float64) bool { return math.Abs(got-want) <= 1e-9*scale }

// Whatever comes in whatever order: nothing negative, the parts of each series
// add up to its counter, no CPU time vanishes, and each number is the one that
// the definition gives.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		for i, got := range in.run(t).Series {
			want := in.reference(i)
			scale := max(1, want.Joules)
			if rs := in.readings[i]; len(rs) > 0 {
				scale = max(scale, math.Abs(rs[len(rs)-1].joules)) // differences of large readings
			}
			got.ByKey = append(got.ByKey, make([]float64, 6-len(got.ByKey))...)
			sum := got.Baseline + got.Active + got.Other + got.Lost + got.Unattributed + got.Idle
			parts := append([]float64{got.Baseline, got.Active, got.Other, got.Lost, got.Unattributed, got.Idle}, got.ByKey...)
			for _, joules := range parts {
				if !(joules >= 0) {
					t.Fatalf("%v: negative part in %+v", got.Series, got)
				}
			}
			for key, joules := range got.ByKey {
				sum += joules
				if !near(joules, want.ByKey[key], scale) {
					t.Errorf("%v: key %d got %v J, want %v", got.Series, key, joules, want.ByKey[key])
				}
			}
			if !near(sum, got.Joules, max(1e-3, got.Joules)) {
				t.Errorf("%v: parts add up to %v of %v J", got.Series, sum, got.Joules)
			}
			for _, c := range []struct {
				name      string
				got, want float64
			}{
				{"joules", got.Joules, want.Joules}, {"baseline", got.Baseline, want.Baseline}, {"idle", got.Idle, want.Idle},
				{"other", got.Other, want.Other}, {"lost", got.Lost, want.Lost},
			} {
				if !near(c.got, c.want, scale) {
					t.Errorf("%v: %s is %v J, want %v", got.Series, c.name, c.got, c.want)
				}
			}
			if !near(got.BusySeconds, want.BusySeconds, 1e-6) || !near(got.OutsideSeconds, want.OutsideSeconds, 1e-6) {
				t.Errorf("%v: %v s inside and %v outside, want %v and %v", got.Series,
					got.BusySeconds, got.OutsideSeconds, want.BusySeconds, want.OutsideSeconds)
			}
		}
	})
}
