package collect

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// Data sources as kernels give them.
const (
	l3Hit    = uint64(pebs.OpLoad | pebs.LvlHit | pebs.LvlL3 | pebs.NumL3 | pebs.SnoopNone | pebs.TLBHit | pebs.TLBL1 | pebs.TLBL2)
	ramHit   = uint64(pebs.OpLoad | pebs.LvlHit | pebs.LvlLocalRAM | pebs.NumRAM | pebs.SnoopMiss | pebs.TLBMiss | pebs.TLBL2 | pebs.LockLocked)
	pmemHit  = uint64(pebs.OpLoad | pebs.LvlHit | pebs.NumPMEM)
	storeHit = uint64(pebs.OpStore | pebs.LvlHit | pebs.LvlL1 | pebs.NumL1)
	noAccess = uint64(pebs.OpNA | pebs.LvlNA)
)

// memoryEvents are a clock, two events of accesses and one of page faults.
var memoryEvents = []Event{{Name: "cpu-clock", Clock: true, Period: ms}, {Name: "loads", Memory: true}, {Name: "stores", Memory: true}, {Name: "page-faults", Address: true}}

// access is a sample of an event of memoryEvents.
func (s *stream) access(event int, source, period, cycles, addr uint64, chain ...uint64) {
	s.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10, Time: s.tick(), Period: period,
		IP: chain[0], Callchain: append([]uint64{perfring.ContextUser}, chain...), DataSrc: source, Weight: cycles, Addr: addr}, s.cpu, event)
}

// accessText lists the stacks of a recording with what is said of their accesses, and counted there.
func accessText(r *report.Recording) string {
	var lines []string
	for i := range r.Data.Stacks {
		s := &r.Data.Stacks[i]
		line := fmt.Sprintf("%s %d %v", locationText(s.Locations[0]), s.Samples, s.Events)
		if a := s.Access; a != nil {
			line += fmt.Sprintf(" %s|%s|%s|%s|%s", a.Op, a.DataSource, a.Snoop, a.TLB, a.Locked)
			if a.HasAddress {
				line += fmt.Sprintf(" %#x", a.Address)
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Accesses of all events are the same three columns, and stacks of their own by where the data were.
func TestAccesses(t *testing.T) {
	for _, addresses := range []bool{false, true} {
		var told []string
		opt := Options{Events: memoryEvents, Memory: Memory{Addresses: addresses}}
		opt.Access = func(s *perfring.Sample, event int, stack int32) {
			told = append(told, fmt.Sprintf("%d:%d:%#x", event, stack, s.Addr))
		}
		s := newStream(t, opt)
		s.exec(10, "app")
		s.mmap(10, 0x1000, 0x1000, 0, "/bin/app")
		s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10, Time: s.tick(), IP: 0x1100})
		for range 2 {
			s.access(1, ramHit, 1000, 300, 0x7000, 0x1100)
		}
		s.access(1, l3Hit, 1000, 40, 0x7008, 0x1100)
		s.access(2, storeHit, 500, 3, 0x7000, 0x1100)
		s.access(1, noAccess, 1000, 0, 0, 0x1100)
		s.access(3, 0, 1, 0, 0x8000, 0x1200)
		// Of the idle task: an access is work all the same.
		s.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscKernel}, Time: s.tick(), Period: 7, DataSrc: l3Hit, Addr: 0x9000}, 0, 1)
		r := s.Finish()
		if _, err := r.Profile(); err != nil {
			t.Fatal(err)
		}
		at := func(addr string) string {
			if addresses {
				return " " + addr
			}
			return ""
		}
		fault := " ||||" + at("0x8000")
		if !addresses {
			fault = ""
		}
		want := strings.Join([]string{
			"/bin/app+0x100 1 [0 0 0 0]",
			"/bin/app+0x100 0 [2000 0 600000 0] LOAD|Local RAM or RAM hit|Miss|L2 miss|Yes" + at("0x7000"),
			"/bin/app+0x100 0 [1000 0 40000 0] LOAD|L3 or L3 hit|None|L1 or L2 hit|No" + at("0x7008"),
			"/bin/app+0x100 0 [0 500 1500 0] STORE|L1 or L1 hit|N/A|N/A|No" + at("0x7000"),
			"/bin/app+0x200 0 [0 0 0 1]" + fault,
			"[unknown] 0 [7 0 0 0] LOAD|L3 or L3 hit|None|L1 or L2 hit|No" + at("0x9000"),
		}, "\n")
		if got := accessText(r); got != want {
			t.Errorf("addresses %v, stacks:\n%s\nwant:\n%s", addresses, got, want)
		}
		if want := []string{"1:1:0x7000", "1:1:0x7000", "1:2:0x7008", "2:3:0x7000", "3:4:0x8000", "1:5:0x9000"}; !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
		if b := s.Books(); b.NoAccess != 1 || b.Samples != 1 || b.LoadBytes != 2000*64 {
			t.Errorf("books %+v", b)
		}
		if r.Data.Default != pprofile.Latency {
			t.Errorf("the profile begins with %q", r.Data.Default)
		}
	}
}

