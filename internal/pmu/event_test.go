package pmu

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const joule = 2.3283064365386962890625e-10 // 2^-32

func TestParse(t *testing.T) {
	server, _ := openTree(t, "server")
	tests := []struct {
		spec string
		want Event // Name is always spec
	}{
		{"cycles", Event{}},
		{"cpu-cycles", Event{}},
		{"instructions:u", Event{Config: 1, ExcludeKernel: true, ExcludeHV: true}},
		{"branches:k", Event{Config: 4, ExcludeUser: true, ExcludeHV: true}},
		{"branch-instructions", Event{Config: 4}},
		{"branch-misses:h", Event{Config: 5, ExcludeUser: true, ExcludeKernel: true}},
		{"cache-references:uk", Event{Config: 2, ExcludeHV: true}},
		{"cache-misses:ukh", Event{Config: 3}},
		{"bus-cycles:p", Event{Config: 6, Precise: 1}},
		{"idle-cycles-frontend:pp", Event{Config: 7, Precise: 2}},
		{"stalled-cycles-backend:ppp", Event{Config: 8, Precise: 3}},
		{"ref-cycles:upp", Event{Config: 9, Precise: 2, ExcludeKernel: true, ExcludeHV: true}},
		{"cpu-clock", Event{Type: 1, Clock: true}},
		{"task-clock:u", Event{Type: 1, Config: 1, Clock: true, ExcludeKernel: true, ExcludeHV: true}},
		{"faults", Event{Type: 1, Config: 2}},
		{"cs", Event{Type: 1, Config: 3}},
		{"migrations", Event{Type: 1, Config: 4}},
		{"minor-faults", Event{Type: 1, Config: 5}},
		{"major-faults", Event{Type: 1, Config: 6}},
		{"alignment-faults", Event{Type: 1, Config: 7}},
		{"emulation-faults", Event{Type: 1, Config: 8}},
		{"dummy", Event{Type: 1, Config: 9}},
		{"bpf-output", Event{Type: 1, Config: 10}},
		{"cgroup-switches", Event{Type: 1, Config: 11}},
		{"L1-dcache", Event{Type: 3}},
		{"L1-dcache-load-misses", Event{Type: 3, Config: 0x10000}},
		{"L1-dcache-stores:k", Event{Type: 3, Config: 0x100, ExcludeUser: true, ExcludeHV: true}},
		{"l1-icache-prefetch-misses", Event{Type: 3, Config: 0x10201}},
		{"LLC-misses-prefetches", Event{Type: 3, Config: 0x10202}},
		{"dTLB-store-misses", Event{Type: 3, Config: 0x10103}},
		{"iTLB-loads", Event{Type: 3, Config: 4}},
		{"branch-loads", Event{Type: 3, Config: 5}},
		{"branches-load-misses", Event{Type: 3, Config: 0x10005}},
		{"node-misses", Event{Type: 3, Config: 0x10006}},
		{"r1a8", Event{Type: 4, Config: 0x1a8}},
		{"rFFFFffffFFFFffff:u", Event{Type: 4, Config: 1<<64 - 1, ExcludeKernel: true, ExcludeHV: true}},
		{"cycles/no-inherit,period=7/", Event{NoInherit: true, Period: 7}},
		{"cycles/no-inherit=0,name='a b'/P", Event{Label: "a b", MaxPrecise: true}},
		{"cycles/inherit,freq=9/", Event{Frequency: 9}},
		{"power/energy-pkg/", Event{Alias: "energy-pkg", PMU: "power", Type: 23, Config: 2, CPUs: []int{0, 2}, Uncore: true, Scale: joule, Unit: "Joules"}},
		{"power//", Event{PMU: "power", Type: 23, CPUs: []int{0, 2}, Uncore: true}},
		{"cpu/edge/", Event{Alias: "edge", PMU: "cpu", Type: 4, Config: 0x11}}, // an alias and a field: the alias wins
		{"cpu/event=0x3c,umask=1,edge=1/", Event{PMU: "cpu", Type: 4, Config: 0x4013c}},
		{"cpu/event=60,inv,cmask=255/u", Event{PMU: "cpu", Type: 4, Config: 0xff80003c, ExcludeKernel: true, ExcludeHV: true}},
		{"cpu/cycles/pp", Event{Alias: "cpu-cycles", PMU: "cpu", Type: 4, Config: 0x3c, Precise: 2}},
		{"cpu/branches/:k", Event{Alias: "branch-instructions", PMU: "cpu", Type: 4, Config: 0xc4, ExcludeUser: true, ExcludeHV: true}},
		{"cpu/mem-loads/ppp", Event{Alias: "mem-loads", PMU: "cpu", Type: 4, Config: 0x1cd, Config1: 3, Precise: 3}},
		{"cpu/mem-loads,ldlat=30/", Event{Alias: "mem-loads", PMU: "cpu", Type: 4, Config: 0x1cd, Config1: 30}},
		{"cpu/topdown-slots/", Event{Alias: "topdown-slots", PMU: "cpu", Type: 4, Config: 0x3c, Scale: 2}},
		{"cpu/offcore_rsp=0xffffffffffffffff,event=0xb7/", Event{PMU: "cpu", Type: 4, Config: 0xb7, Config1: 1<<64 - 1}},
		{"cpu/r1a8/", Event{PMU: "cpu", Type: 4, Config: 0x1a8}},
		{"cpu/umask=2,config=0x3c,config1=7/", Event{PMU: "cpu", Type: 4, Config: 0x23c, Config1: 7}},
		{" cpu / event = 0x3c , umask=1 / ", Event{PMU: "cpu", Type: 4, Config: 0x13c}},
		{"uncore_imc_10/cas_count_read/", Event{Alias: "cas_count_read", PMU: "uncore_imc_10", Type: 40, Config: 0x304, CPUs: []int{0, 2}, Uncore: true, Scale: 6.103515625e-5, Unit: "MiB"}},
		{"uncore_imc_0/event=4,umask=0x12345603/", Event{PMU: "uncore_imc_0", Type: 30, Config: 0x12345600000304, CPUs: []int{0, 2}, Uncore: true}},
		{"imc_free_running_0/event=1/", Event{PMU: "uncore_imc_free_running_0", Type: 42, Config: 1}},
		{"imc_2/event=4/", Event{PMU: "uncore_imc_2", Type: 31, Config: 4, CPUs: []int{0, 2}, Uncore: true}},
		{"smmuv3_pmcg/event=1/", Event{PMU: "smmuv3_pmcg_2b442", Type: 50, Config: 1, CPUs: []int{}, Uncore: true}},
		{"uncore_imc_free_running/event=1/", Event{PMU: "uncore_imc_free_running", Type: 41, Config: 1, CPUs: []int{0}, Uncore: true}},
		{"cxl_pmu_mem0.0/vid=0x1e98,gid=0x10,mask=3,hdm=7/", Event{PMU: "cxl_pmu_mem0.0", Type: 120, Config: 0x1e98_0010_0000_0003, Config2: 7, CPUs: []int{0}, Uncore: true}},
		{"wide/all/", Event{Alias: "all", PMU: "wide", Type: 121, Config: 1 << 1, Config3: 1, Config4: 0xffffffff00000000}},
		{"wide/split=0x1f,low=0xffffffff/", Event{PMU: "wide", Type: 121, Config: 1<<63 | 0x6a, Config3: 0xffffffff}},
		{"wide/config4=0x10,config3=5,config2=6/", Event{PMU: "wide", Type: 121, Config2: 6, Config3: 5, Config4: 0x10}},
		{"hv_24x7/HPM_CYC,core=0x12/", Event{Alias: "HPM_CYC", PMU: "hv_24x7", Type: 122, Config: 0x120002}},
		{"i915/rcs0-busy/", Event{Alias: "rcs0-busy", PMU: "i915", Type: 123, Config: 0x100, CPUs: []int{0}, Uncore: true, Unit: "ns"}},
		{"broken/fine/", Event{Alias: "fine", PMU: "broken", Type: 124, Config: 2}},
		{"software/config=1/", Event{PMU: "software", Type: 1, Config: 1, Clock: true}},
		{"sched:sched_switch", Event{Type: 2, Config: 314}},
		{"raw_syscalls:sys_enter:u", Event{Type: 2, Config: 23, ExcludeKernel: true, ExcludeHV: true}},
		{"mem:0x1000", Event{Type: 5, Config1: 0x1000, Config2: 4, BPType: 3}},
		{"mem:0x1000/8:w", Event{Type: 5, Config1: 0x1000, Config2: 8, BPType: 2}},
		{"mem:4096/1:rw:u", Event{Type: 5, Config1: 0x1000, Config2: 1, BPType: 3, ExcludeKernel: true, ExcludeHV: true}},
		{"mem:0XffffffffFFFFFFFF/4:x:k", Event{Type: 5, Config1: 1<<64 - 1, Config2: 4, BPType: 4, ExcludeUser: true, ExcludeHV: true}},
		{"mem:0x1000:u", Event{Type: 5, Config1: 0x1000, Config2: 4, BPType: 3, ExcludeKernel: true, ExcludeHV: true}},
	}
	for _, test := range tests {
		test.want.Name = strings.TrimSpace(test.spec)
		got, err := server.Parse(test.spec)
		if err != nil {
			t.Errorf("%q: %v", test.spec, err)
			continue
		}
		got.ExcludeGuest = false // TestOracleTable has it
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.spec, diff)
		}
	}
}

