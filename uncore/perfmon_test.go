package uncore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readPerfmon reads a file of testdata.
func readPerfmon(t testing.TB, name string) *Table {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := ReadPerfmon(f, name)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestReadPerfmon(t *testing.T) {
	const core = "Events of a made-up core"
	first4, upper := []int{0, 1, 2, 3}, []int{4, 5, 6, 7}
	for file, want := range map[string][]Entry{
		"perfmon_core.json": {
			{Name: "INST_RETIRED.ANY", Platform: core, PMU: "cpu", Terms: "event=0xc0,period=2000003", Brief: "Instructions retired, fixed counter.", Fixed: true, Precise: true},
			{Name: "CPU_CLK_UNHALTED.THREAD_ANY", Platform: core, PMU: "cpu", Terms: "event=0x3c,any=0x1,period=2000003", Brief: "Cycles of either thread", Fixed: true},
			{Name: "CPU_CLK_UNHALTED.REF", Platform: core, PMU: "cpu", Terms: "event=0x0,umask=0x3,period=2000000", Brief: "as Nehalem's file has it", Fixed: true},
			{Name: "CPU_CLK_UNHALTED.REF_TSC", Platform: core, PMU: "cpu", Terms: "event=0x0,umask=0x3,period=2000003", Brief: "Reference cycles", Fixed: true},
			{Name: "MEM_LOAD_RETIRED.LOCAL_PMM", Platform: core, PMU: "cpu", Terms: "event=0xd1,umask=0x80,period=1000003", Brief: "Loads from local persistent memory", Counters: first4, Precise: true},
			{Name: "MEM_TRANS_RETIRED.LOAD_LATENCY_GT_128", Platform: core, PMU: "cpu", Terms: "event=0xcd,umask=0x1,ldlat=0x80,period=1009", Brief: "Loads of more than 128 cycles", Counters: []int{1, 2, 3, 4, 5, 6, 7}, Precise: true},
			{Name: "OCR.DEMAND_DATA_RD.ANY_RESPONSE", Platform: core, PMU: "cpu", Terms: "event=0x2a,umask=0x1,offcore_rsp=0x10001,period=100003", Brief: "Demand reads", Counters: first4},
			{Name: "FRONTEND_RETIRED.DSB_MISS", Platform: core, PMU: "cpu", Terms: "event=0xc6,umask=0x1,frontend=0x11,period=100007", Brief: "Retired after a DSB miss", Counters: first4, Precise: true},
			{Name: "L1D_PEND_MISS.PENDING_CYCLES", Platform: core, PMU: "cpu", Terms: "event=0x48,umask=0x1,cmask=0x1,period=1000003", Brief: "Cycles with misses under way", Counters: first4},
			{Name: "UOPS_ISSUED.STALL_CYCLES", Platform: core, PMU: "cpu", Terms: "event=0xe,umask=0x1,cmask=0x1,inv=0x1,edge=0x1,period=1000003", Brief: "Cycles without", Counters: first4, Doubt: "errata XYZ012"},
			{Name: "OFFCORE_RESPONSE.DEMAND_RFO.ANY_RESPONSE", Platform: core, PMU: "cpu", Terms: "event=0xb7,umask=0x1,offcore_rsp=0x10002,period=100003", Counters: first4, Deprecated: true},
			{Name: "UOPS_DISPATCHED.ODD", Platform: core, PMU: "cpu", Terms: "event=0xb1,umask=0x1", Brief: "Wants a register", Counters: []int{0, 1}, Unusable: "it needs register 0x1ad, for which the kernel has no field"},
		},
		"perfmon_uncore.json": {
			{Name: "UNC_CXLCM_RxC_PACK_BUF_INSERTS.MEM_DATA", Unit: "CXLCM", PMU: "uncore_cxlcm", Terms: "event=0x41,umask=0x10", Brief: "Number of Allocation to Mem Data Packing buffer", Counters: upper,
				Doubt: "the file has the name twice, also as uncore_cxlcm/event=0x42,umask=0x10/"},
			{Name: "UNC_CHA_TOR_INSERTS.IA_MISS_DRD_CXL_ACC", Unit: "CHA", PMU: "uncore_cha", Terms: "event=0x35,umask=0x10c8178201", Brief: "DRds that miss", Counters: first4},
			{Name: "UNC_CHA_TOR_INSERTS.IA_MISS", Unit: "CHA", PMU: "uncore_cha", Terms: "event=0x35,umask=0xc001fe01,config1=0x40e33", Brief: "as the Linux sources have it", Counters: first4},
			{Name: "UNC_IIO_DATA_REQ_OF_CPU.MEM_WRITE.PART0", Unit: "IIO", PMU: "uncore_iio", Terms: "event=0x83,umask=0x1,ch_mask=0x1,fc_mask=0x7", Brief: "Writes of a port", Counters: []int{0, 1}},
			{Name: "UNC_M_CLOCKTICKS_F", Unit: "iMC", PMU: "uncore_imc", Terms: "event=0xff", Brief: "Clockticks", Fixed: true},
			{Name: "UNC_MC0_RDCAS_COUNT_FREERUN", Unit: "iMC", PMU: "uncore_imc_free_running", Brief: "Reads", Counters: []int{1},
				Unusable: "a free-running counter, whose code depends on the driver: the kernel names it among the events of PMU uncore_imc_free_running"},
			{Name: "UNC_UPI_TxL_FLITS.ALL_DATA", Unit: "UPI LL", PMU: "uncore_upi", Terms: "event=0x2,umask=0xf,thresh=0x2", Counters: first4},
			{Name: "UNC_C_TOR_INSERTS.MISS_OPCODE", Unit: "CBO", PMU: "uncore_cbox", Terms: "event=0x35,umask=0x3", Counters: first4,
				Doubt: "meant with the filter CBoFilter1[28:20], which is not set: it counts more"},
			{Name: "UNC_P_FREQ_TRANS_CYCLES", Unit: "PCU", PMU: "uncore_pcu", Terms: "event=0x160,config1=0x3b", Counters: first4},
			{Name: "UNC_CHA_TOR_INSERTS.EVERY_BIT", Unit: "CHA", PMU: "uncore_cha", Terms: "event=0x35,umask=0x1ff", Counters: []int{0}},
			{Name: "UNC_ARB_TRK_OCCUPANCY.CYCLES_OVER_HALF_FULL", Unit: "ARB", PMU: "uncore_arb", Terms: "event=0x80,umask=0x1,cmask=0xa", Counters: []int{0}},
			{Name: "UNC_HAC_CBO_TOR_ALLOCATION.DRD", Unit: "HAC_CBO", PMU: "uncore_hac_cbox", Terms: "event=0x35,umask=0x80", Counters: []int{0, 1}},
			{Name: "umc_cas_cmd.rd", Unit: "UMCPMC", PMU: "amd_umc", Terms: "event=0xa,rdwrmask=0x1", Brief: "Number of CAS commands sent for reads."},
			{Name: "UNC_CHA_CLOCKTICKS", Unit: "CHA", PMU: "uncore_cha", Terms: "event=0x1,umask=0x0", Counters: []int{3}},
		},
	} {
		if diff := cmp.Diff(want, readPerfmon(t, file).entries); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestReadPerfmonRefused(t *testing.T) {
	// event makes a file of one event that is right but for what is added.
	event := func(fields string) string {
		return `[{"EventName":"GOOD","EventCode":"0x01"},{"EventName":"BAD","EventCode":"0x02"` + fields + `}]`
	}
	const shape = "a file of events is a list of objects, or an object with such a list as Events"
	for _, test := range []struct{ text, want string }{
		{``, `event file x.json: line 1: unexpected end of JSON input`},
		{"{\n\"Events\": [}", `event file x.json: line 2: invalid character '}' looking for beginning of value`},
		{"{\n\"Events\": \"none\"}", `event file x.json: line 2: unexpected string: ` + shape},
		{`[1]`, `event file x.json: line 1: unexpected number: ` + shape},
		{`"Events"`, `event file x.json: line 1: unexpected string: ` + shape},
		{`{"Header":{}}`, `event file x.json: no field Events`},
		{`{"Header":{},"Metrics":[]}`, `event file x.json: it holds metrics, not events`},
		{`[]`, `event file x.json: no events in it`},
		{`[{"EventCode":"0x1"}]`, `event file x.json: event 1: EventName is missing`},
		{`[{"EventName":"A B","EventCode":"0x1"}]`, `event file x.json: event 1: EventName "A B" has a character that no event can have: " B"`},
		{`[{"EventName":"BAD"}]`, `event file x.json: event 1: BAD: EventCode is missing`},
		{`[{"EventName":"BAD","EventCode":"0xZZ"}]`, `event file x.json: event 1: BAD: EventCode "0xZZ" is no number`},
		{`[{"EventName":"BAD","EventCode":"0x10000"}]`, `event file x.json: event 1: BAD: EventCode "0x10000" with ExtSel "" is beyond what an event has`},
		{event(`,"UMask":"x"`), `event file x.json: event 2: BAD: UMask "x" is no number`},
		{event(`,"UMask":"0x101","UMaskExt":"0x2"`), `event file x.json: event 2: BAD: UMask "0x101" holds other bits than UMaskExt "0x2"`},
		{event(`,"UMaskExt":"0x100000000"`), `event file x.json: event 2: BAD: UMaskExt "0x100000000" has more than 32 bits`},
		{event(`,"CounterMask":"many"`), `event file x.json: event 2: BAD: CounterMask "many" is no number`},
		{event(`,"SampleAfterValue":"-1"`), `event file x.json: event 2: BAD: SampleAfterValue "-1" is no number`},
		{event(`,"MSRIndex":"0x3f6","MSRValue":"0xg"`), `event file x.json: event 2: BAD: MSRValue "0xg" is no number`},
		{event(`,"Filter":"Filter1"`), `event file x.json: event 2: BAD: no FILTER_VALUE, which Filter asks for`},
		{event(`,"Filter":"config1"`), `event file x.json: event 2: BAD: field Filter "config1" is no list of name=value`},
		{event(`,"Unit":"a/b"`), `event file x.json: event 2: BAD: Unit "a/b" is no name of a unit`},
	} {
		table, err := ReadPerfmon(strings.NewReader(test.text), "x.json")
		if err == nil || err.Error() != test.want {
			t.Errorf("%s:\n got %v, %v\nwant %s", test.text, table, err, test.want)
		}
	}
}

// FuzzReadPerfmon: whatever the file says, an entry that can be asked for is an
// event without anything that would end it.
func FuzzReadPerfmon(f *testing.F) {
	for _, name := range []string{"perfmon_core.json", "perfmon_uncore.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`[{"EventName":"A","EventCode":"1,2","Filter":"config2=1,config1=0x2/"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := ReadPerfmon(strings.NewReader(string(text)), "fuzz")
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		for _, e := range table.entries {
			if found, ok := table.Lookup(strings.ToUpper(e.Name)); !ok || found.Name != e.Name {
				t.Fatalf("%q is not found: %q, %v", e.Name, found.Name, ok)
			}
			if e.Unusable != "" {
				continue
			}
			if e.Terms == "" || strings.Count(e.Spec(), "/") != 2 || strings.ContainsAny(e.Spec(), ":{}\n ") {
				t.Fatalf("%q stands for %q", e.Name, e.Spec())
			}
		}
	})
}

func ExampleReadPerfmon() {
	file := strings.NewReader(`{"Header":{"Info":"a made-up machine"},"Events":[
		{"EventName":"UNC_CXLCM_RxC_PACK_BUF_INSERTS.MEM_DATA","Unit":"CXLCM","EventCode":"0x41","UMask":"0x10","Counter":"4,5,6,7"}]}`)
	table, err := ReadPerfmon(file, "events.json")
	if err != nil {
		panic(err)
	}
	e, _ := table.Lookup("unc_cxlcm_rxc_pack_buf_inserts.mem_data")
	fmt.Println(e.Spec(), "on counters", e.Counters)
	// Output: uncore_cxlcm/event=0x41,umask=0x10/ on counters [4 5 6 7]
}