// Without a clock accesses are what is counted, whichever event sampled them.
func TestAccessesAlone(t *testing.T) {
	s := newStream(t, Options{Events: memoryEvents[1:3]})
	s.access(0, ramHit, 10, 300, 0, 0x1100)
	s.access(1, storeHit, 20, 0, 0, 0x1100)
	s.Record(&perfring.LostSamples{Lost: 3}, 0, 1)
	r := s.Finish()
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	if b := s.Books(); b.Samples != 2 || b.LostSamples != 3 {
		t.Errorf("books %+v", b)
	}
	if p.DefaultSampleType != "latency" || p.PeriodType.Type != "loads" {
		t.Errorf("profile of %s by %s", p.DefaultSampleType, p.PeriodType.Type)
	}
}

// The instruction that accessed memory is the leaf, not the one at which the sample was written.
func TestExactInstruction(t *testing.T) {
	const user, kern = perfring.ContextUser, perfring.ContextKernel
	for _, tt := range []struct {
		name  string
		misc  uint16
		chain []uint64
		want  string
	}{
		{"later in the function", perfring.MiscUser, []uint64{user, 0x1104, 0x1201}, "/bin/app+0x100 < /bin/app+0x200"},
		{"interrupted in the kernel", perfring.MiscUser, []uint64{kern, 1 << 63, user, 0x1104, 0x1201}, "/bin/app+0x100 < /bin/app+0x200"},
		{"without the user's part", perfring.MiscUser, []uint64{kern, 1 << 63}, "/bin/app+0x100"},
		{"in the kernel", perfring.MiscKernel, []uint64{kern, 1 << 63, user, 0x1201}, "[unknown] 0x1100 < /bin/app+0x201"},
		{"no chain", perfring.MiscUser, nil, "/bin/app+0x100"},
	} {
		s := newStream(t, Options{Events: memoryEvents})
		s.exec(10, "app")
		s.mmap(10, 0x1000, 0x1000, 0, "/bin/app")
		given := slices.Clone(tt.chain)
		s.Record(&perfring.Sample{Header: perfring.Header{Misc: tt.misc | perfring.MiscExactIP}, PID: 10, TID: 10, Time: s.tick(),
			Period: 1, IP: 0x1100, Callchain: tt.chain, DataSrc: ramHit}, 0, 1)
		var frames []string
		for _, l := range s.Finish().Data.Stacks[0].Locations {
			frames = append(frames, locationText(l))
		}
		if got := strings.Join(frames, " < "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if !slices.Equal(given, tt.chain) {
			t.Errorf("%s: the record was changed", tt.name)
		}
	}
}

// Addresses are told apart as long as there is room for stacks, and data sources as long as there is any.
func TestAccessesAreBounded(t *testing.T) {
	s := newStream(t, Options{Events: memoryEvents, Memory: Memory{Addresses: true}, MaxStacks: 8})
	for i := range uint64(1000) {
		s.access(1, ramHit+i%3<<33, 1, 1, 0x7000+8*i, 0x1100+i%2)
	}
	for i := range uint64(10_000) {
		s.access(1, ramHit&^(0xf<<33)|i<<40, 1, 1, 0x7000, 0x1100)
	}
	r := s.Finish()
	var loads int64
	for _, st := range r.Data.Stacks {
		loads += st.Events[columnLoads]
	}
	if n := len(r.Data.Stacks); n > 11 || loads != 11_000 || len(s.accesses.list) > 11 || len(s.accesses.known) > maxKnown {
		t.Errorf("%d stacks of %d loads, %d accesses, %d data sources", n, loads, len(s.accesses.list), len(s.accesses.known))
	}
	if _, err := r.Profile(); err != nil {
		t.Error(err)
	}
}

// weighed are options of a recording of two packages, whose memory is weighed by loads.
func weighed(method attribution.Method) Options {
	opt := withEnergy(method, rapl.Domain{Name: "dram", CPUs: []int{0, 1}}, rapl.Domain{Name: "dram", Package: 1, CPUs: []int{2, 3}})
	opt.Events, opt.SystemWide, opt.Memory.Weigh = memoryEvents, true, true
	return opt
}

// One second of 10 J in each package: what was loaded from whose memory, what was lost, and what the controllers saw besides.
func TestLoadsShareJoules(t *testing.T) {
	for _, tt := range []struct {
		name    string
		traffic float64 // lines that the controllers of each package counted; 0: they were not
		lost    uint64
		want    [3]float64 // J of the function at 0x1100, at 0x1200, and of Prefetch
		other   float64    // J
		source  uint64     // of the loads at 0x1200
	}{
		{"loads", 0, 0, [3]float64{10*0.5 + 10, 10 * 0.5, 0}, 0, ramHit},
		{"lost", 0, 2, [3]float64{10*50./175 + 10, 10 * 50. / 175, 0}, 10 * 75. / 175, ramHit},
		{"controllers", 200_000, 0, [3]float64{10*0.25 + 10*0.25, 10 * 0.25, 10*0.5 + 10*0.75}, 0, ramHit},
		// Which count DRAM alone.
		{"controllers and persistent memory", 200_000, 0, [3]float64{10*0.2 + 10*0.25, 10 * 0.2, 10*0.6 + 10*0.75}, 0, pmemHit},
	} {
		opt := weighed(attribution.Proportional)
		opt.Memory.ServedBy = func(s *perfring.Sample, cpu int) int {
			if s.Addr != 0 {
				return 3
			}
			return cpu
		}
		if tt.traffic > 0 {
			opt.Counters = []rapl.CountedEvent{{Name: "reads", Domains: []rapl.Domain{{Name: "reads", CPUs: []int{0, 1}}, {Name: "reads", Package: 1, CPUs: []int{2, 3}}}}}
			opt.CounterMethod, opt.Memory.Traffic = attribution.Auto, []int{0}
		}
		s := newStream(t, opt)
		s.exec(10, "app")
		s.mmap(10, 0x1000, 0x1000, 0, "/bin/app")
		read := func(at int64, joules float64) {
			s.Energy(0, at, joules)
			s.Energy(1, at, joules)
			if tt.traffic > 0 {
				s.Count(0, at, joules/10*tt.traffic)
				s.Count(1, at, joules/10*tt.traffic)
			}
		}
		s.now = 2 * second
		read(2*second, 0)
		s.now += second / 2
		s.access(1, ramHit, 50_000, 300, 0, 0x1100)
		s.access(1, tt.source, 50_000, 300, 0, 0x1200)
		s.access(1, ramHit, 50_000, 300, 0x7000, 0x1100) // of the other package
		s.access(1, l3Hit, 1_000_000, 30, 0, 0x1200)
		s.access(2, storeHit, 1_000_000, 0, 0, 0x1200)
		s.access(2, storeHit, 1_000_000, 0, 0, 0x1200)
		if tt.lost > 0 {
			// The mean of the 4 samples of loads; those of stores and of an event that is not recorded stand for none.
			s.Record(&perfring.LostSamples{SampleID: perfring.SampleID{Time: s.tick()}, Lost: tt.lost}, 0, 1)
			s.Record(&perfring.LostSamples{SampleID: perfring.SampleID{Time: s.tick()}, Lost: 100}, 0, 2)
			s.Record(&perfring.LostSamples{SampleID: perfring.SampleID{Time: s.tick()}, Lost: 100}, 0, 9)
		}
		read(3*second, 10)
		s.Advance(math.MaxInt64)
		r := s.Finish()
		var got [3]float64
		for _, st := range r.Data.Stacks {
			i := 2
			if l := st.Locations[0]; l.Mapping != nil {
				i = int(l.Address-0x1100) / 0x100
			}
			got[i] += st.Joules[0] + st.Joules[1]
		}
		for i := range got {
			if math.Abs(got[i]-tt.want[i]) > 1e-6 {
				t.Errorf("%s: %v J, want %v", tt.name, got, tt.want)
				break
			}
		}
		if lost := r.Data.Columns[0].Synthetic.Lost; math.Abs(lost-tt.other) > 1e-6 {
			t.Errorf("%s: lost samples have %v J, want %v", tt.name, lost, tt.other)
		}
		counted := 150_000. // lines of sampled loads that the controllers count
		if tt.source == pmemHit {
			counted = 100_000
		}
		if b := s.Books(); tt.traffic > 0 && (b.TrafficBytes != 2*64*tt.traffic || math.Abs(b.BeyondBytes-64*(2*tt.traffic-counted)) > 1) {
			t.Errorf("%s: %+v", tt.name, b)
		}
		if text := strings.Join(r.Notes, "\n"); !strings.Contains(text, "a proxy") || strings.Contains(text, "CPU time") {
			t.Errorf("%s: notes:\n%s", tt.name, text)
		}
	}
}

// Whatever the samples, losses and counts are, the joules add up to what the counters say, and so do the counts of a
// counter beside them, which goes by CPU time.
func TestJoulesOfLoadsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := weighed(rapid.SampledFrom([]attribution.Method{attribution.Auto, attribution.Regression, attribution.Proportional}).Draw(t, "method"))
		opt.SystemWide, opt.NoOthers = rapid.Bool().Draw(t, "system wide"), rapid.Bool().Draw(t, "others are not known")
		opt.MaxStacks = rapid.SampledFrom([]int{4, 1000}).Draw(t, "stacks")
		opt.Attribution.BaselineWatts = rapid.SampledFrom([][]float64{nil, {0, 1000}, {2, math.NaN()}}).Draw(t, "baseline")
		opt.Memory.Addresses = rapid.Bool().Draw(t, "addresses")
		opt.Memory.ServedBy = func(s *perfring.Sample, cpu int) int { return int(s.Addr%6) - 1 }
		opt.CounterMethod = attribution.Auto
		opt.Counters = []rapl.CountedEvent{{Name: "bytes", Domains: []rapl.Domain{{Name: "bytes", CPUs: []int{0, 1, 2, 3}}}}}
		if rapid.Bool().Draw(t, "traffic") {
			opt.Counters = append(opt.Counters, rapl.CountedEvent{Name: "cas", Domains: []rapl.Domain{{Name: "cas", CPUs: []int{0, 1}}, {Name: "cas", Package: 1, CPUs: []int{2, 3}}}})
			opt.Memory.Traffic = []int{1}
		}
		first := rapid.IntRange(0, 1).Draw(t, "first event") // 1: no clock
		opt.Events = memoryEvents[first:]
		c, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		c.stacks.cache = make([]cached, 1)
		joules, counts := make([]float64, 2), make([]float64, 1+2*len(opt.Memory.Traffic))
		read, begun := 0.0, math.NaN() // of the counter that goes by time
		want := map[string]int64{}     // by sample type
		now := int64(second)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += 1 + rapid.Int64Range(0, 100*ms).Draw(t, "step")
			cpu := rapid.IntRange(0, 4).Draw(t, "cpu") // CPU 4 has no counter
			when := uint64(max(0, now-rapid.SampledFrom([]int64{0, 0, 0, 50 * ms, 20 * second}).Draw(t, "late")))
			switch rapid.IntRange(0, 8).Draw(t, "what") {
			case 0, 1, 2:
				period, source := rapid.Uint64Range(0, 1<<30).Draw(t, "period"), rapid.SampledFrom([]uint64{ramHit, pmemHit, l3Hit, storeHit, noAccess}).Draw(t, "source")
				event := rapid.IntRange(first, 2).Draw(t, "event")
				if event == 0 {
					period = ms
				} else if d := pebs.DataSource(source); d.Loads() {
					want[pprofile.Loads] += int64(period)
				} else if d.Stores() {
					want[pprofile.Stores] += int64(period)
				}
				c.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10, Time: when, Period: period, DataSrc: source,
					IP: rapid.Uint64Range(0, 8).Draw(t, "ip"), Addr: rapid.Uint64Range(0, 12).Draw(t, "address"), Weight: rapid.Uint64Range(0, 1000).Draw(t, "cycles")}, cpu, event-first)
			case 3:
				c.Record(&perfring.Lost{SampleID: perfring.SampleID{Time: when}, Lost: rapid.Uint64Range(0, 100).Draw(t, "lost")}, cpu, -1)
			case 4:
				lost := rapid.Uint64Range(0, 100).Draw(t, "lost samples")
				c.Record(&perfring.LostSamples{SampleID: perfring.SampleID{Time: when}, Lost: lost}, cpu, rapid.IntRange(-1, 5).Draw(t, "of event"))
			case 5:
				for d := range joules {
					joules[d] += rapid.Float64Range(0, 5).Draw(t, "joules")
					c.Energy(d, now, joules[d])
				}
			case 6:
				for d := range counts {
					counts[d] += math.Trunc(rapid.Float64Range(0, 1e8).Draw(t, "lines"))
					c.Count(d, now, counts[d])
				}
				if read = counts[0]; math.IsNaN(begun) {
					begun = read
				}
			case 7:
				c.Missed(cpu, now-second/10, now, rapid.Int64Range(0, second/10).Draw(t, "missed"))
			case 8:
				busy := rapid.Int64Range(0, second/10).Draw(t, "busy")
				if rapid.Bool().Draw(t, "as the scheduler knows it") {
					c.Others(cpu, now-second/10, now, busy)
				} else {
					c.Busy(cpu, now-second/10, now, busy)
				}
				c.Advance(now)
			}
		}
		c.Advance(math.MaxInt64)
		r := c.Finish()
		if b := c.Books(); b.Refused != 0 || b.BeyondBytes < 0 || b.BeyondBytes > b.TrafficBytes*(1+1e-9) {
			t.Fatalf("books %+v", b)
		}
		p, err := r.Profile()
		if err != nil {
			t.Fatal(err)
		}
		for _, column := range r.Data.Columns {
			want["energy_dram"] += int64(math.Round(column.Joules * 1e6))
		}
		if !math.IsNaN(begun) {
			want["bytes"] = int64(read - begun)
		}
		for i, kind := range p.SampleType {
			var got int64
			for _, s := range p.Sample {
				got += s.Value[i]
			}
			if n, told := want[kind.Type]; told && got != n {
				t.Fatalf("%d %s of %s in the profile, %d were given", got, kind.Unit, kind.Type, n)
			}
		}
	})
}