func TestParseRefused(t *testing.T) {
	server, _ := openTree(t, "server")
	tests := []struct {
		spec, part string
		is         error
		reason     string // what the reason begins with
	}{
		{"", "", nil, "no event is named"},
		{"  ", "", nil, "no event is named"},
		{"{cycles}", "", nil, "braces"},
		{"cy\ncles", "\ncles", nil, "an event holds no control characters"},
		{"cycels", "cycels", ErrNoEvent, "no such event"},
		{"energy-psys", "energy-psys", ErrNoEvent, "no such event"},
		{"cas_count_read", "", ErrManyPMUs, "the name stands for several PMUs (uncore_imc_0, uncore_imc_2, uncore_imc_10)"},
		{"iTLB-stores", "iTLB-stores", ErrNoEvent, "no such event"},
		{"L1-dcache-", "L1-dcache-", ErrNoEvent, "no such event"},
		{"L1-dcache-loads-stores", "L1-dcache-loads-stores", ErrNoEvent, "no such event"},
		{"node-misses-refs", "node-misses-refs", ErrNoEvent, "no such event"},
		{"cycles:", ":", nil, "the modifiers are missing"},
		{"cycles:x", "x", nil, modifiers},
		{"cycles:upX", "X", nil, modifiers},
		{"cycles:uu", "uu", nil, "too many of modifier u"},
		{"cycles:pppp", "pppp", nil, "too many of modifier p"},
		{"cycles:u:k", "k", nil, "an event has one set of modifiers"},
		{"cycles:u:k:h", ":h", nil, "an event has at most"},
		{"r", "r", ErrNoEvent, "no such event"},
		{"rxyz", "rxyz", ErrNoEvent, "no such event"},
		{"r10000000000000000", "r10000000000000000", nil, "a raw code has at most 16 hex digits"},
		{"cpu/cycles", "/cycles", nil, "the closing / is missing"},
		{"cpu/cycles/x", "x", nil, modifiers},
		{"cpu/cycles/:", ":", nil, "the modifiers are missing"},
		{"cpu/cycles/u/", "/", nil, modifiers},
		{"/tsc/", "", ErrNoPMU, "no such PMU; there are breakpoint, broken, cpu, "},
		{"../tsc/", "..", ErrNoPMU, "no such PMU; there are "},
		{"imc/cas_count_read/", "", ErrManyPMUs, "the name stands for several PMUs (uncore_imc_0, uncore_imc_2, uncore_imc_10)"},
		{"imc_1/event=4/", "imc_1", ErrNoPMU, "no such PMU"}, // not uncore_imc_10
		{"untyped/config=1/", "untyped", nil, `PMU "untyped": `},
		{"unnumbered/config=1/", "unnumbered", nil, `PMU "unnumbered": `},
		{"power/energy-psys/", "energy-psys", ErrNoEvent, "PMU power has no such event or field; events: energy-pkg, energy-ram; fields: event"},
		{"power/evnt=1/", "evnt", ErrNoEvent, "PMU power has no such event or field; "},
		{"power/energy-pkg=2/", "energy-pkg", ErrNoEvent, "PMU power has no such event or field; "},
		{"power/energy-pkg,energy-ram/", "energy-ram", nil, "two events in one; energy-pkg is the other"},
		{"power/event=256/", "event", nil, "0x100 is out of range 0-0xff (config:0-7)"},
		{"uncore_imc_0/umask=0x100000000/", "umask", nil, "0x100000000 is out of range 0-0xffffffff (config:8-15,32-55)"},
		{"power/event=-1/", "event=-1", nil, "a value is decimal"},
		{"power/event=0x/", "event=0x", nil, "a value is decimal"},
		{"power/event=1_0/", "event=1_0", nil, "a value is decimal"},
		{"power/config=0x10000000000000000/", "config=0x10000000000000000", nil, "a value is decimal"},
		{"power/config5=1/", "config5", ErrNoEvent, "PMU power has no such event or field"},
		{"power/event=1,event=2/", "event", nil, "given twice"},
		{"power/event=1,/", "event=1,", nil, "a term is empty"},
		{"power/,/", ",", nil, "a term is empty"},
		{"power/=1/", "=1", nil, "a term is empty"},
		{"power/event=/", "event=", nil, "a value is needed"},
		{"cpu/mem-loads,ldlat=?/", "ldlat=?", nil, "a value is needed"},
		{"cpu/r10000000000000000/", "r10000000000000000", nil, "a raw code has at most 16 hex digits"},
		{"cpu/r1,r2/", "r2", nil, "config is given twice"},
		{"cpu/r1,config=2/", "r1", nil, "config is given twice"},
		{"hv_24x7/HPM_CYC/", "HPM_CYC", nil, "this event needs core=VALUE, 0-0xffff"},
		{"hv_24x7/HPM_CYC,core/", "HPM_CYC", nil, "this event needs core=VALUE"},
		{"hv_24x7/nonsense/", "nonsense", nil, `the terms for it, "domain=,core=1", make no sense: "domain="`},
		{"broken/unscaled/", "unscaled", nil, "PMU broken: parse "},
		{"broken/far=1/", "far", nil, "PMU broken: parse "},
		{"lost/event=1/", "lost", nil, "PMU lost: parse "},
		{"nosuch:sched_switch", "nosuch", ErrNoEvent, "no such event, and tracefs has no tracepoint group of that name"},
		{"cycels:u", "cycels", ErrNoEvent, "no such event, and tracefs"},
		{"sched:nosuch", "nosuch", ErrNoEvent, "no such tracepoint in group sched"},
		{"sched:*", "*", ErrNoEvent, "a tracepoint is group:name"},
		{"sched:", "", ErrNoEvent, "a tracepoint is group:name"},
		{"..:sched_switch", "..", ErrNoEvent, "a tracepoint is group:name"},
		{"sched:bad", "bad", nil, ""},
		{"sched:sched_switch:z", "z", nil, modifiers},
		{"mem:", "", nil, "an address is"},
		{"mem:401000f", "401000f", nil, "an address is 0x and hex digits, or decimal"},
		{"mem:0x10000000000000000", "0x10000000000000000", nil, "an address is"},
		{"mem:0x1000/0", "0", nil, "a length is 1 to 8 bytes"},
		{"mem:0x1000/9:r", "9", nil, "a length is 1 to 8 bytes"},
		{"mem:0x1000/:r", "", nil, "a length is 1 to 8 bytes"},
		{"mem:0x1000:rr", "rr", nil, "r is given twice"},
		{"mem:0x1000:rq", "rq", nil, modifiers},
		{"mem:0x1000:r:u:k", ":k", nil, "a breakpoint has at most"},
	}
	for _, test := range tests {
		ev, err := server.Parse(test.spec)
		var bad *EventError
		if !errors.As(err, &bad) {
			t.Errorf("%q: got %+v, error %v; want an EventError", test.spec, ev, err)
			continue
		}
		if bad.Spec != strings.TrimSpace(test.spec) || bad.Part != test.part || !strings.HasPrefix(bad.Reason, test.reason) {
			t.Errorf("%q:\n got part %q, reason %q\nwant part %q, reason %q...", test.spec, bad.Part, bad.Reason, test.part, test.reason)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%q: %v is not %v", test.spec, err, test.is)
		}
		if strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("%q: the error is not one line: %q", test.spec, err)
		}
	}
}

