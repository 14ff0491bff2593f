package uncore

import (
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// cstateMetrics are the figures of C-state name ("c6"). The kernel counts the
// time in a C-state in ticks of the time stamp counter
// (arch/x86/events/intel/cstate.c; SDM volume 4, MSR_PKG_C6_RESIDENCY).
//
// How many joules an idle package took is not counted by anything. What can be
// said is a bound: it draws no more while it is in a C-state than on average.
func cstateMetrics(name string) []Metric {
	const source = "ticks of the time stamp counter: linux arch/x86/events/intel/cstate.c; SDM volume 4, residency registers"
	residency := func(unit string, scope Scope) Metric {
		event := "cstate_" + unit + "/" + name + "-residency/"
		return Metric{
			Name: unitName[unit] + "_" + name + "_residency", Unit: "share of time", Formula: name + "-residency / (TSC * s)",
			Source: source, Scope: scope, Events: []string{event}, pmu: "cstate_" + unit, needs: []string{name + "-residency"},
			factors: same(1, 1), mean: true, value: shareOfTime,
		}
	}
	joules := residency("pkg", PerPackage)
	joules.Name = "package_" + name + "_joules_at_most"
	joules.Unit, joules.Joules = "J", []string{"package"}
	joules.Formula = "J(package) * " + joules.Formula
	joules.Doubt = "a bound, not a measurement: it holds where the package draws less in the C-state than on average"
	joules.value = func(in inputs) (float64, bool) {
		share, ok := shareOfTime(in)
		return in.joules[0] * share, ok
	}
	return []Metric{residency("core", PerCPU), residency("module", PerCPU), residency("pkg", PerPackage), joules}
}

// unitName is how a figure calls what cstate_* counts.
var unitName = map[string]string{"core": "core", "module": "module", "pkg": "package"}

// shareOfTime is ticks over all ticks of the stretch.
func shareOfTime(in inputs) (float64, bool) { return divide(in.counts[0], in.tsc*in.seconds) }

// cstatesOf are the figures of every C-state that sysfs has.
func cstatesOf(kinds map[string]pmu.PMU) []Metric {
	var names []string
	for _, unit := range []string{"core", "module", "pkg"} {
		for _, a := range kinds["cstate_"+unit].Events {
			if name, ok := strings.CutSuffix(a.Name, "-residency"); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b) // c6 before c10
		}
		return strings.Compare(a, b)
	})
	var metrics []Metric
	for _, name := range names {
		metrics = append(metrics, cstateMetrics(name)...)
	}
	return metrics
}
