package attribution

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// checkParts fails if a part of a series is negative or the parts do not add up.
func checkParts(t *testing.T, r *Result) {
	t.Helper()
	for _, s := range r.Series {
		sum := s.Baseline + s.Active + s.Other + s.Lost + s.Unattributed + s.Idle
		for key, j := range s.ByKey {
			sum += j
			if !(j >= 0) {
				t.Errorf("%v: key %d has %v J", s.Series, key, j)
			}
		}
		for _, f := range s.Functions {
			if !(f.Low >= 0 && f.Low <= f.Joules && f.High >= f.Joules && f.High <= max(f.Joules, s.Joules)) {
				t.Errorf("%v: %v J in an interval of %v to %v J, of %v J in all", s.Series, f.Joules, f.Low, f.High, s.Joules)
			}
		}
		if !(math.Abs(sum-s.Joules) <= 1e-9*s.Joules) {
			t.Errorf("%v: parts add up to %v of %v J (%s)", s.Series, sum, s.Joules, r.Method)
		}
	}
}

// interval10 gives two functions of 2 and 5 W turns on a CPU in the interval k of 10 ms,
// with some idle time, and returns their joules.
func interval10(t *testing.T, a *Attributor, k int64, cpu int, first Key) float64 {
	t.Helper()
	joules := 0.0
	for i := range int64(10) {
		if (k*7+i*3)%11 < 5 {
			continue
		}
		f := k / 3 % 2
		busy(t, a, first+Key(f), cpu, k*10*ms+i*ms, k*10*ms+(i+1)*ms, ms)
		joules += 1e-3 * []float64{2, 5}[f]
	}
	return joules
}

