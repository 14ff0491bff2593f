package uncore

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// config is what the kernel would get for an event of the tables on machine m.
func config(t *testing.T, m Machine, platform, name string) (uint64, Entry) {
	t.Helper()
	m.Platform = platform
	e, ok := m.Lookup(name)
	if !ok {
		t.Errorf("%s: %s is not found", platform, name)
		return 0, e
	}
	events, err := m.fs().ParseList(e.Spec())
	if err != nil {
		t.Errorf("%s: %s: %v", platform, name, err)
		return 0, e
	}
	for _, ev := range events {
		if ev.Config != events[0].Config {
			t.Errorf("%s: %s: boxes of one kind differ", platform, name)
		}
	}
	return events[0].Config, e
}

// rows reads a TSV with a header.
func rows(t *testing.T, text string) []map[string]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes = '\t', true
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every row of the tables is found by its name, in any case, and the kernel's
// config of it is umask_ext<<32 | umask<<8 | event.
func TestTablesResolve(t *testing.T) {
	machines := map[string]Machine{"SPR": tree(t, "spr"), "EMR": tree(t, "spr"), "GNR": tree(t, "gnr")}
	for file, want := range map[string]struct {
		text string
		rows int
	}{"intel_cxl.tsv": {intelCXL, 115}, "intel_cha_cxl.tsv": {intelCHA, 162}, "intel_mem.tsv": {intelMem, 115}} {
		all := rows(t, want.text)
		if len(all) != want.rows {
			t.Errorf("%s: %d rows, want %d", file, len(all), want.rows)
		}
		for _, row := range all {
			code := number(t, row["umask_ext"])<<32 | number(t, row["umask"])<<8 | number(t, row["event"])
			got, e := config(t, machines[row["platform"]], row["platform"], row["name"])
			if got != code {
				t.Errorf("%s %s: %s is %#x, want %#x", row["platform"], row["name"], e.Spec(), got, code)
			}
			if lower, ok := (Machine{Platform: strings.ToLower(row["platform"])}).Lookup(strings.ToLower(row["name"])); !ok || lower.Spec() != e.Spec() {
				t.Errorf("%s %s: in lower case it is %+v", row["platform"], row["name"], lower)
			}
		}
	}
}

