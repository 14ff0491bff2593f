package collect

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/attribution"
)

// Sampling that stands for more or less than was loaded does not become traffic of anybody else.
func TestTrafficBeyondLoads(t *testing.T) {
	for _, tt := range []struct {
		name   string
		beside float64 // bytes beyond the loads, of what they load
		within float64 // of all loads
	}{{"nothing", 0, 0.01}, {"a tenth", 0.1, 0.005}, {"twice", 2, 0.005}} {
		var given, least float64
		var tr traffic
		g, err := tr.group([]int{0})
		if err != nil {
			t.Fatal(err)
		}
		tr.give = func(cpu int, from, to int64, bytes float64) { given, least = given+bytes, min(least, bytes) }
		s := &trafficSeries{group: g}
		g.series, tr.series = []*trafficSeries{s}, map[[2]int]*trafficSeries{{0, 0}: s}
		rng := uint64(1)
		const n, mean = 3000, 1e6 // readings; lines in each, on 20 samples with an error of a quarter of one each
		counted := 0.0
		for i := range int64(n) {
			tr.read(0, 0, i*slotLength, counted)
			counted += mean * (1 + tt.beside)
			rng = rng*6364136223846793005 + 1442695040888963407
			noise := float64(int64(rng>>11)%2001-1000) / 1000 // even, between -1 and 1
			tr.loaded(0, i*slotLength, (i+1)*slotLength, 64*mean*(1+0.4*noise))
			tr.advance(i * slotLength)
		}
		tr.read(0, 0, n*slotLength, counted)
		tr.finish()
		loads := 64 * mean * n
		if off := given/loads - tt.beside; math.Abs(off) > tt.within || least < 0 {
			t.Errorf("%s: %.4f of the loads beside them, want %.2f", tt.name, given/loads, tt.beside)
		}
		if len(g.slots) != 0 {
			t.Errorf("%s: %d slots are left", tt.name, len(g.slots))
		}
	}
}

// Controllers that are read so rarely that nobody waits for it have nothing beyond the loads, rather than all of what was
// counted beyond those of the last moments.
func TestTrafficReadRarely(t *testing.T) {
	for _, tt := range []struct{ every, beyond float64 }{{0.1, 1}, {4, 1}, {10, 0}} {
		tr := traffic{}
		g, err := tr.group([]int{0})
		if err != nil {
			t.Fatal(err)
		}
		tr.give = func(int, int64, int64, float64) {}
		s := &trafficSeries{group: g}
		g.series, tr.series = []*trafficSeries{s}, map[[2]int]*trafficSeries{{0, 0}: s}
		const seconds, lines = 60, 1e6 // a second, of loads and beside them
		next := 0.0
		for i := range int64(seconds*100 + 1) {
			at := i * slotLength
			if i > 0 {
				tr.loaded(0, at-slotLength, at, 64*lines/100)
			}
			if now := float64(i) / 100; now >= next {
				tr.read(0, 0, at, math.Round(2*lines*now))
				next += tt.every
			}
			if i%25 == 0 {
				tr.advance(at)
			}
		}
		tr.finish()
		if want := tt.beyond * 64 * lines * seconds; math.Abs(tr.beyond-want) > 0.01*64*lines*seconds {
			t.Errorf("read every %v s: %.3g bytes beyond the loads, want %.3g", tt.every, tr.beyond, want)
		}
	}
}

func TestLessen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float64Range(-100, 100), 1, 40).Draw(t, "v")
		var all float64
		for _, x := range v {
			all += x
		}
		if all <= 1e-3 {
			return
		}
		sum := all * rapid.Float64Range(0.01, 1).Draw(t, "part")
		w := slices.Clone(v)
		lessen(w, sum)
		var got float64
		for i, x := range w {
			got += x
			if x < 0 || x > max(0, v[i])+1e-9 {
				t.Fatalf("%v became %v", v, w)
			}
		}
		if math.Abs(got-sum) > 1e-6*all {
			t.Fatalf("%v adds up to %v, want %v", w, got, sum)
		}
	})
}

func TestTrafficRefused(t *testing.T) {
	domain := func(cpus ...int) []rapl.Domain { return []rapl.Domain{{Name: "cas", CPUs: cpus}} }
	for want, change := range map[string]func(o *Options){
		"counter 3 of the memory's traffic, there are 1": func(o *Options) { o.Memory.Traffic = []int{3} },
		`"reads" of the memory's traffic is named twice`: func(o *Options) { o.Memory.Traffic = []int{0, 0} },
		`"reads" has no CPUs`:                            func(o *Options) { o.Counters[0].Domains = domain() },
		"there is no CPU -1":                             func(o *Options) { o.Counters[0].Domains = domain(-1) },
		"CPU 1 is one of those of two groups": func(o *Options) {
			o.Counters = append(o.Counters, rapl.CountedEvent{Name: "writes", Domains: domain(1, 2)})
			o.Memory.Traffic = []int{0, 1}
		},
		"counts of two events as weights": func(o *Options) { o.Events = []Event{{Name: "loads", Memory: true}, {Name: "cycles", Weight: true}} },
	} {
		opt := weighed(attribution.Auto)
		opt.Counters, opt.CounterMethod = []rapl.CountedEvent{{Name: "reads", Domains: domain(0, 1)}}, attribution.Auto
		opt.Memory.Traffic = []int{0}
		change(&opt)
		if _, err := New(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
