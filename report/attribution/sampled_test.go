package attribution

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// draws plays 20 s of a CPU that runs two functions and neither, by turns of 25 ms or so. What they draw costs 1 nJ and 3 nJ,
// beside 2 W, and is told by samples of so much each, of which half saw none. If it is counted, the first moves as much again
// that no sample sees, at the same price, which is key 2.
func draws(t *testing.T, opt Options, sample float64, counted bool) (r *Result, truth [3]float64) {
	t.Helper()
	opt.Sampled = &Sampled{What: "what was drawn", Rest: KeyOther}
	if counted {
		opt.Sampled.Rest = 2
	}
	a, err := New([]Series{{Domain: "dram", CPUs: []int{0}}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const (
		step = int64(10e6)
		n    = 2000
		rate = 5e8 // drawn a second, as many as not
	)
	price := [3]float64{1e-9, 3e-9, 1e-9}
	joules, f, left := 0.0, 2, int64(0)
	next := 0.0 // until the next sample
	last := int64(0)
	for i := range int64(n) {
		if err := a.Reading(0, i*step, joules); err != nil {
			t.Fatal(err)
		}
		var all, drawn float64
		for at := i * step; at < (i+1)*step; {
			if left <= 0 {
				f, left = rng.IntN(3), int64(rng.ExpFloat64()*25e6)
			}
			to := min((i+1)*step, at+max(1, left))
			left -= to - at
			amount := rate * float64(to-at) / 1e9
			if f == 2 { // idle
				at = to
				continue
			}
			truth[f] += amount * price[f]
			joules += amount * price[f]
			all += amount
			if counted && f == 0 { // as much again beside the first
				truth[2] += amount * price[2]
				joules += amount * price[2]
				all += amount
			}
			for next += 2 * amount; next >= sample; next -= sample {
				weight, key := 0.0, opt.Sampled.Rest
				if rng.Float64() < 0.5 {
					weight, key = sample, Key(f)
				}
				now := to - int64((next-sample)/(2*rate)*1e9)
				if err := a.Busy(key, 0, min(last, now), now, weight); err != nil {
					t.Fatal(err)
				}
				last = now
				drawn += weight
			}
			at = to
		}
		joules += 2 * float64(step) / 1e9
		if counted && all > drawn {
			if err := a.Busy(2, 0, i*step, (i+1)*step, all-drawn); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Reading(0, n*step, joules); err != nil {
		t.Fatal(err)
	}
	return a.Finish(), truth
}

// Few draws are wrong by more, and right on average all the same, since the errors are known.
func TestDraws(t *testing.T) {
	for sample, within := range map[float64]float64{1e5: 0.01, 5e5: 0.04} {
		r, truth := draws(t, Options{Method: Auto}, sample, false)
		got := r.Series[0].ByKey
		for f := range 2 {
			if off := got[f]/truth[f] - 1; math.Abs(off) > within {
				t.Errorf("samples of %.0f: function %d has %.2f J, truth %.2f", sample, f, got[f], truth[f])
			}
		}
		s := r.Series[0]
		if math.Abs(s.BaselineWatts-2) > 0.02 || s.Active != 0 || r.Method != Regression {
			t.Errorf("samples of %.0f: %s, static %.3f W, active %.3f J", sample, r.Method, s.BaselineWatts, s.Active)
		}
		for f := range 2 {
			if p := s.Functions[f]; p.Low > truth[f] || p.High < truth[f] {
				t.Errorf("samples of %.0f: function %d is %.2f J, the interval is %.2f to %.2f", sample, f, truth[f], p.Low, p.High)
			}
		}
		for _, n := range r.Notes {
			if strings.Contains(n, "CPU") || strings.Contains(n, "what runs") {
				t.Errorf("a note speaks of time: %s", n)
			}
		}
	}
}

// What goes together shares one price, and what a draw takes from the rest is not moved twice.
func TestRest(t *testing.T) {
	r, truth := draws(t, Options{Method: Regression}, 1e5, true)
	for f, want := range truth {
		if off := r.Series[0].ByKey[f]/want - 1; math.Abs(off) > 0.05 { // of 10 ms in which more was drawn than counted, the rest has nothing less
			t.Errorf("key %d has %.2f J, truth %.2f", f, r.Series[0].ByKey[f], want)
		}
	}
}

// What explains nothing has nothing.
func TestDrawsExplainNothing(t *testing.T) {
	a, err := New([]Series{{Domain: "dram", CPUs: []int{0}}}, Options{Method: Auto, Sampled: &Sampled{What: "what was drawn", Rest: KeyOther}})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	joules := 0.0
	for i := range int64(1000) {
		if err := a.Reading(0, i*10e6, joules); err != nil {
			t.Fatal(err)
		}
		joules += 0.02 + 0.001*rng.Float64()
		if err := a.Busy(Key(rng.IntN(3)), 0, i*10e6, i*10e6+5e6, 1000*rng.Float64()); err != nil {
			t.Fatal(err)
		}
	}
	r := a.Finish()
	if s := r.Series[0]; math.Abs(s.Baseline-s.Joules) > 1e-9*s.Joules {
		t.Errorf("%.3f J of %.3f are static", s.Baseline, s.Joules)
	}
	if text := strings.Join(r.Notes, "\n"); !strings.Contains(text, "the energy does not depend on what was drawn") || !strings.Contains(text, "all of it is static") {
		t.Errorf("notes: %s", text)
	}
}

func TestDrawsHaveNoShare(t *testing.T) {
	_, err := New([]Series{{Domain: "dram", CPUs: []int{0}}}, Options{Method: Share, Sampled: &Sampled{What: "what was drawn", Rest: KeyOther}})
	if err == nil || !strings.Contains(err.Error(), "what was drawn is to share out") {
		t.Errorf("%v", err)
	}
}

func TestDrawsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := Options{Method: rapid.SampledFrom([]Method{Auto, Regression, Proportional}).Draw(t, "method")}
		opt.Sampled = &Sampled{What: "what was drawn", Rest: Key(rapid.IntRange(-1, 2).Draw(t, "rest"))}
		a, err := New([]Series{{Domain: "dram", CPUs: []int{0, 1}}}, opt)
		if err != nil {
			t.Fatal(err)
		}
		joules, at := 0.0, int64(0)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			if err := a.Reading(0, at, joules); err != nil {
				t.Fatal(err)
			}
			for range rapid.IntRange(0, 4).Draw(t, "samples") {
				from := at + rapid.Int64Range(0, 10e6).Draw(t, "from")
				weight := rapid.SampledFrom([]float64{0, 1, 1e3, 1e9}).Draw(t, "weight")
				if err := a.Busy(Key(rapid.IntRange(-2, 3).Draw(t, "key")), rapid.IntRange(0, 1).Draw(t, "cpu"), from, from+rapid.Int64Range(0, 5e6).Draw(t, "length"), weight); err != nil {
					t.Fatal(err)
				}
			}
			at += 10e6
			joules += rapid.Float64Range(0, 1).Draw(t, "joules")
		}
		if err := a.Reading(0, at, joules); err != nil {
			t.Fatal(err)
		}
		s := a.Finish().Series[0]
		sum := s.Baseline + s.Active + s.Other + s.Lost + s.Unattributed + s.Idle
		for _, j := range s.ByKey {
			if j < 0 {
				t.Fatalf("%v J", s.ByKey)
			}
			sum += j
		}
		if math.Abs(sum-joules) > 1e-9*max(1, joules) {
			t.Fatalf("the parts are %v J of %v", sum, joules)
		}
	})
}
