package rapl

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCounterFollow(t *testing.T) {
	msr := counter{unit: unitIntel, moduli: []uint64{msrRange}, maxWatts: maxPackageWatts}
	perf := counter{unit: math.Ldexp(1, -32), moduli: kernelSlips(), maxWatts: maxPackageWatts}
	joule := counter{unit: math.Ldexp(1, -32), moduli: kernelSlips(), maxWatts: maxPlatformWatts, step: 1}
	user := counter{unit: 1e-9}
	const second = 1 << 32 // counts of perf in a joule
	for _, c := range []struct {
		name     string
		counter  counter
		from, to uint64
		dt       float64
		ok       bool
		joules   float64
	}{
		{"growth", msr, 1000, 1000 + 1<<14, 0.01, true, 1},
		{"none", msr, 1000, 1000, 0.01, true, 0},
		{"wrap", msr, msrRange - 1<<13, 1 << 13, 0.01, true, 1},
		{"wrap to 0", msr, msrRange - 1, 0, 0.01, true, unitIntel},
		{"reset to 0 taken for no wrap", msr, 1 << 31, 0, 0.01, false, 0},
		{"leap of 500 kW", msr, 0, 1 << 14 * 5000, 0.01, false, 0},
		{"the same over a second is 5 kW", msr, 0, 1 << 14 * 5000, 1, true, 5000},
		{"back a little", msr, 1000, 999, 0.01, false, 0},
		{"kernel's sign slip at ESU 14", perf, 1 << 60, 1<<60 - 1<<50 + 20*second, 0.1, true, 20},
		{"kernel's sign slip at ESU 16", perf, 1 << 60, 1<<60 - 1<<48 + 20*second, 0.1, true, 20},
		{"perf counter set to 0", perf, 1<<60 + 12345*second, 0, 0.1, false, 0},
		{"two slips fit an hour at 5 kW", perf, 1 << 60, 1<<60 - 1<<46 + 1, 3600, false, 0},
		{"psys steps by 1 J at once", joule, 0, second, 0.001, true, 1},
		{"a user's event knows no bound", user, 0, 1e15, 0.01, true, 1e6},
		{"a user's event does not wrap", user, 10, 9, 0.01, false, 0},
	} {
		if !c.counter.follow(c.from, 0) {
			t.Errorf("%s: the first value was refused", c.name)
		}
		if ok := c.counter.follow(c.to, c.dt); ok != c.ok || math.Abs(c.counter.joules()-c.joules) > 1e-9 {
			t.Errorf("%s: followed %v with %v J, want %v with %v J", c.name, ok, c.counter.joules(), c.ok, c.joules)
		}
		// Whatever it was, the counter goes on from where it is.
		before := c.counter.joules()
		ok := c.counter.follow(c.to+5, c.dt)
		if grown := c.counter.joules() - before; !ok || grown <= 0 || grown > 5.001*c.counter.unit {
			t.Errorf("%s: afterwards %v with %v J more", c.name, ok, grown)
		}
	}
}

// A register of any width gives the exact total, however often it wraps, as long
// as it wraps at most once between two readings.
func TestCounterTotalIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		modulus := rapid.SampledFrom([]uint64{msrRange, 262143328911, 65712999628, 1000}).Draw(t, "modulus")
		c := counter{unit: 1e-6, moduli: []uint64{modulus}}
		raw := rapid.Uint64Range(0, modulus-1).Draw(t, "start")
		c.follow(raw, 0)
		var total uint64
		for _, grow := range rapid.SliceOfN(rapid.Uint64Range(0, modulus-1), 1, 100).Draw(t, "growth") {
			total += grow
			raw = (raw + grow) % modulus
			if !c.follow(raw, 0.01) {
				t.Fatalf("growth by %d was not followed", grow)
			}
		}
		if c.count != total {
			t.Fatalf("counted %d, want %d", c.count, total)
		}
	})
}

// scripted is a meter of one register whose values and clocks the test sets.
type scripted struct {
	meter
	value      uint64
	err        error
	mono, boot int64
}

func newScripted(t testing.TB, c channel) *scripted {
	s := &scripted{mono: 1e9, boot: 5e9}
	c.read = func() (uint64, error) { return s.value, s.err }
	s.meter = meter{info: Info{Name: "scripted", Domains: []Domain{{Name: "package"}}}, channels: []channel{c},
		clocks: func() (reading, error) {
			return reading{mono: s.mono, low: s.boot - s.mono, high: s.boot - s.mono}, nil
		}}
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scripted) pass(d time.Duration) { s.mono += int64(d); s.boot += int64(d) }

