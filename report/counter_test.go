package report

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

const exampleCounter = "uncore_cxlcm/event=0x41,umask=0x10/"

// tallied is the example with a counter of two packages, one with a regression, and one that has neither unit nor fit.
func tallied() *Recording {
	r := example()
	fitError, shareError := 0.02, 0.3
	power := func(counts, half float64, group int32) attribution.FunctionPower {
		return attribution.FunctionPower{Joules: counts, Low: counts - half, High: counts + half, Group: group}
	}
	r.Counters = []Counter{
		{Name: exampleCounter, Scale: 6.103515625e-5, Unit: "MiB", Fit: &Fit{Function: []int32{0, 0, 1, 2, 3, 0}, Power: [][]attribution.FunctionPower{
			{power(5626, 300, -1), power(500, 30, 2), power(250, 30, 2), power(625.25, 100, -1)},
			{power(562.6, 400, -1), power(50, 0, -1), power(25, 0, -1), power(62.525, 0, -1)},
		}}, Attribution: Attribution{Method: attribution.Regression, ValidationError: &fitError, ShareValidationError: &shareError,
			BaselineWatts: []float64{2500, 100}, BaselineFitted: []bool{true, true}, ActiveWatts: []float64{0, 0}}},
		{Name: "page-faults", Attribution: Attribution{Method: attribution.Proportional, BaselineWatts: []float64{0}}},
	}
	joules := []float64{4000, 1500.75, 500, 250, 625.25, 125.25} // of package 0, as it were
	var sum float64
	for i := range r.Data.Stacks {
		r.Data.Stacks[i].Counts = []float64{joules[i], joules[i] / 10, float64(i) / 4}
		sum += joules[i]
	}
	r.Data.Counters = []pprofile.Counter{
		{Event: exampleCounter, CPUs: "0-1", Counts: sum + 5001.75, Synthetic: pprofile.Synthetic{Baseline: 5000, Other: 1.75}},
		{Event: exampleCounter, Package: 1, CPUs: "2-3", Counts: math.Round(sum/10 + 200), Synthetic: pprofile.Synthetic{Baseline: math.Round(sum/10+200) - sum/10}},
		{Event: "page-faults", CPUs: "0-3", Counts: 15.0 / 4},
	}
	return r
}

// What people and scripts read of counters, and that it adds up to the count.
func TestCounters(t *testing.T) {
	r := tallied()
	s := r.Summary()
	p := mustProfile(t, r)
	var summary, closing, table, tableJSON, threads bytes.Buffer
	byFunction, err := ReadCounts(p, exampleCounter, ByFunction)
	if err != nil {
		t.Fatal(err)
	}
	byThread, err := ReadCounts(p, exampleCounter, ByThread)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.JSON(&summary), s.Text(&closing, 120), byFunction.Text(&table, 3, 120), byFunction.JSON(&tableJSON, 3), byThread.Text(&threads, 0, 120)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "counters.summary.json", summary.String())
	golden(t, "counters.closing.txt", closing.String())
	golden(t, "counters.table.txt", table.String())
	golden(t, "counters.table.json", tableJSON.String())
	golden(t, "counters.thread.txt", threads.String())
	for _, c := range s.Counters {
		parts, domains := c.Baseline+c.Active+c.Other+c.Lost+c.Unattributed+c.Idle, int64(0)
		for _, f := range c.Functions {
			parts += f.Count
		}
		for _, d := range c.Domains {
			domains += d.Count
		}
		if parts != c.Count || domains != c.Count {
			t.Errorf("%s: parts of %d, packages of %d counts, %d in all", c.Name, parts, domains, c.Count)
		}
	}
	// All else is what it is without them.
	before := mustProfile(t, example())
	if len(p.SampleType) != len(before.SampleType)+2 || p.DefaultSampleType != before.DefaultSampleType {
		t.Errorf("sample types %v of a recording that had %v", p.SampleType, before.SampleType)
	}
	if d := cmp.Diff(byLeaf(before, before.SampleType), byLeaf(p, before.SampleType)); d != "" {
		t.Errorf("values without and with counters (-without +with):\n%s", d)
	}
}

// byLeaf sums these sample types of a profile up by function; what is 0 is left out.
func byLeaf(p *profile.Profile, types []*profile.ValueType) map[string]int64 {
	sums := map[string]int64{}
	for _, st := range types {
		i := sampleType(p, st.Type, st.Unit)
		for _, s := range p.Sample {
			if i >= 0 && s.Value[i] != 0 {
				leaf := s.Location[0]
				name := fmt.Sprintf("%#x", leaf.Address)
				if len(leaf.Line) > 0 {
					name = leaf.Line[0].Function.Name
				}
				sums[st.Type+" of "+name] += s.Value[i]
			}
		}
	}
	return sums
}

// A profile that was merged has other counts than those that an interval is of.
func TestCountsOfMergedProfile(t *testing.T) {
	one := mustProfile(t, tallied())
	merged, err := profile.Merge([]*profile.Profile{one, mustProfile(t, tallied())})
	if err != nil {
		t.Fatal(err)
	}
	before, err := ReadCounts(one, exampleCounter, ByFunction)
	if err != nil {
		t.Fatal(err)
	}
	after, err := ReadCounts(merged, exampleCounter, ByFunction)
	if err != nil {
		t.Fatal(err)
	}
	if after.Count != 2*before.Count || before.Rows[0].Low == nil {
		t.Errorf("%d and %d counts, %+v", before.Count, after.Count, before.Rows)
	}
	for _, r := range after.Rows {
		if r.Low != nil && r.Count > 0 {
			t.Errorf("an interval of half the counts: %+v", r)
		}
	}
	if _, err := ReadCounts(one, "cycles", ByFunction); err == nil || !strings.Contains(err.Error(), "no sample type cycles/count; there is samples/count, cpu/nanoseconds, "+exampleCounter+"/count") {
		t.Errorf("an event that is not there: %v", err)
	}
}
