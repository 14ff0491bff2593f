package attribution

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const ms = 1_000_000 // ns

func mustNew(t testing.TB, opt Options, series ...Series) *Attributor {
	t.Helper()
	a, err := New(series, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(t testing.TB, a *Attributor, series int, at int64, joules float64) {
	t.Helper()
	if err := a.Reading(series, at, joules); err != nil {
		t.Fatal(err)
	}
}

func busy(t testing.TB, a *Attributor, key Key, cpu int, start, end int64, weight float64) {
	t.Helper()
	if err := a.Busy(key, cpu, start, end, weight); err != nil {
		t.Fatal(err)
	}
}

// Exact values on one package of two CPUs, two intervals of 10 ms.
func TestMethods(t *testing.T) {
	pkg := Series{Domain: "package", CPUs: []int{0, 1}}
	type span struct {
		key        Key
		cpu        int
		start, end int64
		weight     float64
	}
	tests := []struct {
		name   string
		opt    Options
		joules [3]float64 // at 0, 10 and 20 ms
		busy   []span
		want   SeriesResult
	}{
		{"proportional: split at the edge by overlap", Options{Method: Proportional}, [3]float64{5, 6, 9},
			[]span{{0, 0, 0, 10 * ms, 10 * ms}, {1, 1, 5 * ms, 15 * ms, 10 * ms}, {KeyOther, 1, 15 * ms, 20 * ms, 5 * ms}},
			// 10:5 of 1 J, then 5:5 of 3 J.
			SeriesResult{Joules: 4, ByKey: []float64{2. / 3, 1./3 + 1.5}, Other: 1.5, BusySeconds: 0.025}},
		{"proportional: baseline first, idle energy is baseline", Options{Method: Proportional, BaselineWatts: []float64{50}}, [3]float64{0, 1, 3},
			[]span{{0, 0, 0, 10 * ms, 10 * ms}},
			SeriesResult{Joules: 3, ByKey: []float64{0.5}, Baseline: 2.5, BaselineWatts: 50, BusySeconds: 0.01}},
		{"proportional: baseline above the energy takes no more than there is", Options{Method: Proportional, BaselineWatts: []float64{500}}, [3]float64{0, 1, 11},
			[]span{{0, 0, 0, 20 * ms, 20 * ms}},
			SeriesResult{Joules: 11, ByKey: []float64{5}, Baseline: 6, BaselineWatts: 500, BusySeconds: 0.02}},
		{"proportional: an interval of no energy", Options{Method: Proportional}, [3]float64{7, 7, 8},
			[]span{{0, 0, 0, 10 * ms, 10 * ms}, {KeyLost, 0, 10 * ms, 20 * ms, ms}},
			SeriesResult{Joules: 1, ByKey: []float64{0}, Lost: 1, BusySeconds: 0.011}},
		{"proportional: before and after the readings", Options{Method: Proportional}, [3]float64{0, 1, 2},
			[]span{{2, 0, 18 * ms, 22 * ms, 4 * ms}, {0, 0, 20 * ms, 30 * ms, 10 * ms}},
			SeriesResult{Joules: 2, ByKey: []float64{0, 0, 1}, Baseline: 1, BusySeconds: 0.002, OutsideSeconds: 0.012}},
		{"half-open: a sample at an edge belongs to what follows", Options{Method: Proportional}, [3]float64{0, 1, 3},
			[]span{{0, 0, 10 * ms, 10 * ms, ms}, {1, 0, 20 * ms, 20 * ms, ms}, {2, 0, 0, 0, ms}},
			SeriesResult{Joules: 3, ByKey: []float64{2, 0, 1}, BusySeconds: 0.002, OutsideSeconds: 0.001}},
		{"share: of all CPUs, running or not", Options{Method: Share}, [3]float64{0, 1, 3},
			[]span{{0, 0, 0, 10 * ms, 10 * ms}, {KeyOther, 0, 10 * ms, 20 * ms, 5 * ms}},
			SeriesResult{Joules: 3, ByKey: []float64{0.5}, Other: 0.5, Idle: 2, BusySeconds: 0.015}},
		{"share: no more than the CPUs have", Options{Method: Share}, [3]float64{0, 1, 1},
			[]span{{0, 0, 0, 10 * ms, 30 * ms}, {1, 1, 0, 10 * ms, 10 * ms}},
			SeriesResult{Joules: 1, ByKey: []float64{0.75, 0.25}, BusySeconds: 0.04}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := mustNew(t, tt.opt, pkg)
			for i, joules := range tt.joules {
				read(t, a, 0, int64(i)*10*ms, joules)
			}
			for _, b := range tt.busy {
				busy(t, a, b.key, b.cpu, b.start, b.end, b.weight)
			}
			got := a.Finish().Series[0]
			tt.want.Series, tt.want.Seconds = pkg, 0.02
			if d := cmp.Diff(tt.want, got, cmpopts.EquateApprox(1e-12, 0)); d != "" {
				t.Error(d)
			}
		})
	}
}

// Domains that cover different CPUs and are read at different times.
func TestSeveralSeries(t *testing.T) {
	a := mustNew(t, Options{Method: Proportional},
		Series{"package", 0, []int{0, 1}}, Series{"package", 1, []int{2, 3}},
		Series{"dram", 0, []int{1, 0}}, Series{"psys", 0, []int{0, 1, 2, 3}})
	for i := int64(0); i <= 2; i++ {
		read(t, a, 0, i*10*ms, float64(i)*2)
		read(t, a, 1, i*10*ms, float64(i)*3)
		read(t, a, 3, i*10*ms, float64(i)*10)
	}
	read(t, a, 2, 0, 0)
	read(t, a, 2, 20*ms, 8) // dram is read half as often
	busy(t, a, 0, 0, 0, 10*ms, 10*ms)
	busy(t, a, 1, 1, 10*ms, 20*ms, 10*ms)
	busy(t, a, 0, 1, 10*ms, 20*ms, 10*ms) // hyperthreads need not be told apart
	busy(t, a, 2, 3, 0, 20*ms, 10*ms)
	if err := a.Busy(0, 4, 0, ms, 5*ms); !errors.Is(err, ErrUnknownCPU) || !strings.HasSuffix(err.Error(), " 4") {
		t.Errorf("CPU of no series: %v", err)
	}
	r := a.Finish()
	for i, want := range [][]float64{{3, 1, 0}, {0, 0, 6}, {16. / 3, 8. / 3, 0}, {10*10./15 + 10*10./25, 10 * 10. / 25, 10*5./15 + 10*5./25}} {
		if d := cmp.Diff(want, r.Series[i].ByKey, cmpopts.EquateApprox(1e-12, 0)); d != "" {
			t.Errorf("%v:\n%s", r.Series[i].Series, d)
		}
	}
	if r.UncoveredSeconds != 0.005 {
		t.Errorf("uncovered %v s, want 0.005", r.UncoveredSeconds)
	}
}

func TestBadOptions(t *testing.T) {
	one := []Series{{"package", 0, []int{0}}}
	tests := []struct {
		series []Series
		opt    Options
		want   string
	}{
		{one, Options{}, `unknown method ""`},
		{one, Options{Method: "best"}, `unknown method "best"`},
		{one, Options{Method: Proportional, BaselineWatts: []float64{1, 2}}, "2 baseline watts for 1 series"},
		{one, Options{Method: Proportional, BaselineWatts: []float64{math.Inf(1)}}, "package of package 0): baseline of +Inf W"},
		{one, Options{Method: Proportional, BaselineWatts: []float64{-1}}, "baseline of -1 W"},
		{one, Options{Method: Share, BaselineWatts: []float64{3}}, "method share has no baseline, got 3 W"},
		{[]Series{{"dram", 2, nil}}, Options{Method: Share}, "series 0 (dram of package 2) has no CPUs"},
		{[]Series{{"dram", 2, []int{-1}}}, Options{Method: Share}, "CPU -1 is not in"},
		{[]Series{{"dram", 0, []int{7}}, {"dram", 1, []int{6, 7}}}, Options{Method: Share},
			"series 1 (dram of package 1): CPU 7 is already in dram of package 0"},
	}
	for _, tt := range tests {
		if _, err := New(tt.series, tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("New(%v, %v): %v, want %q", tt.series, tt.opt, err, tt.want)
		}
	}
}

func TestBadInput(t *testing.T) {
	a := mustNew(t, Options{Method: Share}, Series{"package", 0, []int{0}})
	read(t, a, 0, 10, 1)
	for want, err := range map[string]error{
		"reading of series 1, there are 1":           a.Reading(1, 20, 2),
		"(package of package 0): reading of NaN J":   a.Reading(0, 20, math.NaN()),
		"reading of +Inf J at 20 ns":                 a.Reading(0, 20, math.Inf(1)),
		"time goes from 10 to 10 ns":                 a.Reading(0, 10, 2),
		"energy goes back from 1 to 0.5 J at 20 ns":  a.Reading(0, 20, 0.5),
		"busy time of the key -3":                    a.Busy(-3, 0, 0, 1, 1),
		"key 7 on CPU 0 from 9 to 8 ns":              a.Busy(7, 0, 9, 8, 1),
		"key 7 on CPU 0 at 8 ns: weight NaN ns":      a.Busy(7, 0, 8, 9, math.NaN()),
		"key 7 on CPU 0 at 8 ns: weight -1 ns":       a.Busy(7, 0, 8, 9, -1),
		"no series covers the CPU -1":                a.Busy(7, -1, 8, 9, 1),
		"reading at the time -5 ns":                  mustNew(t, Options{Method: Share}, Series{"dram", 0, []int{0}}).Reading(0, -5, 0),
		"CPU 0 from 8 to 9223372036854775807 ns":     a.Busy(7, 0, 8, math.MaxInt64, 1),
		"reading at the time 9223372036854775807 ns": a.Reading(0, math.MaxInt64, 2),
		"key 7 on CPU 0 from -1 to 5 ns":             a.Busy(7, 0, -1, 5, 1),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	r := a.Finish().Series[0]
	if r.Joules != 0 || r.BusySeconds != 0 || r.OutsideSeconds != 0 {
		t.Errorf("refused input had an effect: %+v", r)
	}
}

// A counter that falls silent neither holds back the other nor collects memory,
// and CPU time that comes too late is counted, not lost.
func TestLate(t *testing.T) {
	a := mustNew(t, Options{Method: Proportional}, Series{"package", 0, []int{0}}, Series{"dram", 0, []int{0}})
	read(t, a, 0, 0, 0)
	read(t, a, 1, 0, 0)
	const n = 4000
	for i := int64(0); i < n; i++ {
		busy(t, a, 0, 0, i*10*ms, (i+1)*10*ms, 10*ms)
		read(t, a, 0, (i+1)*10*ms, float64(i+1))
		a.Advance((i + 1) * 10 * ms)
	}
	if got, limit := len(a.groups[0].pending), int(readingDelay/(10*ms))+1; got > limit {
		t.Errorf("%d stretches wait, more than the %d of readingDelay", got, limit)
	}
	if err := a.Reading(1, 5000*ms, 3); !errors.Is(err, ErrLate) {
		t.Errorf("reading of shared out time: %v", err)
	}
	read(t, a, 1, n*10*ms, 8)
	mark := a.groups[0].mark
	if err := a.Busy(1, 0, mark-ms, mark+ms, 2*ms); !errors.Is(err, ErrLate) {
		t.Errorf("busy in shared out time: %v", err)
	}
	for i, s := range a.Finish().Series {
		want := []float64{n, 8}[i]
		if math.Abs(s.ByKey[0]+s.ByKey[1]-want) > 1e-9 || s.ByKey[1] <= 0 {
			t.Errorf("%v: keys got %v, want a sum of %v and some for both", s.Series, s.ByKey, want)
		}
		if math.Abs(s.OutsideSeconds-0.001) > 1e-12 {
			t.Errorf("%v: outside %v s, want 0.001", s.Series, s.OutsideSeconds)
		}
	}
}
