package memory

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// drawn is a made-up recording.
type drawn struct {
	table    *Table
	samples  []perfring.Sample
	stacks   []int32
	recorded Recorded
	joules   float64
}

var drawnSources = []pebs.DataSource{fromL1, fromDRAM, fromFar, fromCXL, storeL1, prefetched, 0, pebs.OpNA,
	fromDRAM | pebs.OpStore, pebs.OpLoad | pebs.LvlMiss | pebs.LvlL1}

// draw makes a recording of few addresses, stacks and latencies with limits that may be lower.
func draw(t *rapid.T, nodes *Nodes, small bool) drawn {
	limit := func(name string) int {
		if !small {
			return 0
		}
		return rapid.IntRange(1, 6).Draw(t, name)
	}
	events := []Event{{Name: "clock", Clock: true}, {Name: "loads", Memory: true}, {Name: "stores", Memory: true, Period: 3}, {Name: "faults"}}
	d := drawn{table: New(Options{Events: events, Nodes: nodes, MaxPages: limit("pages"), MaxLines: limit("lines"), MaxCells: limit("cells"), MaxLatencies: limit("latencies")})}
	stacks := rapid.IntRange(1, 5).Draw(t, "stacks")
	data := &pprofile.Profile{Measured: true}
	columns := rapid.IntRange(0, 2).Draw(t, "columns")
	for c := range columns {
		data.Columns = append(data.Columns, pprofile.Column{Domain: "dram", Package: c, Joules: 1, Synthetic: pprofile.Synthetic{
			Baseline: rapid.Float64Range(0, 10).Draw(t, "baseline"), Lost: 0.25, Unattributed: 0.5}})
		s := data.Columns[c].Synthetic
		d.joules += s.Baseline + s.Lost + s.Unattributed
	}
	for i := range stacks + 2 { // two of which have no samples
		var joules []float64
		for range columns {
			j := rapid.Float64Range(0, 100).Draw(t, "joules")
			joules = append(joules, j)
			d.joules += j
		}
		s := stack("app", 100, string(rune('a'+i/2)), joules...)
		if i == stacks+1 {
			s = synthetic(pprofile.Prefetch, joules...)
		}
		data.Stacks = append(data.Stacks, s)
	}
	d.recorded = Recorded{Data: data, Source: "source"}
	time := uint64(0)
	for range rapid.IntRange(0, 60).Draw(t, "samples") {
		event := rapid.IntRange(0, len(events)-1).Draw(t, "event")
		time += rapid.Uint64Range(1, 1<<rapid.IntRange(1, 34).Draw(t, "magnitude")).Draw(t, "passed")
		s := perfring.Sample{Time: time, PID: rapid.Uint32Range(1, 3).Draw(t, "pid"), TID: 1, CPU: rapid.Uint32Range(0, 9).Draw(t, "cpu"),
			Addr:         rapid.SampledFrom([]uint64{0, 8, 4096, 5000, 3 << 20, math.MaxUint64, 1 << 63}).Draw(t, "address"),
			PhysAddr:     rapid.SampledFrom([]uint64{0, 1, 2 * gib, 5 * gib, 7 * gib}).Draw(t, "physical"),
			Period:       rapid.Uint64Range(0, 9).Draw(t, "period"),
			Weight:       rapid.SampledFrom([]uint64{0, 3, 40, 41, 1000, 1001, math.MaxUint64}).Draw(t, "weight"),
			DataPageSize: rapid.SampledFrom([]uint64{0, 4096, 2 << 20, 12345}).Draw(t, "page"),
			DataSrc:      uint64(rapid.SampledFrom(drawnSources).Draw(t, "source"))}
		at := int32(rapid.IntRange(0, stacks-1).Draw(t, "stack"))
		d.table.Add(&s, event, at)
		if e := events[event]; !e.Clock && (!e.Memory || pebs.DataSource(s.DataSrc).Accesses()) {
			if s.Period == 0 {
				s.Period = max(e.Period, 1)
			}
			if !e.Memory {
				s.Weight, s.DataSrc = 0, 0
			}
			d.samples, d.stacks = append(d.samples, s), append(d.stacks, at)
		}
	}
	return d
}

// near compares sums that were added up in different orders.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1e-3) }

