package attribution

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// recording is random input for a regression: energies with or without a sense.
type recording struct {
	opt      Options
	series   []Series
	readings [][]reading
	busy     []slice
	limit    int // of slices in memory
}

func drawRecording(t *rapid.T) recording {
	var r recording
	r.opt.Method = rapid.SampledFrom([]Method{Auto, Regression}).Draw(t, "method")
	r.limit = rapid.SampledFrom([]int{maxSlices, 40, 200}).Draw(t, "limit")
	cpus := rapid.IntRange(1, 4).Draw(t, "cpus")
	keys := rapid.IntRange(1, 12).Draw(t, "keys")
	if rapid.Bool().Draw(t, "functions") {
		r.opt.Function = func(k Key) (int32, int32) { return int32(k) / 2, int32(k) / 6 }
	}
	if rapid.Bool().Draw(t, "types") {
		r.opt.CoreType = []uint8{0, 1, 0, 1}
	}
	if rapid.Bool().Draw(t, "threads") {
		r.opt.Core = []int32{0, 0, 1, 1}
	}
	intervals := rapid.IntRange(0, 120).Draw(t, "intervals")
	var all []int
	for c := range cpus {
		all = append(all, c)
	}
	watts := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 0, 3, 11, 40}), keys+3, keys+3).Draw(t, "watts")
	step := rapid.Int64Range(2*ms, 12*ms).Draw(t, "step")
	end := int64(intervals+2) * step
	energy := make([]float64, intervals+1)
	span := func(s slice) {
		r.busy = append(r.busy, s)
		for k := range energy {
			from, to := int64(k)*step, int64(k+1)*step
			if over := min(s.end, to) - max(s.start, from); over > 0 && k+1 < len(energy) {
				w := watts[max(0, int(s.key)+2)]
				energy[k+1] += w * s.weight * 1e-9 * float64(over) / float64(s.end-s.start)
			}
		}
	}
	for c := range cpus {
		at := rapid.Int64Range(0, ms).Draw(t, "phase")
		pattern := rapid.SliceOfN(rapid.IntRange(-3, keys-1), 1, 30).Draw(t, "pattern")
		weight := rapid.SampledFrom([]float64{ms, ms, 3 * ms, 0}).Draw(t, "weight")
		for i := 0; at+ms < end; i++ {
			if k := pattern[i%len(pattern)]; k >= -2 {
				span(slice{at, at + ms, weight, Key(k), int32(c)})
			}
			at += ms
		}
	}
	slices.SortStableFunc(r.busy, func(a, b slice) int { return int(a.start - b.start) })
	static := rapid.SampledFrom([]float64{0, 7}).Draw(t, "static")
	packages := [][]int{all}
	if cpus > 1 && rapid.Bool().Draw(t, "packages") {
		packages = [][]int{all[:1], all[1:]}
	}
	for _, domain := range []string{"package", "dram"}[:rapid.IntRange(1, 2).Draw(t, "domains")] {
		for i, set := range packages {
			r.series = append(r.series, Series{domain, i, set})
			r.opt.BaselineWatts = append(r.opt.BaselineWatts, rapid.SampledFrom([]float64{math.NaN(), 0, 7, 1e6}).Draw(t, "baseline"))
			scale := rapid.SampledFrom([]float64{1, 0, 0.1}).Draw(t, "scale")
			rs := []reading{}
			var sum float64
			for k, joules := range energy {
				sum += scale*joules + static*float64(step)*1e-9
				rs = append(rs, reading{int64(k) * step, sum})
			}
			r.readings = append(r.readings, rs)
		}
	}
	return r
}

func (r recording) run(t *rapid.T) *Result {
	a, err := New(r.series, r.opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range a.groups {
		g.history.limit = r.limit
	}
	next := 0
	for k := 0; k < len(r.readings[0]); k++ {
		at := r.readings[0][k].t
		for ; next < len(r.busy) && r.busy[next].end <= at; next++ {
			if s := r.busy[next]; a.Busy(s.key, int(s.cpu), s.start, s.end, s.weight) != nil {
				t.Fatal("busy time refused")
			}
		}
		for i := range r.series {
			if err := a.Reading(i, r.readings[i][k].t, r.readings[i][k].joules); err != nil {
				t.Fatal(err)
			}
		}
		a.Advance(at - 20*ms)
	}
	return a.Finish()
}

// Whatever is recorded: the parts are not negative and add up to the counter, an
// interval holds its value, and the same input gives the same output.
func TestRegressionProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := drawRecording(t)
		got := rec.run(t)
		for i, s := range got.Series {
			sum := s.Baseline + s.Active + s.Other + s.Lost + s.Unattributed + s.Idle
			for _, j := range append([]float64{s.Baseline, s.Active, s.Other, s.Lost, s.Unattributed, s.Idle}, s.ByKey...) {
				if !(j >= 0) || math.IsInf(j, 0) {
					t.Fatalf("%v: a part is %v J: %+v", s.Series, j, s)
				}
			}
			for _, j := range s.ByKey {
				sum += j
			}
			if math.Abs(sum-s.Joules) > 1e-9*max(1e-3, s.Joules) {
				t.Fatalf("%v: parts add up to %v of %v J (%s): %+v", s.Series, sum, s.Joules, got.Method, s)
			}
			var functions, keys float64
			for _, f := range s.Functions {
				if !(f.Low >= 0 && f.Low <= f.Joules && f.Joules <= f.High) {
					t.Fatalf("%v: interval %v", s.Series, f)
				}
				functions += f.Joules
			}
			for _, j := range s.ByKey {
				keys += j
			}
			if s.Functions != nil && math.Abs(functions-keys) > 1e-9*max(1e-3, s.Joules) {
				t.Fatalf("%v: functions have %v J, their keys %v J", s.Series, functions, keys)
			}
			if want := rec.readings[i]; len(want) > 1 && s.Joules != want[len(want)-1].joules-want[0].joules {
				t.Fatalf("%v: %v J", s.Series, s.Joules)
			}
		}
		if diff := cmp.Diff(got, rec.run(t)); diff != "" {
			t.Fatalf("a second run differs: %s", diff)
		}
	})
}

