package collect

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
)

func withEnergy(method attribution.Method, domains ...rapl.Domain) Options {
	if domains == nil {
		domains = []rapl.Domain{{Name: "package", CPUs: []int{0, 1}, Sum: true}}
	}
	return Options{
		Energy:      rapl.Info{Name: "test", Measured: true, Domains: domains},
		Attribution: attribution.Options{Method: method},
	}
}

// at is a clock sample at a time of its own.
func (s *stream) at(cpu int, pid uint32, t, period uint64, ip uint64) {
	s.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: pid, TID: pid, Time: t, Period: period, IP: ip}, cpu, 0)
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

// One second at 10 W on two CPUs: CPU 0 has 600 ms of our samples and 100 ms that were lost, CPU 1 was
// busy for 300 ms with others.
func TestEnergyIsShared(t *testing.T) {
	s := newStream(t, withEnergy(attribution.Proportional))
	s.exec(10, "app")
	s.Energy(0, second, 0)
	for i := range uint64(60) {
		s.at(0, 10, second+(i+1)*10*ms, 10*ms, 0x1000+i%3)
	}
	s.Record(&perfring.Lost{SampleID: perfring.SampleID{Time: second + 700*ms}, Lost: 10}, 0, -1)
	s.Energy(0, 2*second, 10)
	s.Busy(0, second, 2*second, 690*ms) // ticks: less than what was sampled
	s.Busy(1, second, 2*second, 300*ms)
	s.Advance(2 * second)
	r := s.Finish()
	c := r.Data.Columns[0]
	var own float64
	for _, st := range r.Data.Stacks {
		own += st.Joules[0]
	}
	if !near(own, 6) || !near(c.Synthetic.Lost, 1) || !near(c.Synthetic.Other, 3) || !near(c.Joules, 10) {
		t.Errorf("own %v, %+v", own, c)
	}
	if b := s.Books(); b.LostSamples != 10 || b.LostNanoseconds != 100*ms || b.Refused != 0 {
		t.Errorf("books %+v", b)
	}
	if r.Data.LostSamples != 10 || r.Data.LostNanoseconds != 100*ms {
		t.Errorf("lost in the profile: %d samples, %d ns", r.Data.LostSamples, r.Data.LostNanoseconds)
	}
}

// The kernel's windows do not end where samples do: time is taken from each window once.
func TestBusyWindows(t *testing.T) {
	s := newStream(t, withEnergy(attribution.Proportional))
	s.exec(10, "app")
	s.Energy(0, second, 0)
	for i := range uint64(200) { // half of the CPU for 2 s
		s.at(0, 10, second+(i+1)*10*ms, 5*ms, 0x1000)
	}
	s.Busy(0, second, second+1003*ms, 1003*ms)
	s.Busy(0, second+1003*ms, 3*second, 997*ms)
	s.Energy(0, 3*second, 20)
	s.Advance(3 * second)
	if c := s.Finish().Data.Columns[0]; !near(math.Round(c.Synthetic.Other*100)/100, 10) {
		t.Errorf("others got %v J of 20 J, want half", c.Synthetic.Other)
	}
}

// What was sampled before the first window is none of its busy time.
func TestBusyWindowBegins(t *testing.T) {
	s := newStream(t, withEnergy(attribution.Proportional))
	s.Energy(0, second, 0)
	s.at(0, 10, second, 500*ms, 0x1000)
	s.Busy(0, second, 2*second, 400*ms)
	s.Energy(0, 2*second, 10)
	if c := s.Finish().Data.Columns[0]; !near(c.Synthetic.Other, 10) {
		t.Errorf("others got %v J of 10 J", c.Synthetic.Other)
	}
}

// Samples that were lost before anything was seen of their CPU lie in the time that they stand for.
func TestFirstLoss(t *testing.T) {
	opt := withEnergy(attribution.Proportional)
	opt.Events = []Event{{Name: "cpu-clock", Clock: true, Period: ms}}
	s := newStream(t, opt)
	s.Energy(0, second, 0)
	s.Energy(0, 2*second, 10)
	s.Energy(0, 3*second, 10)
	s.at(1, 10, 2*second, second, 0x1000)
	s.Record(&perfring.Lost{SampleID: perfring.SampleID{Time: 3 * second}, Lost: 2000}, 0, -1)
	if c := s.Finish().Data.Columns[0]; !near(c.Synthetic.Lost, 5) {
		t.Errorf("lost samples got %v J, want half of the first second's", c.Synthetic.Lost)
	}
}

