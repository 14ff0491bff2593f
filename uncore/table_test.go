package uncore

import (
	"encoding/csv"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
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

// platformTable is the built-in table of a platform.
func platformTable(t *testing.T, platform string) *Table {
	t.Helper()
	all, err := Builtin()
	i := slices.IndexFunc(all, func(table *Table) bool { return table.Platform == platform })
	if err != nil || i < 0 {
		t.Fatalf("%d tables, none of %s: %v", len(all), platform, err)
	}
	return all[i]
}

// A row that cannot be read is named, and what came before it is kept.
func TestDamagedTables(t *testing.T) {
	lines := strings.SplitAfter(intelMem, "\n")
	for _, c := range []struct{ name, text, want string }{
		{"cut off", strings.Join(lines[:3], "") + lines[3][:20], "built-in table x.tsv: line 4: "},
		{"twice", strings.Join(lines[:3], "") + lines[2], "built-in table x.tsv: line 4: "},
	} {
		tables, err := readTables([]tableFile{{"first.tsv", intelCXL}, {"x.tsv", c.text}, {"last.tsv", intelCHA}})
		if len(tables) == 0 || err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %d tables, error %v; want some, and %q", c.name, len(tables), err, c.want)
		}
	}
}

func TestDoubts(t *testing.T) {
	for _, platform := range []string{"SPR", "EMR"} {
		table := platformTable(t, platform)
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
