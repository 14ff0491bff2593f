package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/google/pprof/profile"
)

// fitted is the example with a regression: work runs in two processes, and
// push_back and the nameless code share a power.
func fitted() *Recording {
	r := example()
	fitError, shareError := 0.018, 0.14
	r.Attribution = Attribution{Method: attribution.Regression, BaselineWatts: []float64{10, 0.5, 0}, BaselineFitted: []bool{true, true, false},
		ActiveWatts: []float64{1, 0, 0}, ValidationError: &fitError, ShareValidationError: &shareError}
	power := func(joules, half float64, group int32) attribution.FunctionPower {
		return attribution.FunctionPower{Joules: joules, Low: joules - half, High: joules + half, Group: group}
	}
	r.Fit = &Fit{Function: []int32{0, 0, 1, 2, 3, 0}, Power: [][]attribution.FunctionPower{
		{power(5.625, 0.3, -1), power(0.5, 0.25, 4), power(0.25, 0.5, 4), power(0.625, 0.1, -1)},
		{power(1.40625, 0.4, -1), power(0.125, 0, 7), power(0.0625, 0, 8), power(0.15625, 0, -1)},
		{power(0, 9, -1), power(0, 9, -1), power(0, 9, -1), power(0, 9, -1)}, // not in the sum
	}}
	return r
}

// Two processes share the interval of a function that both run in proportion to
// joules, counters combine in quadrature, and a group is named after one of its functions.
func TestIntervals(t *testing.T) {
	s := fitted().Summary()
	rows := map[rowID]Function{}
	for _, f := range s.Functions {
		rows[rowID{f.Name, f.Process}] = f
	}
	for _, tt := range []struct {
		row         rowID
		below, over float64
		group       string
	}{
		{rowID{"work", "app"}, 0.5 * 5.5 / 5.625, 0.5 * 5.5 / 5.625, ""},
		{rowID{"work", "child"}, 0.5 * 0.125 / 5.625, 0.5 * 0.125 / 5.625, ""},
		{rowID{"std::vector<int>::push_back", "app"}, 0.25, 0.25, "std::vector<int>::push_back"},
		{rowID{"[unknown in app]", "app"}, 0.3125, 0.5, "std::vector<int>::push_back"}, // nothing is below 0
	} {
		f := rows[tt.row]
		if f.JoulesLow == nil {
			t.Errorf("%v has no interval", tt.row)
			continue
		}
		below, over := *f.Joules-*f.JoulesLow, *f.JoulesHigh-*f.Joules
		if math.Abs(below-tt.below) > 2e-6 || math.Abs(over-tt.over) > 2e-6 || f.Group != tt.group {
			t.Errorf("%v: %v - %v + %v, group %q, want - %v + %v, group %q", tt.row, *f.Joules, below, over, f.Group, tt.below, tt.over, tt.group)
		}
	}
}

// Groups of different functions keep different names.
func TestGroupNames(t *testing.T) {
	group := func(g int32) attribution.FunctionPower { return attribution.FunctionPower{Group: g} }
	fit := &Fit{Power: [][]attribution.FunctionPower{{group(0), group(0), group(1), group(1), group(2), group(-1)}, {group(3), group(3)}}}
	got := fit.groups(map[int32]string{0: "f", 1: "g", 2: "f", 3: "h", 4: "alone", 5: "x"}, func(f int32) float64 { return -float64(f) })
	want := map[groupID]string{{0, 0}: "f", {0, 1}: "f (2)", {1, 3}: "f"}
	if len(got) != len(want) {
		t.Errorf("groups %v, want %v", got, want)
	}
	for id, name := range want {
		if got[id] != name {
			t.Errorf("group %v is %q, want %q", id, got[id], name)
		}
	}
}

// The intervals of a profile are its own: in a sum of two they mean nothing.
func TestIntervalsOfMergedProfiles(t *testing.T) {
	one := ReadTable(mustProfile(t, fitted()))
	if !one.Intervals || len(one.Comments) == 0 || strings.Contains(strings.Join(one.Comments, ""), "#interval") {
		t.Errorf("intervals %v, comments %q", one.Intervals, one.Comments)
	}
	sum, err := profile.Merge([]*profile.Profile{mustProfile(t, fitted()), mustProfile(t, fitted())})
	if err != nil {
		t.Fatal(err)
	}
	if two := ReadTable(sum); two.Intervals {
		t.Error("the sum of two profiles has intervals")
	}
}

// Joules that are in no sum have no intervals: none is added up of them.
func TestNoIntervalsWithoutSum(t *testing.T) {
	r := fitted()
	for i := range r.Data.Columns {
		r.Data.Columns[i].Sum = false
	}
	if tab := ReadTable(mustProfile(t, r)); tab.Intervals || tab.Joules == 0 {
		t.Errorf("intervals %v of %v J", tab.Intervals, tab.Joules)
	}
}

// By process and by thread the rows add up to the same.
func TestTableBy(t *testing.T) {
	p := mustProfile(t, fitted())
	whole := ReadTable(p)
	for _, by := range []By{ByProcess, ByThread} {
		tab := ReadTableBy(p, by)
		if tab.Joules != whole.Joules || tab.Seconds != whole.Seconds {
			t.Errorf("by %s: %v J in %v s, by function %v J in %v s", by, tab.Joules, tab.Seconds, whole.Joules, whole.Seconds)
		}
		var text, js bytes.Buffer
		if err := tab.Text(&text, 0, 100); err != nil {
			t.Fatal(err)
		}
		if err := tab.JSON(&js, 0); err != nil {
			t.Fatal(err)
		}
		golden(t, "regression."+string(by)+".txt", text.String())
		golden(t, "regression."+string(by)+".json", js.String())
	}
}