// Energy waits for the busy windows, but not for ever.
func TestAdvanceIsHeldBack(t *testing.T) {
	s := newStream(t, withEnergy(attribution.Proportional))
	s.at(0, 10, 2*second, 4*ms, 0x1000)
	s.Busy(0, second, 2*second, 1)
	s.Advance(3 * second)
	if s.energy.advanced != 2*second {
		t.Errorf("advanced to %d, want the end of the busy window", s.energy.advanced)
	}
	s.Advance(20 * second)
	if want := int64(20*second - 4*ms - busyPatience); s.energy.advanced != want {
		t.Errorf("advanced to %d, want %d", s.energy.advanced, want)
	}
	// Losses are settled after the end of the stream, and must still earn joules.
	s.Energy(0, 20*second, 0)
	s.Energy(0, 21*second, 10)
	s.Advance(math.MaxInt64)
	s.Record(&perfring.Lost{SampleID: perfring.SampleID{Time: 21 * second}, Lost: 1}, 0, -1)
	if c := s.Finish().Data.Columns[0]; c.Synthetic.Lost <= 0 {
		t.Errorf("lost samples got no joules: %+v", c)
	}
}

// A late sample earns joules at the time that is not yet shared out.
func TestLateSampleEarnsJoules(t *testing.T) {
	opt := withEnergy(attribution.Proportional)
	opt.SystemWide = true
	s := newStream(t, opt)
	s.Energy(0, 0, 0)
	s.Energy(0, second, 5)
	s.Advance(second)
	s.at(0, 10, second-ms, ms, 0x1000)
	s.Energy(0, 2*second, 12)
	r := s.Finish()
	if j := r.Data.Stacks[0].Joules[0]; !near(j, 7) {
		t.Errorf("%v J, want the 7 J of the second second", j)
	}
}

func TestFurtherEvents(t *testing.T) {
	opt := withEnergy(attribution.Share)
	opt.Events = []Event{{Name: "cycles"}, {Name: "task-clock", Clock: true, Period: 2 * ms}, {Name: "faults"}}
	s := newStream(t, opt)
	s.exec(10, "app")
	sample := func(event int, period uint64) {
		s.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10, Time: s.tick(),
			Period: period, IP: 0x1000}, 0, event)
	}
	sample(0, 5000)
	sample(1, 0) // carries no period
	sample(2, 3)
	sample(0, 7000)
	// Half of the samples... of 4 were 1 of the clock, so a quarter of the lost.
	s.Record(&perfring.Lost{Lost: 8}, 0, -1)
	s.Record(&perfring.LostSamples{Lost: 5}, 0, 0) // of the hardware's event: no CPU time
	s.Record(&perfring.LostSamples{Lost: 1}, 0, 1)
	r := s.Finish()
	st := r.Data.Stacks[0]
	if len(r.Data.Stacks) != 1 || st.Samples != 1 || st.Nanoseconds != 2*ms || st.Events[0] != 12000 || st.Events[1] != 3 {
		t.Errorf("stacks %+v", r.Data.Stacks)
	}
	if r.Data.LostSamples != 3 || r.Data.LostNanoseconds != 6*ms {
		t.Errorf("lost %d, %d ns; want 3, 6 ms", r.Data.LostSamples, r.Data.LostNanoseconds)
	}
	if _, err := r.Profile(); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	clock := []Event{{Name: "cpu-clock", Clock: true}}
	for name, opt := range map[string]Options{
		"no events":          {},
		"an event twice":     {Events: append(clock, Event{Name: "cycles"}, Event{Name: "cycles"})},
		"negative stacks":    {Events: clock, MaxStacks: -1},
		"domain of no CPUs":  {Events: clock, Energy: rapl.Info{Measured: true, Domains: []rapl.Domain{{Name: "psys"}}}},
		"unknown method":     {Events: clock, CPUs: []int{0}, Energy: rapl.Info{Measured: true, Domains: []rapl.Domain{{Name: "psys"}}}},
		"estimate of no sum": {Events: clock, CPUs: []int{0}, Energy: rapl.Info{Domains: []rapl.Domain{{Name: "psys"}}}, Attribution: attribution.Options{Method: attribution.Share}},
	} {
		if _, err := New(opt); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ok := Options{Events: clock, CPUs: []int{0}, Attribution: attribution.Options{Method: attribution.Share},
		Energy: rapl.Info{Measured: true, Domains: []rapl.Domain{{Name: "psys"}}}}
	if _, err := New(ok); err != nil {
		t.Errorf("a domain of all CPUs: %v", err)
	}
}

