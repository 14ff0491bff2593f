package rapl

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// tscScale makes the time stamp counter an energy counter of some watts.
const tscScale = 1e-9

// openTSC opens msr/tsc/ as a source of energy, on real perf events. Where CI
// is set a machine that has the PMU must let us.
func openTSC(t *testing.T) Source {
	t.Helper()
	if _, err := pmu.NewFS("", "").PMU("msr"); errors.Is(err, pmu.ErrNoPMU) {
		t.Skipf("the machine has no counter to stand for energy: %v", err)
	}
	s, err := OpenEvent(Machine{}, "msr/tsc/", tscScale)
	if errors.Is(err, fs.ErrPermission) && os.Getenv("CI") != "true" {
		t.Skipf("this user may not count system wide: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestLiveSource(t *testing.T) {
	s := openTSC(t)
	info := s.Info()
	online, err := Machine{}.online()
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Domains) != 1 || !slices.Equal(info.Domains[0].CPUs, everyCPU(online)) || !info.Measured || info.Name != "msr/tsc/" {
		t.Errorf("%+v", info)
	}
	last, moment := read(t, s)
	for range 1000 {
		j, m := read(t, s)
		if j[0] <= last[0] || m.Before < moment.After || m.After < m.Before || m.Dropped != 0 {
			t.Fatalf("%v J at %+v behind %v J at %+v", j, m, last, moment)
		}
		last, moment = j, m
	}
}

// The kernel stamps a counter of constant rate into samples of a clock that
// leads its group, and the series is one line.
func TestLiveRecorder(t *testing.T) {
	s := openTSC(t)
	o := recordLive(t, s)[0]
	n := len(o.t) - 1
	joules, seconds := o.joules[n], float64(o.t[n]-o.t[0])*1e-9
	for i, ns := range o.t {
		if want := joules * float64(ns-o.t[0]) * 1e-9 / seconds; math.Abs(o.joules[i]-want) > 0.005*joules {
			t.Errorf("point %d: %v J, want %v", i, o.joules[i], want)
		}
	}
}

// So it does with the energy counters of a machine that has some.
func TestLiveEnergyRecorder(t *testing.T) {
	s, err := Open(Machine{}, "perf")
	if err != nil {
		t.Skip(err)
	}
	defer s.Close()
	recordLive(t, s)
}

// recordLive records a source for a second, with stamps in the rings of other
// events, and returns the series of each domain: of the energy that the source's
// own counters have, and stamped.
func recordLive(t *testing.T, s Source) []series {
	t.Helper()
	owners, rings := map[int]*perfring.Event{}, []*perfring.Ring{}
	decoder := perfring.NewDecoder()
	for _, c := range s.(*meter).Counters() {
		if owners[c.CPU] != nil {
			continue
		}
		owner, err := perfring.Open(&perfring.Attr{
			Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY, Sample: 1,
			SampleFormat: perfring.SampleIdentifier | perfring.SampleTime,
			Flags:        perfring.FlagUseClockID | perfring.FlagSampleIDAll,
			ClockID:      unix.CLOCK_MONOTONIC,
		}, -1, c.CPU, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer owner.Close()
		ring, err := perfring.MapRing(owner, 16)
		if err != nil {
			t.Fatal(err)
		}
		defer ring.Close()
		owners[c.CPU], rings = owner, append(rings, ring)
		decoder.Add(&owner.Attr, owner.ID)
	}
	r := NewRecorder(s, 10*time.Millisecond)
	if err := r.OpenStamps(func(cpu int) *perfring.Event { return owners[cpu] }); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.StampEvents() {
		decoder.Add(&e.Attr, e.ID)
	}
	drain := func() {
		for _, ring := range rings {
			ring.Drain(func(record []byte) {
				rec, err := decoder.Decode(record)
				if err != nil {
					t.Fatal(err)
				}
				switch rec := rec.(type) {
				case *perfring.Sample:
					r.Stamp(rec)
				case *perfring.Throttle:
					r.Throttled(rec.ID, int64(rec.Time))
				}
			})
		}
	}

	first, _ := read(t, s)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	out := make([]series, len(s.Info().Domains))
	for range 4 {
		time.Sleep(anchorEvery) // the time that is measured; nothing waits for anything
		if err := r.Poll(); err != nil {
			t.Fatal(err)
		}
		drain()
		now, err := clock(unix.CLOCK_MONOTONIC)
		if err != nil {
			t.Fatal(err)
		}
		take(t, r, now, out)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	drain()
	take(t, r, math.MaxInt64, out)
	last, _ := read(t, s)

	for d, o := range out {
		n := len(o.t) - 1
		// The platform's counter of some servers moves by a joule at once.
		whole, unit := last[d]-first[d], s.Info().Domains[d].Unit
		if joules := o.joules[n]; joules > whole || joules < 0.99*whole-2*unit {
			t.Errorf("%s: %v J recorded, %v J counted around it", s.Info().Domains[d], joules, whole)
		}
	}
	seconds := float64(out[0].t[len(out[0].t)-1]-out[0].t[0]) * 1e-9
	b := r.Books()
	t.Logf("%d series in %.3f s: %+v", len(out), seconds, b)
	if b.Switched != "" {
		// A virtual machine that is not run for a while loses its timers.
		if os.Getenv("CI") == "true" || !strings.Contains(b.Switched, "no stamps came") {
			t.Fatalf("the stamps were given up: %s", b.Switched)
		}
		t.Skipf("the stamps were given up: %s", b.Switched)
	}
	// One that did not move is no point.
	points := float64(b.Stamps + b.ZeroDeltas)
	if rate := points / seconds / float64(len(out)); b.Stamps == 0 || rate < 50 || rate > 115 {
		t.Errorf("%.1f stamps per second, want 100", rate)
	}
	return out
}

// A CPU without a ring, and a ring of another CPU, leave the recorder polling.
func TestLiveStampsRefused(t *testing.T) {
	s := openTSC(t)
	r := NewRecorder(s, 0)
	if err := r.OpenStamps(func(int) *perfring.Event { return nil }); err == nil {
		t.Fatal("stamps without a ring")
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	out := make([]series, 1)
	take(t, r, math.MaxInt64, out)
	if len(out[0].t) != 2 || r.Books().Switched == "" || r.Every() != DefaultInterval {
		t.Errorf("%+v, %+v", out, r.Books())
	}
}

func TestLiveEventRefused(t *testing.T) {
	// A PMU that a captured tree has and this kernel has not.
	m := tree(t, cpuinfo("", 0, 0, "")+cpus("0 0 0")+"-- sys/bus/event_source/devices/odd/type --\n4294967\n-- sys/bus/event_source/devices/odd/format/event --\nconfig:0-63\n")
	var refused *perfring.OpenError
	if _, err := OpenEvent(m, "odd/event=1/", 1); !errors.As(err, &refused) {
		t.Errorf("%v, want an OpenError", err)
	}
}

// BenchmarkRead is what a reading costs: 100 of them a second must not show.
func BenchmarkRead(b *testing.B) {
	for _, kind := range []string{"model", "event"} {
		b.Run(kind, func(b *testing.B) {
			s, err := Open(Machine{}, "model")
			if kind == "event" {
				s, err = OpenEvent(Machine{}, "msr/tsc/", tscScale)
			}
			if err != nil {
				b.Skip(err)
			}
			defer s.Close()
			joules := make([]float64, len(s.Info().Domains))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Read(joules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