// The same for the file that the CXL table was made of, whose third column is the code.
func TestCXLEventsOfTheCorpus(t *testing.T) {
	text, err := os.ReadFile(corpus(t, "tables", "intel_cxl_events.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	machines := map[string]Machine{"SPR": tree(t, "spr"), "EMR": tree(t, "spr"), "GNR": tree(t, "gnr")}
	for _, row := range rows(t, string(text)) {
		got, e := config(t, machines[row["platform"]], row["platform"], row["event"])
		want := number(t, row["config(umask<<8|event)"])
		counters, _ := parseCounters(row["counters"])
		if got != want || !slices.Equal(e.Counters, counters) || e.Unit != row["unit"] || e.Brief != row["brief"] {
			t.Errorf("%s %s: %#x %+v, want %#x of %v", row["platform"], row["event"], got, e, want, row)
		}
	}
}

// The codes that a user of CXL machines has in the head: what the receiving
// packing buffers count, and the loads that code 0x80d1 means on two platforms.
func TestSixteenCodes(t *testing.T) {
	spr, gnr := tree(t, "spr"), tree(t, "gnr")
	events := []struct {
		name string
		code uint64
	}{{"INSERTS", 0x41}, {"NE", 0x42}, {"FULL", 0x52}}
	labels := []struct {
		name  string
		umask uint64
	}{{"CACHE_REQ", 0x01}, {"CACHE_RSP", 0x02}, {"CACHE_DATA", 0x04}, {"MEM_REQ", 0x08}, {"MEM_DATA", 0x10}}
	for _, platform := range []string{"SPR", "EMR"} {
		for _, event := range events {
			for _, label := range labels {
				name := "UNC_CXLCM_RxC_PACK_BUF_" + event.name + "." + label.name
				got, e := config(t, spr, platform, name)
				if want := label.umask<<8 | event.code; got != want {
					t.Errorf("%s %s: %#x, want %#x", platform, name, got, want)
				}
				if !slices.Equal(e.Counters, []int{4, 5, 6, 7}) || e.PMU != "uncore_cxlcm" || e.Doubt != "" {
					t.Errorf("%s %s: %+v, want counters 4-7 of uncore_cxlcm and no doubt", platform, name, e)
				}
			}
		}
	}
	if got, _ := config(t, spr, "", "MEM_LOAD_RETIRED.LOCAL_PMM"); got != 0x80d1 {
		t.Errorf("Sapphire Rapids: MEM_LOAD_RETIRED.LOCAL_PMM is %#x, want 0x80d1", got)
	}
	if got, _ := config(t, gnr, "", "MEM_LOAD_RETIRED.LOCAL_CXL_MEM"); got != 0x80d1 {
		t.Errorf("Granite Rapids: MEM_LOAD_RETIRED.LOCAL_CXL_MEM is %#x, want 0x80d1", got)
	}
	for _, test := range []struct {
		m          Machine
		name, want string
	}{
		{spr, "MEM_LOAD_RETIRED.LOCAL_CXL_MEM", "an event of GNR, and this one is SPR"},
		{gnr, "MEM_LOAD_RETIRED.LOCAL_PMM", "an event of SPR, and this one is GNR"},
		{Machine{Platform: "emr"}, "MEM_LOAD_RETIRED.LOCAL_PMM", "an event of SPR, and this one is EMR"},
		{tree(t, "amd"), "MEM_LOAD_RETIRED.LOCAL_PMM", "an event of SPR, and this processor is none that the built-in tables know"},
		{tree(t, "arm"), "MEM_LOAD_RETIRED.L1_HIT", "an event of EMR, GNR, SPR, and this processor is none that the built-in tables know"},
		{spr, "NO_SUCH_EVENT", ""},
	} {
		if e, ok := test.m.Lookup(test.name); ok {
			t.Errorf("%s is %+v", test.name, e)
		}
		if got := test.m.Why(test.name); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDoubts(t *testing.T) {
	for _, platform := range []string{"SPR", "EMR"} {
		table, _ := PlatformTable(platform)
		agf := table.Search(regexp.MustCompile(`^UNC_CXLCM_RxC_AGF_INSERTS\.`))
		if len(agf) != 7 {
			t.Errorf("%s: %d events RxC_AGF_INSERTS, want 7", platform, len(agf))
		}
		for _, e := range agf {
			if !strings.Contains(e.Doubt, "shifted") || !strings.Contains(e.Doubt, e.Brief) {
				t.Errorf("%s %s: the doubt is %q", platform, e.Name, e.Doubt)
			}
		}
		e, _ := table.Lookup("UNC_CXLCM_TxC_PACK_BUF_INSERTS.CACHE_REQ1")
		if !strings.Contains(e.Doubt, "swapped") {
			t.Errorf("%s %s: the doubt is %q", platform, e.Name, e.Doubt)
		}
		if e, _ = table.Lookup("UNC_CXLCM_TxC_PACK_BUF_INSERTS.MEM_DATA"); e.Doubt != "" {
			t.Errorf("%s %s is in doubt: %q", platform, e.Name, e.Doubt)
		}
	}
}

// A kernel from before 2024 has fewer bits for the CHA: the error says so.
func TestUnitMaskBeyondTheKernels(t *testing.T) {
	m := ownTree(t, "spr")
	path := m.Sys + "/bus/event_source/devices/uncore_cha_0/format/umask"
	if err := os.WriteFile(path, []byte("config:8-15,32-55\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e, _ := m.Lookup("UNC_CHA_TOR_INSERTS.IA_MISS_DRD_CXL_ACC")
	if e.Terms != "event=0x35,umask=0x10c8178201" {
		t.Errorf("the terms are %s", e.Terms)
	}
	_, err := m.fs().ParseList(e.Spec())
	if err == nil || !strings.Contains(err.Error(), "out of range 0-0xffffffff") {
		t.Errorf("the error is %v", err)
	}
}

// An event file of the user goes before the built-in table, and an event of it
// that cannot be had leaves the name to the table.
func TestUsersTables(t *testing.T) {
	user := readPerfmon(t, "perfmon_core.json")
	m := tree(t, "spr")
	m.Tables = []*Table{user}
	if e, ok := m.Lookup("mem_load_retired.local_pmm"); !ok || e.Platform != user.Platform {
		t.Errorf("found %+v", e)
	}
	if e, ok := m.Lookup("MEM_LOAD_RETIRED.L1_HIT"); !ok || e.Platform != "SPR" {
		t.Errorf("found %+v", e)
	}
	if why := m.Why("uops_dispatched.odd"); why != "it needs register 0x1ad, for which the kernel has no field" {
		t.Errorf("why: %q", why)
	}
	found := m.Search(regexp.MustCompile("LOCAL_PMM"))
	if len(found) != 1 || found[0].Platform != user.Platform {
		t.Errorf("the search found %+v, want the user's event alone", found)
	}
}

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

func ExampleMachine_Lookup() {
	m := Machine{Platform: "SPR"} // the zero value is the machine it runs on
	e, _ := m.Lookup("unc_cxlcm_rxc_pack_buf_inserts.mem_data")
	fmt.Println(e.Spec(), e.Counters)
	_, ok := m.Lookup("MEM_LOAD_RETIRED.LOCAL_CXL_MEM")
	fmt.Println(ok, m.Why("MEM_LOAD_RETIRED.LOCAL_CXL_MEM"))
	// Output:
	// uncore_cxlcm/event=0x41,umask=0x10/ [4 5 6 7]
	// false an event of GNR, and this one is SPR
}