// Nothing is lost on the way, whatever the records are and in whatever order they come: the energy of the
// profile is what the counters say, its time what the samples and losses say.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := withEnergy(rapid.SampledFrom([]attribution.Method{attribution.Proportional, attribution.Share}).Draw(t, "method"),
			rapl.Domain{Name: "package", CPUs: []int{0, 1}, Sum: true},
			rapl.Domain{Name: "package", Package: 1, CPUs: []int{2}, Sum: true},
			rapl.Domain{Name: "cores", CPUs: []int{0, 1}})
		opt.SystemWide = rapid.Bool().Draw(t, "system wide")
		opt.MaxStacks = rapid.SampledFrom([]int{4, 1000}).Draw(t, "stacks")
		opt.Events = []Event{{Name: "cpu-clock", Clock: true, Period: ms}}
		c, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		var samples, ns, lost int64
		joules := make([]float64, 3)
		read := make([]int, 3)
		now := int64(second)
		id := rapid.Uint32Range(1, 6)
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			now += rapid.Int64Range(0, 300*ms).Draw(t, "step")
			cpu := rapid.IntRange(0, 3).Draw(t, "cpu") // CPU 3 has no counter
			// Now and then a record is late.
			when := uint64(max(0, now-rapid.SampledFrom([]int64{0, 0, 0, 50 * ms, 20 * second}).Draw(t, "late")))
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2, 3:
				period := rapid.Uint64Range(0, 30*ms).Draw(t, "period")
				c.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: id.Draw(t, "pid"), TID: id.Draw(t, "tid"),
					Time: when, Period: period, IP: rapid.Uint64Range(0, 0x3000).Draw(t, "ip")}, cpu, 0)
				if period == 0 {
					period = ms
				}
				samples++
				ns += int64(period)
			case 4:
				n := rapid.Uint64Range(0, 100).Draw(t, "lost")
				c.Record(&perfring.Lost{SampleID: perfring.SampleID{Time: when}, Lost: n}, cpu, -1)
				lost += int64(n)
			case 5:
				pid, ppid := id.Draw(t, "pid"), id.Draw(t, "ppid")
				c.Record(&perfring.Fork{PID: pid, TID: id.Draw(t, "tid"), PPID: ppid, PTID: ppid, Time: when}, cpu, 0)
			case 6:
				start := rapid.Uint64Range(0, 0x3000).Draw(t, "start")
				c.Record(&perfring.Mmap2{PID: id.Draw(t, "pid"), Addr: start, Len: rapid.Uint64Range(0, 0x2000).Draw(t, "len"),
					Filename: []byte("/f")}, cpu, 0)
			case 7:
				pid := id.Draw(t, "pid")
				if rapid.Bool().Draw(t, "exit") {
					c.Record(&perfring.Exit{PID: pid, TID: id.Draw(t, "tid"), Time: when}, cpu, 0)
				} else {
					c.Record(&perfring.Comm{PID: pid, TID: id.Draw(t, "tid"), Name: []byte("c"), Exec: rapid.Bool().Draw(t, "exec")}, cpu, 0)
				}
			case 8:
				d := rapid.IntRange(0, 2).Draw(t, "domain")
				if read[d] > 0 {
					joules[d] += rapid.Float64Range(0, 5).Draw(t, "joules")
				}
				now++ // readings of one domain have different times
				read[d]++
				c.Energy(d, now, joules[d])
			case 9:
				from := now - rapid.Int64Range(0, second).Draw(t, "window")
				c.Busy(cpu, from, now, rapid.Int64Range(0, now-from).Draw(t, "busy"))
				c.Advance(now)
			}
		}
		c.Advance(math.MaxInt64)
		r := c.Finish()
		if b := c.Books(); b.Refused != 0 {
			t.Fatalf("refused %d: %v", b.Refused, b.Err)
		}
		checkTime(t, r, samples, ns, lost)
		for d, col := range r.Data.Columns {
			sum := col.Synthetic.Baseline + col.Synthetic.Active + col.Synthetic.Other + col.Synthetic.Lost +
				col.Synthetic.Unattributed + col.Synthetic.Idle
			for _, st := range r.Data.Stacks {
				sum += st.Joules[d]
			}
			if !near(col.Joules, joules[d]) || !near(sum, joules[d]) {
				t.Fatalf("column %d: %v J, the parts are %v J, the counter says %v J", d, col.Joules, sum, joules[d])
			}
		}
		p, err := r.Profile()
		if err != nil {
			t.Fatal(err)
		}
		var uj int64
		for _, s := range p.Sample {
			uj += s.Value[len(s.Value)-1]
		}
		if want := math.Round(joules[0]*1e6) + math.Round(joules[1]*1e6); math.Abs(float64(uj)-want) > 1 {
			t.Fatalf("energy of the profile is %d µJ, of the counters %v µJ", uj, want)
		}
	})
}

func checkTime(t *rapid.T, r *report.Recording, samples, ns, lost int64) {
	var gotSamples, gotNs int64
	for _, st := range r.Data.Stacks {
		gotSamples += st.Samples
		gotNs += st.Nanoseconds
	}
	if gotSamples != samples || gotNs != ns {
		t.Fatalf("%d samples of %d ns in the profile, %d of %d ns were given", gotSamples, gotNs, samples, ns)
	}
	if r.Data.LostSamples != lost || r.Data.LostNanoseconds != lost*ms {
		t.Fatalf("%d lost samples of %d ns, %d of %d ns were given", r.Data.LostSamples, r.Data.LostNanoseconds, lost, lost*ms)
	}
}
