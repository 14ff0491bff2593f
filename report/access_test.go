package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// memoryRecording is of two functions whose loads memory and caches served.
func memoryRecording() *Recording {
	frame := func(name string) []*pprofile.Location {
		return []*pprofile.Location{{Address: 0x1000, Lines: []pprofile.Frame{{Function: name}}}}
	}
	stack := func(function, op, source string, loads, stores, latency int64, joules float64) pprofile.Stack {
		s := pprofile.Stack{Locations: frame(function), Process: "app", Thread: "app", PID: 7, TID: 7,
			Events: []int64{loads, stores, latency}, Joules: []float64{joules}}
		if op != "" {
			s.Access = &pprofile.Access{Op: op, DataSource: source}
		}
		return s
	}
	clock := stack("walk", "", "", 0, 0, 0, 0)
	clock.Samples, clock.Nanoseconds = 5, 5e6
	rest := pprofile.Stack{Locations: []*pprofile.Location{{Lines: []pprofile.Frame{{Function: pprofile.Prefetch}}}}, Events: make([]int64, 3), Joules: []float64{1.5}}
	return &Recording{Source: "perf-power", Attribution: Attribution{Method: attribution.Proportional, Basis: "loads served by memory"},
		Data: pprofile.Profile{Measured: true, Default: pprofile.Latency,
			Events:  []pprofile.EventType{{Name: pprofile.Loads}, {Name: pprofile.Stores}, {Name: pprofile.Latency, Unit: pprofile.LatencyUnit}},
			Columns: []pprofile.Column{{Domain: "dram", CPUs: "0-1", Joules: 8, Synthetic: pprofile.Synthetic{Baseline: 2.5}}},
			Stacks: []pprofile.Stack{clock, rest, stack("walk", "LOAD", "Local RAM or RAM hit", 1000, 0, 300_000, 3), stack("walk", "LOAD", "L1 or L1 hit", 4000, 0, 20_000, 0),
				stack("walk", "STORE", "L1 or L1 hit", 0, 500, 1_000, 0), stack("sum", "LOAD", "Local RAM or RAM hit", 200, 0, 80_000, 1)}}}
}

func TestReadAccesses(t *testing.T) {
	p, err := memoryRecording().Profile()
	if err != nil {
		t.Fatal(err)
	}
	text := func(by By, rows int) string {
		a, ok := ReadAccesses(p, by)
		if !ok {
			t.Fatal("there are no accesses")
		}
		a.Comments = nil
		var b strings.Builder
		if err := a.Text(&b, rows, 0); err != nil {
			t.Fatal(err)
		}
		return "\n" + b.String()
	}
	if got, want := text(ByFunction, 4), `
 joules    share  loads  stores  cycles              data_src  function
3.000 J   37.5 %   1000             300  Local RAM or RAM hit  walk
2.500 J   31.2 %                                               [baseline]
1.500 J   18.8 %                                               [prefetch and write-back]
1.000 J   12.5 %    200             400  Local RAM or RAM hit  sum
    0 J    0.0 %   4000     500       5                        (1 more)
8.000 J  100.0 %   5200     500      77                        total
`; got != want {
		t.Errorf("got%swant%s", got, want)
	}
	if got := text(ByProcess, 0); !strings.Contains(got, "app (7)") || strings.Contains(got, "walk") {
		t.Errorf("by process:%s", got)
	}
	a, _ := ReadAccesses(p, ByFunction)
	var b bytes.Buffer
	if err := a.JSON(&b, 1); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Version       int
		Energy        string
		Loads, Stores int64
		Joules        float64
		Rows          []map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back.Version != 1 || back.Energy != "energy_dram" || back.Loads != 5200 || back.Stores != 500 || back.Joules != 8 || len(back.Rows) != 1 ||
		back.Rows[0]["data_src"] != "Local RAM or RAM hit" || back.Rows[0]["latency_cycles"] != 300. || back.Rows[0]["joules"] != 3. {
		t.Errorf("JSON %s", b.Bytes())
	}
}

// A recording without accesses, and one without energy.
func TestAccessesLack(t *testing.T) {
	r := memoryRecording()
	r.Data.Columns, r.Attribution = nil, Attribution{}
	for i := range r.Data.Stacks {
		r.Data.Stacks[i].Joules = nil
	}
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	a, ok := ReadAccesses(p, ByFunction)
	if !ok || a.Energy != "" || len(a.Missing) == 0 || a.Rows[0].Joules != nil || a.Rows[0].Name != "walk" || len(a.Rows) != 3 {
		t.Errorf("without energy: %+v", a)
	}
	for _, st := range p.SampleType {
		if st.Type == pprofile.Latency {
			st.Type = "delay"
		}
	}
	if _, ok := ReadAccesses(p, ByFunction); ok {
		t.Error("a profile without latencies has accesses")
	}
}

// The joules of a package are those of CPU time, whose table has its seconds and watts.
func TestAccessesBesideTime(t *testing.T) {
	r := memoryRecording()
	r.Data.Stacks[0].Joules, r.Data.Stacks[2].Joules = r.Data.Stacks[2].Joules, r.Data.Stacks[0].Joules
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := ReadAccesses(p, ByFunction); ok {
		t.Errorf("joules of CPU time are taken for those of accesses: %+v", a)
	}
}

// What the controllers counted beyond the loads is no function, and part of what adds up.
func TestSummaryOfAccesses(t *testing.T) {
	r := memoryRecording()
	r.Data.Columns[0].Sum = true
	s := r.Summary()
	if s.Error != "" || s.PrefetchWriteBackJoules == nil || *s.PrefetchWriteBackJoules != 1.5 || len(s.Functions) != 2 || *s.BaselineJoules != 2.5 {
		t.Errorf("summary %+v", s)
	}
	sum := *s.PrefetchWriteBackJoules + *s.BaselineJoules
	for _, f := range s.Functions {
		sum += *f.Joules
	}
	if sum != 8 || s.Attribution.Basis == "" {
		t.Errorf("the parts are %v J of 8 J, %+v", sum, s.Attribution)
	}
	var b strings.Builder
	if err := s.Text(&b, 0); err != nil || !strings.Contains(b.String(), "attribution: proportional by loads served by memory") ||
		!strings.Contains(b.String(), "[prefetch and write-back]") {
		t.Errorf("%v:\n%s", err, b.String())
	}
	plain := memoryRecording().Summary()
	if plain.Error != "" || plain.PrefetchWriteBackJoules != nil || len(plain.Functions) != 2 {
		t.Errorf("without a sum: %+v", plain)
	}
}
