package uncore

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/internal/pmu"
)

func TestTerms(t *testing.T) {
	const inserts = "UNC_CXLCM_TxC_PACK_BUF_INSERTS.MEM_DATA"
	e, err := tree(t, "spr").Events("task-clock,{uncore_cxlcm/event=0x40,umask=0x10/," + inserts + "},uncore_imc_1/event=5,name=mine/,{page-faults,faults:u}")
	if err != nil {
		t.Fatal(err)
	}
	both := []string{"uncore_cxlcm_0", "uncore_cxlcm_1"}
	want := []Term{
		{Name: "task-clock", Clock: true, Group: -1},
		{Name: "uncore_cxlcm/event=0x40,umask=0x10/", PMUs: both, Uncore: true, Group: 0},
		{Name: inserts, PMUs: both, Uncore: true, Group: 0},
		{Name: "uncore_imc_1/event=5,name=mine/", Label: "mine", PMUs: []string{"uncore_imc_1"}, Uncore: true, Group: -1},
		{Name: "page-faults", Group: 1},
		{Name: "faults:u", Group: 1},
	}
	if diff := cmp.Diff(want, e.Terms()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	// One group for each box.
	var groups []string
	for _, g := range e.groups {
		var members []string
		for _, ev := range g.Events {
			members = append(members, ev.PMU)
		}
		groups = append(groups, strings.Join(members, "+"))
	}
	wantGroups := []string{"", "uncore_cxlcm_0+uncore_cxlcm_0", "uncore_cxlcm_1+uncore_cxlcm_1", "uncore_imc_1", "+"}
	if !slices.Equal(groups, wantGroups) {
		t.Errorf("groups of %q, want %q", groups, wantGroups)
	}
}

// A name that is an event of another processor says so.
func TestEventOfAnotherProcessor(t *testing.T) {
	_, err := tree(t, "amd").Events("UNC_CXLCM_TxC_PACK_BUF_INSERTS.MEM_DATA")
	if !errors.Is(err, pmu.ErrNoEvent) || !strings.Contains(err.Error(), "SPR") {
		t.Errorf("%v, want that there is no such event here, and where there is", err)
	}
}

func TestSites(t *testing.T) {
	m := tree(t, "spr") // packages of CPUs 0-3 and 4-7; cxl_pmu_mem0.0 is read on CPU 0 for all of them
	threads := Target{Threads: []int{71, 72}}
	for _, test := range []struct {
		events string
		target Target
		want   []site
	}{
		{"task-clock", threads, []site{{71, -1}, {72, -1}}},
		{"{task-clock,page-faults}", threads, []site{{71, -1}, {72, -1}}},
		{"uncore_imc_0/event=5/", threads, []site{{-1, 0}, {-1, 4}}},
		{"uncore_imc_0/event=5/", Target{}, []site{{-1, 0}, {-1, 4}}},
		{"uncore_imc_0/event=5/", Target{CPUs: []int{5, 6}}, []site{{-1, 4}}},
		{"uncore_imc_0/event=5/", Target{CPUs: []int{5, 2}}, []site{{-1, 0}, {-1, 4}}},
		{"cstate_core/event=1/", Target{CPUs: []int{5}}, []site{{-1, 5}}},
		{"cxl_pmu_mem0.0/mask=1/", Target{CPUs: []int{7}}, []site{{-1, 0}}},
		{"task-clock", Target{CPUs: []int{5, 1}}, []site{{-1, 5}, {-1, 1}}},
		{"task-clock", Target{}, []site{{-1, 0}, {-1, 1}, {-1, 2}, {-1, 3}, {-1, 4}, {-1, 5}, {-1, 6}, {-1, 7}}},
	} {
		e, err := m.Events(test.events)
		if err != nil {
			t.Fatal(err)
		}
		where, err := m.sites(test.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := where.of(e.groups[0].Events[0]); !slices.Equal(got, test.want) {
			t.Errorf("%s for %+v: %v, want %v", test.events, test.target, got, test.want)
		}
	}
}

// A unit's counter is read on one CPU of those that share it, and where several are as near
// as each other (two complexes of cores with caches of their own in a package) all count.
func TestNearest(t *testing.T) {
	var cpus []pmu.CPU // two packages of two dies of two cores
	for id := range 8 {
		cpus = append(cpus, pmu.CPU{ID: id, Package: id / 4, Die: id / 2 % 2, Core: id % 2})
	}
	for _, test := range []struct{ wanted, units, want []int }{
		{[]int{3}, []int{0, 1, 2, 3}, []int{3}},
		{[]int{3}, []int{0, 2, 4, 6}, []int{2}},
		{[]int{3, 7}, []int{0, 4}, []int{0, 4}},
		{[]int{3}, []int{0, 1, 4}, []int{0, 1}},
		{[]int{7}, []int{0}, []int{0}},
	} {
		if got := nearest(cpus, test.wanted, test.units); !slices.Equal(got, test.want) {
			t.Errorf("units read on %v, nearest to CPUs %v: %v, want %v", test.units, test.wanted, got, test.want)
		}
	}
}