// On a machine with several kinds of core the generic names stay generic, and
// tracefs is found below debugfs.
func TestParseHybrid(t *testing.T) {
	hybrid, _ := openTree(t, "hybrid")
	for spec, want := range map[string]Event{
		"cycles":               {},
		"L1-dcache-loads":      {Type: unix.PERF_TYPE_HW_CACHE},
		"cpu_core/cycles/":     {Alias: "cpu-cycles", PMU: "cpu_core", Type: 4, Config: 0x3c, CPUs: []int{0, 1}},
		"cpu_atom/cpu-cycles/": {Alias: "cpu-cycles", PMU: "cpu_atom", Type: 10, Config: 0x3c, CPUs: []int{2, 3}},
		"sched:sched_switch":   {Type: 2, Config: 99},
	} {
		want.Name, want.ExcludeGuest = spec, true
		got, err := hybrid.Parse(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", spec, diff)
		}
	}
	if _, err := hybrid.Parse("cpu/cycles/"); !errors.Is(err, ErrNoPMU) {
		t.Errorf("cpu/cycles/: %v, want ErrNoPMU", err)
	}
}

func TestParseList(t *testing.T) {
	server, _ := openTree(t, "server")
	for spec, want := range map[string][]string{
		"cycles":                          {"0 cycles "},
		"cycles , instructions:u":         {"0 cycles ", "1 instructions:u "},
		"cpu/event=1,umask=2/u,cs":        {"0 cpu/event=1,umask=2/u cpu", "1 cs "},
		"cs,power/energy-pkg/":            {"0 cs ", "1 power/energy-pkg/ power"},
		"mem:0x10/8:rw,mem:0x20/4:r:u,cs": {"0 mem:0x10/8:rw ", "1 mem:0x20/4:r:u ", "2 cs "},
		"uncore_imc/event=4,umask=3/,cs": {"0 uncore_imc/event=4,umask=3/ uncore_imc_0", "0 uncore_imc/event=4,umask=3/ uncore_imc_2",
			"0 uncore_imc/event=4,umask=3/ uncore_imc_10", "1 cs "},
		"cas_count_read,cycles/name='a,b/c'/,cs": {"0 cas_count_read uncore_imc_0", "0 cas_count_read uncore_imc_2", "0 cas_count_read uncore_imc_10",
			"1 cycles/name='a,b/c'/ ", "2 cs "},
	} {
		events, err := server.ParseList(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		var got []string
		for _, ev := range events {
			got = append(got, fmt.Sprintf("%d %s %s", ev.Term, ev.Name, ev.PMU))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", spec, diff)
		}
	}
	for spec, element := range map[string]string{
		"": "", "cycles,": "", ",cycles": "", "cycles,,cs": "", "cs,cpu/event=1,umask=2": "cpu/event=1,umask=2",
		"cycles,nosuch,cs": "nosuch", "{cycles,cs}": "{cycles,cs}",
		"cycles:S": "cycles:S", "cs,uncore_imc/event=4/W": "uncore_imc/event=4/W",
	} {
		_, err := server.ParseList(spec)
		var bad *EventError
		if !errors.As(err, &bad) || bad.Spec != element {
			t.Errorf("%q: %v, want an EventError of %q", spec, err, element)
		}
	}
}