// Recordings that are odd.
func TestOddRecordings(t *testing.T) {
	one := Series{"package", 0, []int{0}}
	dram := Series{"dram", 0, []int{0}}
	nan := math.NaN()
	tests := []struct {
		name   string
		series []Series
		watts  []float64
		limit  int // of slices; 0 is maxSlices
		feed   func(t *testing.T, a *Attributor)
	}{
		{"functions that run on the second package alone", []Series{one, {"package", 1, []int{1}}}, nil, 0, func(t *testing.T, a *Attributor) {
			e := []float64{0, 0}
			for k := range int64(200) {
				for p := range 2 {
					read(t, a, p, k*10*ms, e[p])
					e[p] += 0.05 + interval10(t, a, k, p, Key(5*p))
				}
			}
		}},
		{"a function of no weight", []Series{{"package", 0, []int{0, 1}}}, nil, 0, func(t *testing.T, a *Attributor) {
			e := 0.0
			for k := range int64(200) {
				read(t, a, 0, k*10*ms, e)
				e += 0.05 + interval10(t, a, k, 0, 0)
				busy(t, a, 5, 1, k*10*ms, k*10*ms+ms, 0)
				busy(t, a, 6, 1, k*10*ms+ms, k*10*ms+2*ms, 1e-60)
			}
		}},
		{"a half in which nothing runs, and no static power", []Series{one}, []float64{0}, 0, func(t *testing.T, a *Attributor) {
			e := 0.0
			for k := range int64(4000) {
				read(t, a, 0, k*10*ms, e)
				e += 0.1
				if k < 800 {
					e += interval10(t, a, k, 0, 0)
				} else if k < 1500 {
					e += 3 * interval10(t, a, k, 0, 0)
				}
			}
		}},
		{"a counter that is silent for a time", []Series{one, dram}, nil, 100, func(t *testing.T, a *Attributor) {
			e := 0.0
			for k := range int64(4000) {
				read(t, a, 0, k*10*ms, e)
				if k < 400 || k > 3000 {
					read(t, a, 1, k*10*ms, e/10)
				}
				e += 0.05 + interval10(t, a, k, 0, 0)
				a.Advance(k * 10 * ms)
				if n := len(a.groups[0].history.slices); n > int(readingDelay/ms) {
					t.Fatalf("%d slices wait for the counter", n)
				}
			}
		}},
		{"a counter that is read once", []Series{one, dram}, nil, 100, func(t *testing.T, a *Attributor) {
			e := 0.0
			read(t, a, 1, 0, 0)
			for k := range int64(2000) {
				read(t, a, 0, k*10*ms, e)
				e += 0.05 + interval10(t, a, k, 0, 0)
				a.Advance(k * 10 * ms)
			}
		}},
		{"CPU time that comes too late", []Series{one}, nil, 100, func(t *testing.T, a *Attributor) {
			e := 0.0
			for k := range int64(1000) {
				read(t, a, 0, k*10*ms, e)
				e += 0.05 + interval10(t, a, k, 0, 0)
				a.Advance((k + 1) * 10 * ms)
				if k > 500 {
					_ = a.Busy(7, 0, k*10*ms-400*ms, k*10*ms-300*ms, 100*ms)
				}
			}
		}},
		{"others, by the window of each CPU", []Series{{"package", 0, []int{0, 1}}}, nil, 300, func(t *testing.T, a *Attributor) {
			e := 0.0
			for k := range int64(2000) {
				read(t, a, 0, k*10*ms, e)
				e += 0.05 + interval10(t, a, k, 0, 0) + 0.02*float64(k/5%2)
				if k%10 == 9 {
					for cpu := range 2 {
						for w := k - 9; w <= k; w++ {
							busy(t, a, KeyOther, cpu, w*10*ms, (w+1)*10*ms, float64(w/5%2)*4*ms)
						}
					}
					a.Advance((k - 9) * 10 * ms)
				}
			}
		}},
		{"others alone", []Series{one}, nil, 0, func(t *testing.T, a *Attributor) {
			for k := range int64(100) {
				read(t, a, 0, k*10*ms, float64(k))
				busy(t, a, KeyOther, 0, k*10*ms, (k+1)*10*ms, float64(k%3)*3*ms)
			}
		}},
		{"losses alone", []Series{one}, nil, 0, func(t *testing.T, a *Attributor) {
			for k := range int64(100) {
				read(t, a, 0, k*10*ms, float64(k))
				busy(t, a, KeyLost, 0, k*10*ms, (k+1)*10*ms, 10*ms)
			}
		}},
		{"nothing runs, one baseline is given", []Series{one, dram}, []float64{3, nan}, 0, func(t *testing.T, a *Attributor) {
			for k := range int64(100) {
				read(t, a, 0, k*10*ms, float64(k))
				read(t, a, 1, k*10*ms, float64(k))
			}
		}},
		{"no energy", []Series{one}, nil, 0, func(t *testing.T, a *Attributor) {
			for k := range int64(100) {
				read(t, a, 0, k*10*ms, 7)
				interval10(t, a, k, 0, 0)
			}
		}},
		{"energy at the end alone, of a short recording", []Series{one}, nil, 0, func(t *testing.T, a *Attributor) {
			e := 0.0
			for k := range int64(60) {
				read(t, a, 0, k*10*ms, e)
				if k > 40 {
					e += 0.05 + interval10(t, a, k, 0, 0)
				}
			}
		}},
		{"a counter that is far on", []Series{one}, nil, 0, func(t *testing.T, a *Attributor) {
			e := 1e9
			for k := range int64(200) {
				read(t, a, 0, k*10*ms, e)
				e += 0.05 + interval10(t, a, k, 0, 0)
			}
		}},
		{"three readings", []Series{one}, nil, 0, func(t *testing.T, a *Attributor) {
			for k := range int64(3) {
				read(t, a, 0, k*10*ms, float64(k))
				interval10(t, a, k, 0, 0)
			}
		}},
		{"functions of negative and sparse numbers", []Series{one}, nil, 0, func(t *testing.T, a *Attributor) {
			e := 0.0
			for k := range int64(200) {
				read(t, a, 0, k*10*ms, e)
				e += 0.05 + interval10(t, a, k, 0, 990)
			}
		}},
	}
	for _, tt := range tests {
		for _, method := range []Method{Auto, Regression} {
			t.Run(tt.name+", "+string(method), func(t *testing.T) {
				// Key 990 is of the function -5, 991 of 4995.
				function := func(k Key) (int32, int32) { return int32(k)*5000 - 4_950_005, -int32(k) }
				if !strings.HasPrefix(tt.name, "functions of negative") {
					function = nil
				}
				a := mustNew(t, Options{Method: method, BaselineWatts: tt.watts, Function: function}, tt.series...)
				if tt.limit > 0 {
					for _, g := range a.groups {
						g.history.limit = tt.limit
					}
				}
				tt.feed(t, a)
				checkParts(t, a.Finish())
			})
		}
	}
}

