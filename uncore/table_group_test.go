package uncore

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckGroup(t *testing.T) {
	m := tree(t, "spr")
	member := func(pmu string, config uint64) Member {
		return Member{Name: pmu + "/" + strconv.FormatUint(config, 16), PMU: pmu, Config: config}
	}
	sends := []Member{member("uncore_cxlcm_0", 0x0102), member("uncore_cxlcm_0", 0x1002), member("uncore_cxlcm_0", 0x0105), member("uncore_cxlcm_0", 0x0205)}
	receives := []Member{member("uncore_cxlcm_0", 0x1041), member("uncore_cxlcm_0", 0x1042), member("uncore_cxlcm_0", 0x1052), member("uncore_cxlcm_0", 0x0240)}
	ticks := member("uncore_cxlcm_0", 0x0201)
	for _, test := range []struct {
		members []Member
		want    string
	}{
		{slices.Concat(sends, receives), ""},
		{append(slices.Clone(sends), ticks), ""},
		{append(slices.Clone(sends), member("uncore_cxlcm_1", 0x0802)), ""}, // another box
		{append(slices.Clone(sends), member("uncore_cxlcm_0", 0x0802)),
			"the group can never be counted: uncore_cxlcm_0/102, uncore_cxlcm_0/1002, uncore_cxlcm_0/105, uncore_cxlcm_0/205, uncore_cxlcm_0/802 want counters 0-3 of uncore_cxlcm_0, and there are 5 events for 4 counters"},
		{append(slices.Clone(receives), sends[0], member("uncore_cxlcm_0", 0x7f41)), // a unit mask of several bits
			"the group can never be counted: uncore_cxlcm_0/1041, uncore_cxlcm_0/1042, uncore_cxlcm_0/1052, uncore_cxlcm_0/240, uncore_cxlcm_0/7f41 want counters 4-7 of uncore_cxlcm_0, and there are 5 events for 4 counters"},
		{slices.Concat(sends, receives, []Member{ticks}),
			"the group can never be counted: uncore_cxlcm_0/102, uncore_cxlcm_0/1002, uncore_cxlcm_0/105, uncore_cxlcm_0/205, uncore_cxlcm_0/1041, uncore_cxlcm_0/1042, uncore_cxlcm_0/1052, uncore_cxlcm_0/240, uncore_cxlcm_0/201 want counters 0-7 of uncore_cxlcm_0, and there are 9 events for 8 counters"},
		{[]Member{member("uncore_cha_0", 0x10c81782_00000136), member("uncore_cha_0", 0x10c80782_00000136)},
			"the group can never be counted: uncore_cha_0/10c8178200000136, uncore_cha_0/10c8078200000136 want counters 0 of uncore_cha_0, and there are 2 events for 1 counters"},
		{slices.Repeat([]Member{member("uncore_cxlcm_0", 0x99)}, 20), ""}, // an event that no table has
		{slices.Repeat([]Member{member("uncore_imc_0", 0x05)}, 20), ""},
	} {
		err := m.CheckGroup(test.members)
		if got := ""; err != nil {
			got = err.Error()
			var crowd *CrowdError
			if got != test.want || !errors.As(err, &crowd) {
				t.Errorf("%v:\n got %s\nwant %s", test.members, got, test.want)
			}
		} else if test.want != "" {
			t.Errorf("%v: no error, want %s", test.members, test.want)
		}
	}
}

// Where the events of one code disagree about their counters, nothing is known.
func TestCheckGroupOfOneCode(t *testing.T) {
	table, err := ReadPerfmon(strings.NewReader(`[
		{"EventName":"A","Unit":"CXLCM","EventCode":"0x77","UMask":"0x1","Counter":"0"},
		{"EventName":"B","Unit":"CXLCM","EventCode":"0x77","UMask":"0x1","Counter":"0,1","EdgeDetect":"1"},
		{"EventName":"C","Unit":"CXLCM","EventCode":"0x78","UMask":"0x1","Counter":"0"}]`), "x.json")
	if err != nil {
		t.Fatal(err)
	}
	m := Machine{Sys: t.TempDir(), Proc: t.TempDir(), Tables: []*Table{table}}
	pair := func(config uint64) []Member { return slices.Repeat([]Member{{"x", "uncore_cxlcm_0", config}}, 2) }
	if err := m.CheckGroup(pair(0x177)); err != nil {
		t.Errorf("counters 0, or 0 and 1: %v, want no error", err)
	}
	if err := m.CheckGroup(pair(0x178)); err == nil {
		t.Error("two events for counter 0: no error")
	}
}

// crowd finds a set exactly if trying every placement finds none.
func TestCrowd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counters := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.IntRange(0, 4), 1, 3, rapid.ID[int]), 0, 5).Draw(t, "counters")
		var possible func(event int, used map[int]bool) bool
		possible = func(event int, used map[int]bool) bool {
			if event == len(counters) {
				return true
			}
			for _, c := range counters[event] {
				if !used[c] {
					used[c] = true
					if possible(event+1, used) {
						return true
					}
					used[c] = false
				}
			}
			return false
		}
		events, all := crowd(counters)
		if possible(0, map[int]bool{}) != (events == nil) {
			t.Fatalf("%v: crowd says %v", counters, events)
		}
		if events == nil {
			return
		}
		if len(events) != len(all)+1 {
			t.Fatalf("%v: %v want %v", counters, events, all)
		}
		for _, event := range events {
			for _, c := range counters[event] {
				if !slices.Contains(all, c) {
					t.Fatalf("%v: event %d can have counter %d, which is not among %v", counters, event, c, all)
				}
			}
		}
	})
}