// adds checks that parts come to the total.
func adds(t *rapid.T, what string, total *Sum, parts []*Sum, synthetic []Synthetic) {
	var all Sum
	for _, part := range parts {
		all.merge(part)
	}
	var joules, want float64
	if all.Joules != nil {
		joules = *all.Joules
	}
	for _, s := range synthetic {
		joules += s.Joules
	}
	if total.Joules != nil {
		want = *total.Joules
	}
	if all.Samples != total.Samples || all.Loads != total.Loads || all.Stores != total.Stores || all.MemoryBytes != total.MemoryBytes ||
		all.Counts["faults"] != total.Counts["faults"] {
		t.Errorf("%s: rows come to %+v, the total is %+v", what, all, *total)
	}
	if !near(all.cycles, total.cycles) || !near(all.timed, total.timed) {
		t.Errorf("%s: rows come to %v cycles of %v accesses, the total is %v of %v", what, all.cycles, all.timed, total.cycles, total.timed)
	}
	for name, pair := range map[string][2]float64{"share": {all.Share, total.Share}, "share of latency": {all.LatencyShare, total.LatencyShare}, "joules": {joules, want}} {
		if !near(pair[0], pair[1]) {
			t.Errorf("%s: %s of the rows is %v, of the total %v", what, name, pair[0], pair[1])
		}
	}
}

// sums are those of the rows of a table and of what is in none.
func sums[Row any](rows []Row, rest *Rest, sum func(*Row) *Sum) []*Sum {
	var all []*Sum
	for i := range rows {
		all = append(all, sum(&rows[i]))
	}
	if rest != nil {
		all = append(all, &rest.Sum)
	}
	return all
}

// TestAddsUp: whatever is sampled, and however little is kept, the rows of every table come to the total, and the total
// to what was sampled and to the joules of the recording.
func TestAddsUp(t *testing.T) {
	nodes := nodesOf(t, "nohotplug")
	physical := nodesOf(t, "sockets")
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t, rapid.SampledFrom([]*Nodes{nil, nodes, physical}).Draw(t, "nodes"), rapid.Bool().Draw(t, "small"))
		r := d.table.Result(d.recorded)
		var want Sum
		for i := range d.samples {
			s := &d.samples[i]
			source := pebs.DataSource(s.DataSrc)
			want.Samples++
			if source.Loads() {
				want.Loads += s.Period
				if source.Level().Memory() {
					want.MemoryBytes += 64 * s.Period
				}
			}
			if source.Stores() {
				want.Stores += s.Period
			}
			if s.DataSrc == 0 {
				want.merge(&Sum{Counts: map[string]uint64{"faults": s.Period}})
			}
		}
		if got := r.Total; got.Samples != want.Samples || got.Loads != want.Loads || got.Stores != want.Stores ||
			got.MemoryBytes != want.MemoryBytes || got.Counts["faults"] != want.Counts["faults"] {
			t.Errorf("the total is %+v, want that of what was sampled, %+v", got, want)
		}
		if has := len(d.recorded.Data.Columns) > 0; has != (r.Total.Joules != nil) || has && !near(*r.Total.Joules, d.joules) {
			t.Errorf("the total is %v joules, want the recording's %v", r.Total.Joules, d.joules)
		}
		check := func() {
			adds(t, "functions", &r.Total, sums(r.Functions, r.OtherFunctions, func(row *FunctionRow) *Sum { return &row.Sum }), r.Synthetic)
			adds(t, "pages", &r.Total, sums(r.Pages, r.OtherPages, func(row *PageRow) *Sum { return &row.Sum }), r.Synthetic)
			adds(t, "lines", &r.Total, sums(r.Lines, r.OtherLines, func(row *LineRow) *Sum { return &row.Sum }), r.Synthetic)
			adds(t, "nodes", &r.Total, sums(r.Nodes, nil, func(row *NodeRow) *Sum { return &row.Sum }), r.Synthetic)
		}
		check()
		for i := range r.Pages {
			var heat, levels uint64
			for _, n := range r.Pages[i].Heat {
				heat += n
			}
			for _, n := range r.Pages[i].Levels {
				levels += n
			}
			if heat != r.Pages[i].activity() || len(r.Pages[i].Heat) != r.Heat.Slots || r.Heat.Slots > heatSlots {
				t.Errorf("the heat of a page, %v in %d slots, is not its %d accesses", r.Pages[i].Heat, r.Heat.Slots, r.Pages[i].activity())
			}
			if faults := r.Pages[i].Counts["faults"]; levels > r.Pages[i].Samples || faults == 0 && levels != r.Pages[i].Samples {
				t.Errorf("the levels of a page, %v, are not its %d samples", r.Pages[i].Levels, r.Pages[i].Samples)
			}
		}
		for what, rest := range map[string]*Rest{"pages": r.OtherPages, "lines": r.OtherLines} {
			if rest != nil && rest.Joules != nil && *rest.Joules < 0 {
				t.Errorf("%s have %v J more than there are", what, -*rest.Joules)
			}
		}
		r.Keep(rapid.IntRange(0, 3).Draw(t, "kept"))
		check()
	})
}

