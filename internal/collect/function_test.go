package collect

import (
	"math"
	"testing"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// A function is one in all processes and at all of its addresses; code without a name is one of its file; the same
// name in two files is two, and so is code that two processes made.
func TestFunctions(t *testing.T) {
	a, b := &pprofile.Mapping{Start: 0x1000, Limit: 0x9000, File: "/bin/a"}, &pprofile.Mapping{Start: 0x10000, Limit: 0x19000, File: "/bin/b"}
	named := func(m *pprofile.Mapping, addr uint64, name string) *pprofile.Location {
		l := &pprofile.Location{Address: addr, Mapping: m}
		if name != "" {
			l.Lines = []pprofile.Frame{{Function: name}}
		}
		return l
	}
	// In the order in which the stream shows the places, behind the five frames that are none.
	places := []*pprofile.Location{nil, nil, nil, nil, nil,
		named(a, 0x1010, "work"), named(a, 0x1020, "work"), named(a, 0x1030, ""), named(a, 0x1040, ""), named(b, 0x10010, "work"), nil, nil}
	s := newStream(t, Options{Past: &Past{Locations: places, KernelVisible: true, MaxDepth: 127}})
	s.exec(10, "one")
	s.exec(11, "two")
	for _, pid := range []uint32{10, 11} {
		s.mmap(pid, 0x1000, 0x8000, 0, "/bin/a")
		s.mmap(pid, 0x10000, 0x9000, 0, "/bin/b")
		s.mmap(pid, 0x20000, 0x9000, 0, "//anon")
		for _, addr := range []uint64{0x1010, 0x1020, 0x1030, 0x1040, 0x10010, 0x20010} {
			s.sample(pid, pid, addr)
		}
	}
	s.sample(10, 10, 0xdead)
	first := map[attribution.Key][2]int32{}
	for id := range s.stacks.list {
		f, pool := s.function(attribution.Key(id))
		first[attribution.Key(id)] = [2]int32{f, pool}
	}
	s.symbolise()
	var got [][2]int32
	for id := range s.stacks.list {
		f, pool := s.function(attribution.Key(id))
		got = append(got, [2]int32{f, pool})
		if first[attribution.Key(id)] != got[id] {
			t.Errorf("stack %d is %v before the end and %v after", id, first[attribution.Key(id)], got[id])
		}
	}
	want := [][2]int32{{0, 0}, {0, 0}, {1, 0}, {1, 0}, {2, 1}, {3, 2}, {0, 0}, {0, 0}, {1, 0}, {1, 0}, {2, 1}, {4, 3}, {5, 4}}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("functions and pools %v, want %v", got, want)
		}
	}
}

// Names that were looked up during the recording are those of the end, and no address is asked for twice.
func TestNamesOnDemand(t *testing.T) {
	s := newStream(t, Options{Proc: "/proc", Resolver: symbol.New(symbol.Options{})})
	self, err := parseMaps([]byte("00400000-00500000 r-xp 00000000 00:00 0 /proc/self/exe\n"))
	if err != nil {
		t.Fatal(err)
	}
	s.exec(10, "app")
	s.table.mmap(10, self[0])
	s.sample(10, 10, 0x400100)
	s.sample(10, 10, 0x400100)
	early := s.located(int32(len(s.stacks.locations.list) - 1))
	r := s.Finish()
	late := r.Data.Stacks[0].Locations[0]
	if early.Address != late.Address || len(early.Lines) != len(late.Lines) {
		t.Errorf("early %+v, late %+v", early, late)
	}
}

// Counts of another event are the weights: who has three times as many pays three times as much, whatever the
// clock says; lost time and that of others weighs what time weighed on average.
func TestWeight(t *testing.T) {
	opt := withEnergy(attribution.Proportional)
	opt.Events = []Event{{Name: "cpu-clock", Clock: true, Period: ms}, {Name: "cycles", Weight: true}}
	s := newStream(t, opt)
	s.exec(10, "app")
	s.mmap(10, 0x1000, 0x8000, 0, "/bin/a")
	s.Energy(0, int64(s.now), 0)
	s.now += 20 * ms
	for i := range 100 {
		s.sample(10, 10, 0x1010)
		s.now += ms
		addr, counts := uint64(0x1020), uint64(3000)
		if i%2 == 1 {
			addr, counts = 0x1030, 1000
		}
		s.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10, Time: s.now,
			Period: counts, IP: addr, Callchain: []uint64{perfring.ContextUser, addr}}, 0, 1)
	}
	s.Missed(0, int64(s.now), int64(s.now)+50*ms, 50*ms)
	s.now += 100 * ms
	s.Busy(0, second, int64(s.now), 250*ms)
	s.Energy(0, int64(s.now), 10)
	r := s.Finish()
	joules := map[uint64]float64{}
	for _, st := range r.Data.Stacks {
		joules[st.Locations[0].Address] += st.Joules[0]
	}
	c := r.Data.Columns[0]
	if math.Abs(joules[0x1020]-3*joules[0x1030]) > 1e-9 || joules[0x1010] != 0 {
		t.Errorf("joules %v", joules)
	}
	own := joules[0x1020] + joules[0x1030] // of 100 ms
	if math.Abs(c.Synthetic.Lost-own/2) > 1e-4*own || math.Abs(c.Synthetic.Other-own) > 1e-4*own {
		t.Errorf("%v J of 100 ms, lost %v of 50 ms, others %v of 100 ms", own, c.Synthetic.Lost, c.Synthetic.Other)
	}
	if ns := s.Books().LostNanoseconds; ns != 50*ms {
		t.Errorf("lost %d ns", ns)
	}
}

// Without a clock the first event is what is counted and what energy goes by; there is no CPU time.
func TestNoClock(t *testing.T) {
	opt := withEnergy(attribution.Proportional)
	opt.Events, opt.NoOthers = []Event{{Name: "cycles"}, {Name: "cache-misses"}}, true
	s := newStream(t, opt)
	s.exec(10, "app")
	s.mmap(10, 0x1000, 0x8000, 0, "/bin/a")
	s.Energy(0, int64(s.now), 0)
	s.now += 20 * ms
	for range 10 {
		s.now += ms
		s.sample(10, 10, 0x1010)
	}
	s.put(&perfring.Lost{SampleID: perfring.SampleID{Time: s.tick()}, Lost: 10})
	s.Energy(0, int64(s.tick()), 4)
	r := s.Finish()
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	if p.SampleType[1].Type != "cycles" || p.SampleType[2].Type != "cache-misses" || p.PeriodType.Type != "cycles" {
		t.Errorf("types %v, period of %v", p.SampleType, p.PeriodType)
	}
	if got := r.Data.Stacks[0].Joules[0]; math.Abs(got-2) > 1e-6 || r.Data.LostSamples != 10 {
		t.Errorf("%v J and %d lost samples, want 2 J and 10", got, r.Data.LostSamples)
	}
}