func TestMeterSuspend(t *testing.T) {
	s := newScripted(t, channel{counter: counter{unit: 1e-6, moduli: []uint64{1e9}, maxWatts: maxPackageWatts}})
	s.pass(time.Second)
	s.value = 3e6
	if j, m := read(t, s); j[0] != 3 || m.Dropped != 0 {
		t.Fatalf("%v J, %+v", j, m)
	}
	s.pass(time.Second)
	s.boot += int64(time.Hour)
	s.value = 4e6 // plausible as a difference, but of an hour that nobody saw
	if j, m := read(t, s); j[0] != 3 || m.Dropped != 1 {
		t.Errorf("across a suspend: %v J, %+v; want 3 J and one drop", j, m)
	}
	s.pass(time.Second)
	s.value = 6e6
	if j, m := read(t, s); j[0] != 5 || m.Dropped != 0 {
		t.Errorf("after a suspend: %v J, %+v; want 5 J", j, m)
	}
	if !noted(s, "1 intervals of 1.000 s", "1 across a suspend", "in 0") {
		t.Errorf("the drop is not said: %q", s.Info().Notes)
	}
}

func TestMeterReset(t *testing.T) {
	for _, c := range []struct {
		name    string
		values  []uint64 // µJ, 10 ms apart
		want    []float64
		dropped int
	}{
		{"set to 0", []uint64{101e6, 0, 1e6, 3e6}, []float64{1, 1, 2, 4}, 1},
		{"reads 0 once", []uint64{101e6, 0, 102e6, 103e6}, []float64{1, 1, 2, 3}, 1},
		{"reads 0 twice", []uint64{101e6, 0, 0, 103e6}, []float64{1, 1, 1, 3}, 1},
		{"leaps once", []uint64{101e6, 5e12, 102e6, 103e6}, []float64{1, 1, 2, 3}, 1},
		{"leaps and stays", []uint64{101e6, 5e12, 5e12 + 1e6}, []float64{1, 1, 2}, 1},
	} {
		s := newScripted(t, channel{counter: counter{unit: 1e-6, moduli: []uint64{262143328911}, maxWatts: maxPackageWatts}})
		s.channels[0].last = 100e6
		var got []float64
		dropped := 0
		for _, v := range c.values {
			s.pass(10 * time.Millisecond)
			s.value = v
			j, m := read(t, s)
			got, dropped = append(got, j[0]), dropped+m.Dropped
		}
		if !slices.Equal(got, c.want) || dropped != c.dropped {
			t.Errorf("%s: %v J with %d drops, want %v with %d", c.name, got, dropped, c.want, c.dropped)
		}
		if !noted(s, "package 0", "left out") {
			t.Errorf("%s: the drop is not said: %q", c.name, s.Info().Notes)
		}
	}
}

func TestMeterError(t *testing.T) {
	s := newScripted(t, channel{counter: counter{unit: 1}})
	s.pass(time.Second)
	s.err = errors.New("gone")
	if _, err := s.Read([]float64{0}); !errors.Is(err, s.err) {
		t.Errorf("a failing register gave %v", err)
	}
	s.err, s.value = nil, 7
	s.pass(time.Second)
	if j, _ := read(t, s); j[0] != 7 {
		t.Errorf("after a failure %v J, want 7", j)
	}
	if _, err := s.Read(nil); err == nil {
		t.Error("room for no domain was enough")
	}
}

func TestMeterNotes(t *testing.T) {
	s := newScripted(t, channel{counter: counter{unit: 1e-6, moduli: []uint64{65712999628}}})
	s.pass(10 * time.Minute)
	read(t, s)
	if !noted(s, "has not moved in 600.0 s") || !noted(s, "600 s apart", "wrapped twice") {
		t.Errorf("notes are %q", s.Info().Notes)
	}
}

// The integral of a power that is linear in time is exact, whatever the readings.
func TestMeterIntegratesPower(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newScripted(t, channel{watts: true})
		start := s.mono
		power := func() float64 { return 20e6 + 3e6*float64(s.mono-start)*1e-9 } // µW
		s.channels[0].lastMicroW = uint64(power())
		for _, ms := range rapid.SliceOfN(rapid.Int64Range(1, 5000), 1, 50).Draw(rt, "ms") {
			s.pass(time.Duration(ms) * time.Millisecond)
			s.value = uint64(power())
			read(t, s)
		}
		seconds := float64(s.mono-start) * 1e-9
		want := 20*seconds + 1.5*seconds*seconds
		if got := s.channels[0].joules(); math.Abs(got-want) > 1e-6*want+1e-6 {
			rt.Fatalf("%v J in %v s, want %v", got, seconds, want)
		}
	})
}
