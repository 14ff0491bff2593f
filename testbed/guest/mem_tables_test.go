package guest

import (
	"encoding/csv"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/internal/memory"
)

// tallied is what some samples come to.
type tallied struct {
	samples, loads, stores, hits, misses, local, remote int
	latencies                                           []int
	levels                                              map[string]uint64
}

// tally sums samples up by a key.
func tally[Key comparable](samples []sampled, key func(s *sampled) Key) map[Key]*tallied {
	m := map[Key]*tallied{}
	for i := range samples {
		s := &samples[i]
		c := m[key(s)]
		if c == nil {
			c = &tallied{levels: map[string]uint64{}}
			m[key(s)] = c
		}
		c.samples++
		c.latencies = append(c.latencies, int(s.cycles))
		c.levels[s.level]++
		switch {
		case !s.store:
			c.loads++
			if strings.Contains(s.source, "|SNP HitM|") && strings.HasPrefix(s.source, "|OP LOAD|LVL Remote ") {
				c.remote++
			} else if strings.Contains(s.source, "|SNP HitM|") {
				c.local++
			}
		case s.level == "L1":
			c.stores++
			c.hits++
		default:
			c.stores++
			c.misses++
		}
	}
	return m
}

// is wants a row to be of these samples, each of which stands for so many accesses.
func (c *tallied) is(t *testing.T, what string, row *memory.Sum, period uint64) {
	t.Helper()
	if row.Samples != uint64(c.samples) || row.Loads != uint64(c.loads)*period || row.Stores != uint64(c.stores)*period {
		t.Errorf("%s: %d samples of %d loads and %d stores, want %d of %d and %d", what, row.Samples, row.Loads, row.Stores, c.samples, uint64(c.loads)*period, uint64(c.stores)*period)
	}
	sum := 0
	for _, l := range c.latencies {
		sum += l
	}
	if want := float64(sum) / float64(c.samples); row.MeanLatency == nil || math.Abs(*row.MeanLatency-want) > 1e-6 {
		t.Errorf("%s: mean latency %v, want %v", what, row.MeanLatency, want)
	}
	if row.P95Latency != nil {
		slices.Sort(c.latencies)
		if want := c.latencies[(95*c.samples+99)/100-1]; *row.P95Latency != float64(want) {
			t.Errorf("%s: 95 %% are of at most %v cycles, want %d", what, *row.P95Latency, want)
		}
	}
}

// servedByMemory are the levels whose loads cost energy of memory.
var servedByMemory = []string{"DRAM", "remote DRAM", "PMEM", "remote PMEM", "CXL", "remote CXL"}

// memFunctions wants a row for each level of each walk, those of persistent memory and of CXL
// among them.
func memFunctions(t *testing.T, r *memory.Result, w walked, period uint64) {
	t.Helper()
	type place struct{ function, level string }
	want := tally(slices.DeleteFunc(slices.Clone(w.samples), func(s sampled) bool { return w.base[s.function] == 0 }),
		func(s *sampled) place { return place{s.function, s.level} })
	if len(want) != 13+3 { // the levels of loads, L1 miss of stores; and L3 and the two of stores
		t.Errorf("the walks have %d levels in %v", len(want), slices.Collect(maps.Keys(want)))
	}
	for _, row := range r.Functions {
		c := want[place{row.Function, row.Level}]
		if c == nil {
			continue
		}
		what := row.Function + " of " + row.Level
		c.is(t, what, &row.Sum, period)
		bytes := uint64(0)
		if slices.Contains(servedByMemory, row.Level) {
			bytes = uint64(c.loads) * period * 64
		}
		if row.P95Latency == nil || row.Process != "workload" || row.MemoryBytes != bytes {
			t.Errorf("%s: %+v, want it of workload with %d bytes of memory and a latency of 95 %%", what, row, bytes)
		}
		delete(want, place{row.Function, row.Level})
	}
	for p := range want {
		t.Errorf("no row of %s of %s", p.function, p.level)
	}
}

// memPages wants the pages of the walks, and their time.
func memPages(t *testing.T, r *memory.Result, w walked, period uint64) {
	t.Helper()
	want := tally(w.samples, func(s *sampled) string { return fmt.Sprintf("%#x", s.addr&^4095) })
	for _, row := range r.Pages {
		c := want[row.Address]
		if c == nil {
			continue
		}
		c.is(t, "page "+row.Address, &row.Sum, period)
		heat := uint64(0)
		for _, h := range row.Heat {
			heat += h
		}
		if row.Bytes != 4096 || row.Node == nil || *row.Node != 0 || !maps.Equal(row.Levels, c.levels) || heat != uint64(c.samples)*period {
			t.Errorf("page %+v, want one of 4096 bytes on node 0 with levels %v and a heat of %d", row, c.levels, uint64(c.samples)*period)
		}
		delete(want, row.Address)
	}
	for address := range want {
		t.Errorf("no row of page %s", address)
	}
	for _, n := range r.Nodes {
		if n.Node == nil || *n.Node != 0 {
			continue
		}
		if n.CPUs != "0-1" || n.Samples < uint64(len(w.samples)) {
			t.Errorf("node 0 is %+v, want CPUs 0-1 with %d samples", n, len(w.samples))
		}
		return
	}
	t.Errorf("nodes %+v, want node 0", r.Nodes)
}

