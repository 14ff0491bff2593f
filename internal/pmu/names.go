package pmu

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The names of perf-list(1) for the numbers of enum perf_hw_id and enum
// perf_sw_ids. The first name of each hardware event is also the one the kernel
// gives its alias in the events directory of x86's cpu PMU.
var (
	hardware = [...][]string{
		unix.PERF_COUNT_HW_CPU_CYCLES:              {"cpu-cycles", "cycles"},
		unix.PERF_COUNT_HW_INSTRUCTIONS:            {"instructions"},
		unix.PERF_COUNT_HW_CACHE_REFERENCES:        {"cache-references"},
		unix.PERF_COUNT_HW_CACHE_MISSES:            {"cache-misses"},
		unix.PERF_COUNT_HW_BRANCH_INSTRUCTIONS:     {"branch-instructions", "branches"},
		unix.PERF_COUNT_HW_BRANCH_MISSES:           {"branch-misses"},
		unix.PERF_COUNT_HW_BUS_CYCLES:              {"bus-cycles"},
		unix.PERF_COUNT_HW_STALLED_CYCLES_FRONTEND: {"stalled-cycles-frontend", "idle-cycles-frontend"},
		unix.PERF_COUNT_HW_STALLED_CYCLES_BACKEND:  {"stalled-cycles-backend", "idle-cycles-backend"},
		unix.PERF_COUNT_HW_REF_CPU_CYCLES:          {"ref-cycles"},
	}
	software = [...][]string{
		unix.PERF_COUNT_SW_CPU_CLOCK:        {"cpu-clock"},
		unix.PERF_COUNT_SW_TASK_CLOCK:       {"task-clock"},
		unix.PERF_COUNT_SW_PAGE_FAULTS:      {"page-faults", "faults"},
		unix.PERF_COUNT_SW_CONTEXT_SWITCHES: {"context-switches", "cs"},
		unix.PERF_COUNT_SW_CPU_MIGRATIONS:   {"cpu-migrations", "migrations"},
		unix.PERF_COUNT_SW_PAGE_FAULTS_MIN:  {"minor-faults"},
		unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ:  {"major-faults"},
		unix.PERF_COUNT_SW_ALIGNMENT_FAULTS: {"alignment-faults"},
		unix.PERF_COUNT_SW_EMULATION_FAULTS: {"emulation-faults"},
		unix.PERF_COUNT_SW_DUMMY:            {"dummy"},
		unix.PERF_COUNT_SW_BPF_OUTPUT:       {"bpf-output"},
		11:                                  {"cgroup-switches"}, // PERF_COUNT_SW_CGROUP_SWITCHES, Linux 5.13
	}
)

// lookupName finds a symbolic name. The generic hardware numbers also serve
// machines with several kinds of core: the kernel takes PERF_TYPE_HARDWARE to
// the PMU of the core at hand.
func lookupName(name string) (Event, bool) {
	if id, ok := indexOf(hardware[:], name); ok {
		return Event{Type: unix.PERF_TYPE_HARDWARE, Config: uint64(id)}, true
	}
	if id, ok := indexOf(software[:], name); ok {
		return Event{Type: unix.PERF_TYPE_SOFTWARE, Config: uint64(id)}, true
	}
	return lookupCache(name)
}

// Words of the names of cache events, by the numbers of enum perf_hw_cache_id,
// perf_hw_cache_op_id and perf_hw_cache_op_result_id.
var (
	caches = [...][]string{
		{"L1-dcache", "L1-d", "L1d", "L1-data"},
		{"L1-icache", "L1-i", "L1i", "L1-instruction"},
		{"LLC", "L2"},
		{"dTLB", "d-tlb", "Data-TLB"},
		{"iTLB", "i-tlb", "Instruction-TLB"},
		{"branch", "branches", "bpu", "btb", "bpc"},
		{"node"},
	}
	cacheOps     = [...][]string{{"load", "loads", "read"}, {"store", "stores", "write"}, {"prefetch", "prefetches", "speculative-read", "speculative-load"}}
	cacheResults = [...][]string{{"refs", "reference", "ops", "access"}, {"misses", "miss"}}
	// cacheHasOp: instructions are not stored to, and only loads go through the
	// instruction TLB and the branch unit. The rows are those of caches.
	cacheHasOp = [...][3]bool{
		{true, true, true}, {true, false, true}, {true, true, true},
		{true, true, true}, {true, false, false}, {true, false, false}, {true, true, true},
	}
)

// lookupCache reads cache, cache-op, cache-result, cache-op-result or
// cache-result-op: L1-dcache-load-misses. Without an op it is loads, without a
// result accesses. PERF_TYPE_HW_CACHE packs the three numbers in bytes.
func lookupCache(name string) (Event, bool) {
	name = strings.ToLower(name)
	cache, rest, ok := cutWord(caches[:], name)
	if !ok {
		return Event{}, false
	}
	op, result, haveOp, haveResult := 0, 0, false, false
	for rest != "" {
		if i, after, ok := cutWord(cacheOps[:], rest); ok && !haveOp {
			op, rest, haveOp = i, after, true
		} else if i, after, ok := cutWord(cacheResults[:], rest); ok && !haveResult {
			result, rest, haveResult = i, after, true
		} else {
			return Event{}, false
		}
	}
	if !cacheHasOp[cache][op] {
		return Event{}, false
	}
	return Event{Type: unix.PERF_TYPE_HW_CACHE, Config: uint64(cache | op<<8 | result<<16)}, true
}

// cutWord takes a word of a table from the front of lower-case text, with the
// dash behind it. No word continues another with a dash, so the first is the one.
func cutWord(table [][]string, text string) (index int, rest string, ok bool) {
	for i, words := range table {
		for _, word := range words {
			rest, found := strings.CutPrefix(text, strings.ToLower(word))
			if found && (rest == "" || len(rest) > 1 && rest[0] == '-') {
				return i, strings.TrimPrefix(rest, "-"), true
			}
		}
	}
	return 0, "", false
}

func indexOf(table [][]string, name string) (int, bool) {
	for i, names := range table {
		for _, n := range names {
			if n == name {
				return i, true
			}
		}
	}
	return 0, false
}

// parseRaw reads rNNNN, the code of an event of the CPU's own PMU in hex.
func parseRaw(name string) (Event, bool, *EventError) {
	digits, ok := strings.CutPrefix(name, "r")
	if !ok || digits == "" || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return Event{}, false, nil
	}
	code, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return Event{}, false, refuse(name, nil, "a raw code has at most 16 hex digits")
	}
	return Event{Type: unix.PERF_TYPE_RAW, Config: code}, true, nil
}
