package pmu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// instances finds the PMUs a name stands for: the one that has it or, if there
// is none, every unit of that name (imc for uncore_imc_0 and uncore_imc_1), or
// all that match a pattern.
func (f FS) instances(name string) ([]PMU, *EventError) {
	names, err := f.names()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, refuse(name, fmt.Errorf("%w: %w", ErrNoPMU, err), "no such PMU: %v", err)
		}
		return nil, refuse(name, err, "%v", err)
	}
	isMatch := func(device string) bool { return isInstance(device, name) }
	if whole := "uncore_" + name; slices.Contains(names, name) || slices.Contains(names, whole) {
		isMatch = func(device string) bool {
			return device == name || device == whole && !slices.Contains(names, name)
		}
	} else if isPattern(name) {
		if _, err := path.Match(name, ""); err != nil {
			return nil, refuse(name, nil, "the pattern makes no sense: %v", err)
		}
		isMatch = func(device string) bool { return matches(name, device) }
	}
	var pmus []PMU
	for _, n := range names {
		if !isMatch(n) {
			continue
		}
		p, bad := f.usable(n)
		if bad != nil {
			bad.Part = name
			return nil, bad
		}
		pmus = append(pmus, p)
	}
	if len(pmus) == 0 {
		return nil, refuse(name, ErrNoPMU, "no such PMU; there are %s", enumerate(names))
	}
	return pmus, nil
}

// usable reads a PMU to open events of.
func (f FS) usable(name string) (PMU, *EventError) {
	p, err := f.PMU(name)
	if err != nil {
		return PMU{}, refuse(name, err, "%v", err)
	}
	if fault := p.faultOf("cpumask", "cpus"); fault != nil {
		// No CPUs would pass for all of them.
		return PMU{}, refuse(name, fault, "PMU %s: %v", name, fault)
	}
	return p, nil
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// matches takes a pattern of the shell, where ! behind a bracket is "none of".
func matches(pattern, device string) bool {
	pattern = strings.ReplaceAll(pattern, "[!", "[^")
	whole, _ := path.Match(pattern, device)
	rest, _ := path.Match(pattern, strings.TrimPrefix(device, "uncore_"))
	return whole || rest
}

// isInstance says whether device is one of several units called base: base_3,
// base3, base_2b442 where drivers number by address, or mem0.1, the second PMU of
// the CXL device mem0, for mem0 and for mem. "uncore_" in front may be left out.
func isInstance(device, base string) bool {
	if base == "" {
		return false
	}
	suffix, ok := strings.CutPrefix(device, base)
	if !ok {
		suffix, ok = strings.CutPrefix(device, "uncore_"+base)
	}
	if !ok || suffix == "" {
		return false
	}
	number, separated := strings.CutPrefix(suffix, "_")
	if strings.HasPrefix(base, "cxl_pmu") {
		number = strings.TrimPrefix(number, "mem")
		number, dotted := strings.CutPrefix(number, ".")
		return isNumber(strings.Replace(number, ".", "", 1)) && (separated || dotted || !endsInDigit(base))
	}
	if isNumber(number) {
		// perf also takes imc_1 for imc_10.
		return separated || !endsInDigit(base)
	}
	return separated && len(number) >= 3 && strings.Trim(number, "0123456789abcdef") == ""
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func endsInDigit(s string) bool { return isNumber(s[len(s)-1:]) }

// compareInstances puts unit_2 before unit_10.
func compareInstances(a, b string) int {
	baseA, baseB := strings.TrimRight(a, "0123456789"), strings.TrimRight(b, "0123456789")
	if baseA == baseB && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// ofEachKind gives a generic event for each kind of core that the machine has,
// where it has several. The kernel takes the number of a PMU in the upper half of
// the config of PERF_TYPE_HARDWARE and PERF_TYPE_HW_CACHE
// (PERF_PMU_TYPE_SHIFT), and a raw code as an event of that PMU.
func (f FS) ofEachKind(ev Event) []parsed {
	names, _ := f.names() // without sysfs there is one kind
	var cores []PMU
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(f.devices(), name, "cpus")); err != nil {
			continue
		}
		// A kind whose cores are all offline, or which makes no sense, is not there.
		if p, bad := f.usable(name); bad == nil && len(p.CPUs) > 0 {
			cores = append(cores, p)
		}
	}
	if len(cores) < 2 {
		return []parsed{{Event: ev}}
	}
	slices.SortFunc(cores, func(a, b PMU) int { return a.CPUs[0] - b.CPUs[0] })
	events := make([]parsed, len(cores))
	for i, p := range cores {
		events[i].core = true
		events[i].Event = ev
		events[i].PMU, events[i].CPUs = p.Name, p.CPUs
		if ev.Type == unix.PERF_TYPE_RAW {
			events[i].Type = p.Type
		} else {
			events[i].Config |= uint64(p.Type) << 32
		}
	}
	return events
}

// ofAnyPMU finds the events of a name that stands alone: those of a table, see
// WithNames, or those of the events directories of any PMUs. None is no error.
func (f FS) ofAnyPMU(name string) ([]parsed, *EventError) {
	if !isTraceName(name) {
		return nil, nil
	}
	names, _ := f.names() // without sysfs there are none
	var events []parsed
	for _, device := range names {
		entries, _ := os.ReadDir(filepath.Join(f.devices(), device, "events")) // most have none
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), name) }) {
			continue
		}
		p, bad := f.usable(device)
		if bad != nil {
			return nil, bad
		}
		var ev parsed
		if bad := f.encode(&p, name, &ev); bad != nil {
			return nil, bad
		}
		events = append(events, ev)
	}
	if len(events) > 0 || f.lookup == nil {
		return events, nil
	}
	spec, ok := f.lookup(name)
	if !ok {
		return nil, nil
	}
	unit, _, _, hasTerms, closed := cutTerms(spec)
	if !hasTerms || !closed {
		return nil, refuse(name, nil, "the table has it as %q, which is no pmu/terms/", spec)
	}
	events, bad := f.parsePMU(unit, name)
	if bad != nil {
		return nil, refuse(name, bad.Err, "the table has it as %s: %q: %s", spec, bad.Part, bad.Reason)
	}
	return events, nil
}

// ofType finds the PMU with a number of perf_event_attr.type; "" if there is none.
func (f FS) ofType(number uint32) string {
	names, _ := f.names() // without sysfs there are none
	want := fmt.Sprint(number)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(f.devices(), name, "type"))
		if err == nil && strings.TrimSpace(string(text)) == want {
			return name
		}
	}
	return ""
}