// The functions of a counter that they do not move, as that of memory that nobody uses, may
// have 0.01 J without the correction and nothing with it: that moves all of their joules,
// however few, and not an endless multiple of nothing.
func TestCorrectionOfNothing(t *testing.T) {
	id := &identified{
		fit: &fit{
			problem: &problem{n: 2, seconds: []float64{1}, span: 1, energy: 100, noise: mat.NewSymDense(2, nil)},
			joules:  []float64{100, 0}, free: []bool{true, true}, weight: []float64{1},
			blocks: []block{{b: []float64{99.99, 0.01}}}, q: mat.NewSymDense(2, []float64{1, 0, 0, 1}),
		},
		model: model{terms: terms{n: 2, base: 0, active: none, other: none, lost: none}},
	}
	if plain := id.uncorrected(); math.Abs(plain[1]-0.01) > 1e-9 {
		t.Fatalf("without the correction %v J", plain)
	}
	if part := id.correction(); part != 1 {
		t.Errorf("the correction moves %v of the functions' joules, want all of them: 1", part)
	}
}

// Rows that are merged to bound memory are all of one length, and have what ran.
func TestHalve(t *testing.T) {
	a := mustNew(t, Options{Method: Regression}, Series{"package", 0, []int{0}})
	h := a.groups[0].history
	h.limit = 50
	e, want := 0.0, 0.0
	for k := range int64(3001) {
		read(t, a, 0, k*10*ms, e)
		e += 0.05 + interval10(t, a, k, 0, 0)
		if k == 600 {
			h.series[0].rows.halve(&h.series[0].cut.sum)
		}
		a.Advance((k + 1) * 10 * ms)
	}
	h.finish()
	r := &h.series[0].rows
	for _, w := range r.list {
		want += w.joules
		if w.ns != 20*ms && w.ns != 10*ms {
			t.Fatalf("a row of %v ns", w.ns)
		}
	}
	short := func(w row) bool { return w.ns != 20*ms }
	if n := len(slices.DeleteFunc(slices.Clone(r.list), func(w row) bool { return !short(w) })); n > 2 {
		t.Errorf("%d rows are short", n) // the one before the merging and the last
	}
	if got := h.series[0].track.last.joules; math.Abs(want-got) > 1e-9 || len(r.list) < 1500 || len(r.list) > 1502 {
		t.Errorf("%d rows of %v J, want 1500 of %v J", len(r.list), want, got)
	}
}

// Where samples are far apart against what runs, the simpler models are damped like the
// regression, and there is a validation.
func TestCoarse(t *testing.T) {
	a := mustNew(t, Options{Method: Auto}, Series{"package", 0, []int{0, 1}})
	e := 0.0
	for k := range int64(12000) {
		read(t, a, 0, k*10*ms, e)
		e += 0.05 + interval10(t, a, k, 0, 0) + interval10(t, a, k, 1, 3)
	}
	r := a.Finish()
	checkParts(t, r)
	if r.Validation == nil || r.Method != Regression {
		t.Errorf("%s with the validation %v", r.Method, r.Validation)
	}
}
