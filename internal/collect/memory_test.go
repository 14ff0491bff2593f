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
		{"lost", 0, 6, [3]float64{10*50./150 + 10, 10 * 50. / 150, 0}, 10 * 50. / 150, ramHit},
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
			s.Record(&perfring.LostSamples{SampleID: perfring.SampleID{Time: s.tick()}, Lost: tt.lost - 2*tt.lost/3}, 0, 1) // 2 with the mean of 6 samples
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

// Whatever the samples, losses and counts are, the joules add up to what the counters say.
func TestJoulesOfLoadsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := weighed(rapid.SampledFrom([]attribution.Method{attribution.Auto, attribution.Regression, attribution.Proportional}).Draw(t, "method"))
		opt.SystemWide, opt.MaxStacks = rapid.Bool().Draw(t, "system wide"), rapid.SampledFrom([]int{4, 1000}).Draw(t, "stacks")
		opt.Memory.Addresses = rapid.Bool().Draw(t, "addresses")
		opt.Memory.ServedBy = func(s *perfring.Sample, cpu int) int { return int(s.Addr%6) - 1 }
		opt.CounterMethod = attribution.Auto
		if rapid.Bool().Draw(t, "traffic") {
			opt.Counters = []rapl.CountedEvent{{Name: "cas", Domains: []rapl.Domain{{Name: "cas", CPUs: []int{0, 1}}, {Name: "cas", Package: 1, CPUs: []int{2, 3}}}}}
			opt.Memory.Traffic = []int{0}
		}
		c, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		c.stacks.cache = make([]cached, 1)
		joules, counts := make([]float64, 2), make([]float64, 2)
		var loads, stores uint64
		now := int64(second)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += 1 + rapid.Int64Range(0, 100*ms).Draw(t, "step")
			cpu := rapid.IntRange(0, 4).Draw(t, "cpu") // CPU 4 has no counter
			when := uint64(max(0, now-rapid.SampledFrom([]int64{0, 0, 0, 50 * ms, 20 * second}).Draw(t, "late")))
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1, 2:
				period, source := rapid.Uint64Range(0, 1<<30).Draw(t, "period"), rapid.SampledFrom([]uint64{ramHit, pmemHit, l3Hit, storeHit, noAccess}).Draw(t, "source")
				event := rapid.IntRange(0, 2).Draw(t, "event")
				if event == 0 {
					period = ms
				} else if d := pebs.DataSource(source); d.Loads() {
					loads += period
				} else if d.Stores() {
					stores += period
				}
				c.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10, Time: when, Period: period, DataSrc: source,
					IP: rapid.Uint64Range(0, 8).Draw(t, "ip"), Addr: rapid.Uint64Range(0, 12).Draw(t, "address"), Weight: rapid.Uint64Range(0, 1000).Draw(t, "cycles")}, cpu, event)
			case 3:
				c.Record(&perfring.Lost{SampleID: perfring.SampleID{Time: when}, Lost: rapid.Uint64Range(0, 100).Draw(t, "lost")}, cpu, -1)
			case 4:
				for d := range joules {
					joules[d] += rapid.Float64Range(0, 5).Draw(t, "joules")
					c.Energy(d, now, joules[d])
				}
			case 5:
				for d := range counts {
					counts[d] += rapid.Float64Range(0, 1e8).Draw(t, "lines")
					if len(opt.Counters) > 0 {
						c.Count(d, now, counts[d])
					}
				}
			case 6:
				c.Busy(cpu, now-second/10, now, rapid.Int64Range(0, second/10).Draw(t, "busy"))
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
		var uj, l, st int64
		for _, s := range p.Sample {
			uj += s.Value[len(s.Value)-1]
			l += s.Value[2]
			st += s.Value[3]
		}
		var want int64
		for _, column := range r.Data.Columns {
			want += int64(math.Round(column.Joules * 1e6))
		}
		if uj != want || uint64(l) != loads || uint64(st) != stores {
			t.Fatalf("%d µJ of %d loads and %d stores in the profile, %d of %d and %d were given", uj, l, st, want, loads, stores)
		}
	})
}

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