// The solution of the quadratic program fulfils the conditions of an optimum
// (Karush, Kuhn, Tucker): where x > 0 the gradient is the same, elsewhere not lower.
func TestMinimise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		value := rapid.Float64Range(-3, 3)
		rows := mat.NewDense(n+2, n, rapid.SliceOfN(value, n*(n+2), n*(n+2)).Draw(t, "rows"))
		q := mat.NewSymDense(n, nil)
		q.SymOuterK(1, rows.T())
		for i := range n {
			q.SetSym(i, i, q.At(i, i)+0.1)
		}
		b := rapid.SliceOfN(value, n, n).Draw(t, "b")
		total := rapid.Float64Range(0.1, 10).Draw(t, "total")
		x, _, ok := minimise(q, b, total, nil)
		if !ok {
			t.Fatal("not solved")
		}
		var sum float64
		gradient := make([]float64, n)
		lowest := math.Inf(1)
		for i := range n {
			sum += x[i]
			gradient[i] = -b[i]
			for j := range n {
				gradient[i] += q.At(i, j) * x[j]
			}
			lowest = min(lowest, gradient[i])
		}
		if math.Abs(sum-total) > 1e-9*total {
			t.Errorf("adds up to %v of %v", sum, total)
		}
		for i := range n {
			if x[i] < 0 || x[i] > 1e-7 && gradient[i] > lowest+1e-6 {
				t.Errorf("x %v has the gradient %v", x, gradient)
			}
		}
	})
}

func TestActive(t *testing.T) {
	tests := []struct {
		name  string
		spans []span
		want  float64
	}{
		{"none", nil, 0},
		{"one CPU", []span{{0, 10, 0}, {20, 25, 0}}, 15},
		{"two CPUs", []span{{0, 10, 0}, {4, 12, 0}, {5, 6, 0}, {20, 25, 0}}, 17},
		{"half of a window", []span{{0, 10, 0.5}}, 5},
		{"half of two CPUs' windows", []span{{0, 10, 0.5}, {0, 10, 0.5}}, 7.5},
		{"beside what is certain", []span{{0, 10, 0.5}, {2, 6, 0}}, 7},
		{"windows one after the other", []span{{0, 10, 0.5}, {10, 20, 0.25}}, 12.5},
	}
	for _, tt := range tests {
		if got := active(tt.spans); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// The error of a change: a twelfth for runs that are long against the period, a
// half for independent samples, and in between what a process of exponential
// correlation has.
func TestChangeError(t *testing.T) {
	for _, tt := range []struct{ near, far, want float64 }{
		{1e6, 2e6, 1. / 12}, {1e6, 1e6, 0.45}, {5, 5, 1. / 12},
		{1e6, 1.5e6, (1/math.Tanh(math.Ln2/2) - 2/math.Ln2) / 1},
	} {
		p := pair{near: tt.near, far: tt.far}
		if got := p.error(); math.Abs(got-tt.want) > 0.01 {
			t.Errorf("changes %v and %v: got %v, want %v", tt.near, tt.far, got, tt.want)
		}
	}
}

// Others ran where the samples of their CPU leave room, half a period early. The
// weights are times or the counts of another event.
func TestPlace(t *testing.T) {
	for _, rate := range []float64{1, 3, 1e-3} {
		h := &history{slices: []slice{{2 * ms, 4 * ms, 2 * ms * rate, 0, 0}, {6 * ms, 8 * ms, 2 * ms * rate, 1, 0}}}
		h.others = []slice{{1 * ms, 11 * ms, 3 * ms * rate, KeyOther, 0}, {1 * ms, 11 * ms, 10 * ms * rate, KeyOther, 1}}
		h.place(20 * ms)
		want := []slice{
			{0, 2 * ms, ms * rate, KeyOther, 0}, {0, 10 * ms, 10 * ms * rate, KeyOther, 1},
			{2 * ms, 4 * ms, 2 * ms * rate, 0, 0}, {4 * ms, 6 * ms, ms * rate, KeyOther, 0}, {6 * ms, 8 * ms, 2 * ms * rate, 1, 0}, {8 * ms, 10 * ms, ms * rate, KeyOther, 0},
		}
		if diff := cmp.Diff(want, h.slices, cmp.AllowUnexported(slice{}), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%v a ns: %s", rate, diff)
		}
		c := cutter{rate: rate}
		if p := c.likely(h.slices[0]); math.Abs(p-0.5) > 1e-12 {
			t.Errorf("%v a ns: likely by %v, want 0.5", rate, p)
		}
	}
}

func TestVertex(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		name   string
		errors []float64
		least  int
		want   float64
	}{
		{"(x - 1.25)^2", []float64{1.5625, 0.0625, 0.5625}, 1, 0.25},
		{"equal neighbours", []float64{2, 1, 2, 5}, 1, 0},
		{"flat", []float64{1, 1, 1}, 1, 0},
		{"first", []float64{0, 1, 2}, 0, 0},
		{"last", []float64{2, 1, 0}, 2, 0},
		{"no solution beside it", []float64{inf, 1, 2}, 1, 0},
	} {
		if got := vertex(tt.errors, tt.least); got != tt.want {
			t.Errorf("%s: vertex %v, want %v", tt.name, got, tt.want)
		}
	}
}