// TestPercentile: the 95th percentile of a row is that of its samples, each as often as it stands for.
func TestPercentile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t, nil, false)
		var all []uint64
		for i := range d.samples {
			for range d.samples[i].Period {
				if w := d.samples[i].Weight; w > 0 {
					all = append(all, w)
				}
			}
		}
		got := d.table.Result(d.recorded).Total
		if len(all) == 0 {
			if got.P95Latency != nil || got.MeanLatency != nil {
				t.Errorf("without latencies the percentile is %v and the mean %v", got.P95Latency, got.MeanLatency)
			}
			return
		}
		slices.Sort(all)
		want := float64(all[(95*len(all)+99)/100-1])
		if got.P95Latency == nil || *got.P95Latency != want {
			t.Errorf("the 95th percentile of %v is %v, want %v", all, *got.P95Latency, want)
		}
		sum := 0.0
		for _, v := range all {
			sum += float64(v)
		}
		if mean := sum / float64(len(all)); !near(*got.MeanLatency, mean) {
			t.Errorf("the mean is %v, want %v", *got.MeanLatency, mean)
		}
	})
}

func TestRoundUp(t *testing.T) {
	for v, want := range map[uint64]uint64{0: 0, 31: 31, 32: 32, 33: 34, 1000: 1024, 1024: 1024, 1025: 1088, math.MaxUint64: math.MaxUint64} {
		if got := roundUp(v); got != want {
			t.Errorf("%d is rounded up to %d, want %d", v, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v")
		if got := roundUp(v); got < v || float64(got) > float64(v)*17/16 {
			t.Errorf("%d is rounded up to %d", v, got)
		}
	})
}

// TestHottest: of more pages than there is room for, those that are accessed again and again are kept.
func TestHottest(t *testing.T) {
	table := New(Options{Events: []Event{{Name: "loads", Memory: true}}, MaxPages: 32})
	at := func(page uint64, time uint64) {
		table.Add(&perfring.Sample{PID: 1, Addr: page << 12, Time: time, DataSrc: uint64(fromL1)}, 0, 0)
	}
	for i := range uint64(1000) {
		at(1000+i, 3*i+1) // each once
		at(i%3+1, 3*i+2)
	}
	r := table.Result(Recorded{Data: &pprofile.Profile{Stacks: []pprofile.Stack{stack("app", 1, "walk")}}})
	for i, want := range []uint64{334, 333, 333} {
		if got := r.Pages[i]; got.Samples != want {
			t.Errorf("page %d has %d samples, want %d", i, got.Samples, want)
		}
	}
	if len(r.Pages) > 32 || r.OtherPages.Samples+uint64(len(r.Pages)-3)+1000 != 2000 {
		t.Errorf("%d pages are kept, and %d samples are of others", len(r.Pages), r.OtherPages.Samples)
	}
}

// TestKnown: what is known costs no memory.
func TestKnown(t *testing.T) {
	table, _ := machine(t, nil)
	s := perfring.Sample{Time: 5_010_000_000, PID: 100, TID: 101, CPU: 1, Addr: 0x7f0000001008, PhysAddr: 0x1008, DataSrc: uint64(fromDRAM), Weight: 300, Period: 1000, DataPageSize: 4096}
	if n := testing.AllocsPerRun(100, func() { table.Add(&s, 1, 0) }); n != 0 {
		t.Errorf("a sample of a known page, line and latency allocates %v times", n)
	}
}

// BenchmarkAdd adds samples of many pages.
func BenchmarkAdd(b *testing.B) {
	table := New(Options{Events: []Event{{Name: "loads", Memory: true}}})
	s := perfring.Sample{PID: 1, TID: 1, DataSrc: uint64(fromDRAM), Period: 1000}
	b.ReportAllocs()
	for i := range b.N {
		n := uint64(i) * 0x9e3779b97f4a7c15
		s.Time, s.Addr, s.Weight = uint64(i)*250_000, 0x7f0000000000+n>>44<<6, 100+n>>56
		table.Add(&s, 0, int32(n>>40&0xff))
	}
}
