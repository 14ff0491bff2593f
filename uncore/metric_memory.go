package uncore

import (
	"slices"
	"strings"
)

// memorySource is where reads and writes of memory can be counted.
type memorySource struct {
	kind          string
	reads, writes []string // events
	needs         []string // fields and events of the PMU
	// bytes of one count; 0: the event's own scale and unit say it
	bytes  float64
	source string
	doubt  string
}

// memorySources in order of preference. Which of them a machine has is in its sysfs.
var memorySources = []memorySource{
	{
		kind:  "uncore_imc",
		reads: []string{"uncore_imc/cas_count_read/"}, writes: []string{"uncore_imc/cas_count_write/"},
		needs:  []string{"cas_count_read", "cas_count_write"},
		source: "one CAS moves 64 bytes, the scale that the kernel gives (arch/x86/events/intel/uncore_snbep.c)",
	},
	{
		kind:   "uncore_imc",
		reads:  []string{"uncore_imc/cas_count_read_sch0/", "uncore_imc/cas_count_read_sch1/"},
		writes: []string{"uncore_imc/cas_count_write_sch0/", "uncore_imc/cas_count_write_sch1/"},
		needs:  []string{"cas_count_read_sch0", "cas_count_read_sch1", "cas_count_write_sch0", "cas_count_write_sch1"},
		source: "as cas_count_read, for each of two subchannels (uncore_snbep.c, gnr_uncore_imc_events)",
	},
	{
		kind:  "amd_umc",
		reads: []string{"amd_umc/event=0xa,rdwrmask=0x1/"}, writes: []string{"amd_umc/event=0xa,rdwrmask=0x2/"},
		needs: []string{"event", "rdwrmask"}, bytes: line,
		source: "umc_cas_cmd.rd and .wr of AMD family 19h and 1Ah (tools/perf/pmu-events/arch/x86/amdzen4/memory-controller.json), 64 bytes each",
	},
	{
		kind:  "uncore_imc_free_running",
		reads: []string{"uncore_imc_free_running/data_read/"}, writes: []string{"uncore_imc_free_running/data_write/"},
		needs:  []string{"data_read", "data_write"},
		source: "the scale that the kernel gives (arch/x86/events/intel/uncore_snb.c)",
	},
	{
		kind:  "uncore_imc",
		reads: []string{"uncore_imc/data_reads/"}, writes: []string{"uncore_imc/data_writes/"},
		needs:  []string{"data_reads", "data_writes"},
		source: "the scale that the kernel gives (arch/x86/events/intel/uncore_snb.c)",
	},
	{
		kind:  "arm_dmc620",
		reads: []string{"arm_dmc620/clkdiv2_rdwr,mask=0x1,match=0x0/"}, writes: []string{"arm_dmc620/clkdiv2_rdwr,mask=0x1,match=0x1/"},
		needs: []string{"clkdiv2_rdwr", "mask", "match"}, bytes: line,
		source: "clkdiv2_rdwr of linux drivers/perf/arm_dmc620_pmu.c",
		doubt:  "that bit 0 of the match tells writes from reads, and the 64 bytes, are use and not documentation of the kernel",
	},
}

// memoryMetrics are the figures of one source.
func memoryMetrics(s memorySource) []Metric {
	figure := func(name string, events []string) Metric {
		return Metric{
			Name: name, Unit: "B/s", Formula: s.amount(events) + " / s", Source: s.source, Doubt: s.doubt, Scope: PerPackage,
			Events: events, pmu: s.kind, needs: s.needs, factors: same(s.bytes, len(events)), value: rate,
		}
	}
	both := slices.Concat(s.reads, s.writes)
	perByte := func(name, domain, meaning string) Metric {
		m := figure(name, both)
		m.Unit, m.Formula, m.Joules, m.value = "J/B", "J("+domain+") / ("+s.amount(both)+")", []string{domain}, joulesPer
		m.Doubt = strings.TrimPrefix(m.Doubt+"; "+meaning, "; ")
		return m
	}
	return []Metric{
		figure("memory_read_bandwidth", s.reads),
		figure("memory_write_bandwidth", s.writes),
		figure("memory_bandwidth", both),
		perByte("memory_joules_per_byte", "dram", "memory draws joules at rest, too"),
		perByte("joules_per_byte", "energy", "all joules of the package, not what moving takes"),
	}
}

// amount is the formula of the bytes of events.
func (s memorySource) amount(events []string) string {
	text := strings.Join(events, " + ")
	if s.bytes == 0 {
		return "bytes(" + text + ")"
	}
	if len(events) > 1 {
		text = "(" + text + ")"
	}
	return "64 * " + text
}