// The same stream gives the same profile again from what its recording learnt, controllers' counts included.
func TestAccessesAgain(t *testing.T) {
	opt := weighed(attribution.Proportional)
	opt.Memory.Addresses = true
	opt.Counters, opt.CounterMethod = []rapl.CountedEvent{{Name: "cas", Domains: []rapl.Domain{{Name: "cas", CPUs: []int{0, 1}}}}}, attribution.Auto
	opt.Memory.Traffic = []int{0}
	record := func(opt Options) (string, *Past) {
		s := newStream(t, opt)
		s.exec(10, "app")
		s.mmap(10, 0x1000, 0x1000, 0, "/bin/app")
		for i := range uint64(400) {
			s.now += 10 * ms
			s.Energy(0, int64(s.now), float64(i))
			s.Count(0, int64(s.now), float64(i)*100_000)
			s.access(1, []uint64{ramHit, l3Hit, pmemHit}[i%3], 90_000+i%7*20_000, 300, 0x7000+i%4*64, 0x1100+i%5)
			if i%25 == 0 {
				s.Advance(int64(s.now))
			}
		}
		s.Advance(math.MaxInt64)
		r := s.Finish()
		p, err := r.Profile()
		if err != nil {
			t.Fatal(err)
		}
		return p.String(), s.Past()
	}
	want, past := record(opt)
	if !strings.Contains(want, pprofile.Prefetch) {
		t.Errorf("nothing was counted beyond the loads:\n%s", want)
	}
	opt.Past = past
	if got, _ := record(opt); got != want {
		t.Errorf("replayed:\n%s\nrecorded:\n%s", got, want)
	}
}