// memLines wants the cache lines of the walks, with what the caches had to do.
func memLines(t *testing.T, r *memory.Result, w walked) {
	t.Helper()
	want := tally(w.samples, func(s *sampled) string { return fmt.Sprintf("%#x", s.addr) })
	if len(want) != 128 {
		t.Errorf("the walks have %d lines, want 128", len(want))
	}
	for _, row := range r.Lines {
		c := want[row.Address]
		if c == nil {
			continue
		}
		got := []uint64{row.SampledLoads, row.SampledStores, row.StoreHits, row.StoreMisses, row.LocalHitM, row.RemoteHitM}
		if want := []uint64{uint64(c.loads), uint64(c.stores), uint64(c.hits), uint64(c.misses), uint64(c.local), uint64(c.remote)}; !slices.Equal(got, want) {
			t.Errorf("line %s: loads, stores, of which hit and missed, modified here and elsewhere are %d, want %d", row.Address, got, want)
		}
		delete(want, row.Address)
	}
	for address := range want {
		t.Errorf("no row of line %s", address)
	}
}

// memProfile wants the profile to have the walks' loads, stores and latencies, by function and what
// the data source says.
func memProfile(t *testing.T, file string, w walked, period int64) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	p, err := profile.Parse(f)
	must(t, err)
	column := map[string]int{}
	for i, typ := range p.SampleType {
		column[typ.Type+"/"+typ.Unit] = i
	}
	type place struct{ function, level, snoop, tlb, locked string }
	type values struct{ loads, stores, latency int64 }
	got, want := map[place]values{}, map[place]values{}
	for _, s := range p.Sample {
		if len(s.Location) == 0 || len(s.Location[0].Line) == 0 || w.base[s.Location[0].Line[0].Function.Name] == 0 || s.Label["data_src"] == nil {
			continue
		}
		at := place{s.Location[0].Line[0].Function.Name, s.Label["data_src"][0], s.Label["snoop"][0], s.Label["tlb"][0], s.Label["locked"][0]}
		v := got[at]
		v.loads += s.Value[column["loads/count"]]
		v.stores += s.Value[column["stores/count"]]
		v.latency += s.Value[column["latency/cycles"]]
		got[at] = v
		if s.NumLabel["address"] != nil {
			t.Errorf("a sample of %v has its address, which nobody asked for", at)
		}
	}
	for _, s := range w.samples {
		if w.base[s.function] == 0 {
			continue
		}
		words := s.words()
		at := place{s.function, words["LVL"], words["SNP"], words["TLB"], words["LCK"]}
		v := want[at]
		if s.store {
			v.stores += period
		} else {
			v.loads += period
		}
		v.latency += period * int64(s.cycles)
		want[at] = v
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(place{}, values{})); diff != "" {
		t.Errorf("the profile (-want +got):\n%s", diff)
	}
}

// words are what the source of a sample says of each field.
func (s *sampled) words() map[string]string {
	words := map[string]string{}
	for word := range strings.SplitSeq(s.source[1:], "|") {
		name, text, _ := strings.Cut(word, " ")
		words[name] = strings.TrimSpace(text)
	}
	return words
}

// memPerf wants Debian's perf to sum the file up as these samples come to: perf mem report, by
// address, which is perf report --mem-mode.
func memPerf(t *testing.T, file string, samples []sampled) {
	t.Helper()
	type place struct{ address, snoop, tlb, locked string }
	want := map[place]int{}
	level := map[place]string{}
	for _, s := range samples {
		part := s.words()
		p := place{fmt.Sprintf("%#x", s.addr), part["SNP"], part["TLB"], part["LCK"]}
		want[p]++
		level[p] = part["LVL"]
	}
	text, stderr, code := run(t, "perf", "report", "--mem-mode", "-i", file, "--stdio", "-t", ";", "-n", "--sort=mem,symbol_daddr,snoop,tlb,locked")
	if code != 0 {
		t.Fatalf("perf report: exit code %d\n%s", code, stderr)
	}
	rows := csv.NewReader(strings.NewReader(text))
	rows.Comma, rows.Comment, rows.FieldsPerRecord, rows.LazyQuotes = ';', '#', -1, true
	table, err := rows.ReadAll()
	must(t, err)
	got := map[place]int{}
	for _, row := range table {
		// 4.63%  ; 22  ;Uncached or N/A hit  ;[.] 0x00007f8b4322c7c0;None  ;L2 miss  ;No  ;-  -
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if len(row) < 7 || !strings.Contains(row[3], "0x") {
			continue // of the clock
		}
		n, err := strconv.Atoi(row[1])
		must(t, err)
		address, err := strconv.ParseUint(row[3][strings.LastIndex(row[3], "0x"):], 0, 64)
		must(t, err)
		p := place{fmt.Sprintf("%#x", address), row[4], row[5], row[6]}
		got[p] += n
		if level[p] != row[2] {
			t.Errorf("perf says that %+v is %q, we say %q", p, row[2], level[p])
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("perf sums up %v, we list %v", got, want)
	}
}
