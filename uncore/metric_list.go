package uncore

import (
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// line is the bytes of a cache line: what one transfer of memory or of CXL.mem
// moves on all machines here.
const line = 64

// AllMetrics lists every figure there is, whatever this machine has; those that
// come from names of sysfs with a placeholder (cN). Several of one name are the
// same figure from different units: Machine.Metrics takes the first that can be had.
func AllMetrics() []Metric {
	return append(machineMetrics(), cstateMetrics("cN")...)
}

// machineMetrics are all but those that take their names from sysfs.
func machineMetrics() []Metric {
	all := slices.Concat(coreMetrics(), cxlMetrics(), cxlDeviceMetrics())
	for _, source := range memorySources {
		all = append(all, memoryMetrics(source)...)
	}
	return all
}

// Metrics are the figures whose events this machine has, ready to be computed.
// The error is that of sysfs; what could be read is used all the same.
func (m Machine) Metrics() ([]Metric, error) {
	all := machineMetrics()
	kinds, hasCore, err := m.kinds(func(kind string) bool {
		return strings.HasPrefix(kind, "cstate_") || slices.ContainsFunc(all, func(m Metric) bool { return m.pmu == kind })
	})
	all = append(all, cstatesOf(kinds)...)
	var metrics []Metric
	taken := map[string]bool{}
	for _, c := range all {
		if taken[c.Name] {
			continue
		}
		p, there := kinds[c.pmu]
		if c.pmu == "" {
			there = len(c.Events) == 0 || hasCore
		}
		if there && m.bind(&c, p) {
			metrics = append(metrics, c)
			taken[c.Name] = true
		}
	}
	return metrics, err
}

// bind finds out whether PMU p has what the figure needs, and what one count of
// each event stands for.
func (m Machine) bind(c *Metric, p pmu.PMU) bool {
	for _, need := range c.needs {
		_, isField := p.Format[need]
		if !isField && !hasAlias(p, need) {
			return false
		}
	}
	c.Events, c.factors = slices.Clone(c.Events), slices.Clone(c.factors)
	for i, event := range c.Events {
		if strings.HasPrefix(event, "UNC_") {
			e, known := m.Lookup(event)
			if !known {
				return false
			}
			c.Events[i] = e.Spec()
			continue
		}
		if name, ok := aliasOf(event); ok && c.factors[i] == 0 {
			c.factors[i] = bytesPerCount(p, name)
			if c.factors[i] == 0 {
				return false
			}
		}
	}
	return true
}

func hasAlias(p pmu.PMU, name string) bool {
	return slices.ContainsFunc(p.Events, func(a pmu.Alias) bool { return a.Name == name })
}

// aliasOf is the kernel's name in pmu/name/.
func aliasOf(event string) (string, bool) {
	_, body, ok := strings.Cut(event, "/")
	name, _, closed := strings.Cut(body, "/")
	return name, ok && closed && name != "" && !strings.ContainsAny(name, "=,")
}

// bytesPerCount is what the kernel's scale and unit make of an event of memory; 0
// if that is no amount of bytes.
func bytesPerCount(p pmu.PMU, name string) float64 {
	for _, a := range p.Events {
		if a.Name != name {
			continue
		}
		switch strings.ToLower(a.Unit) {
		case "mib":
			return a.Scale * (1 << 20)
		case "bytes":
			return a.Scale
		}
	}
	return 0
}

// rate is an amount in a second.
func rate(in inputs) (float64, bool) { return sum(in.counts) / in.seconds, true }

// ratio is the first count over the second.
func ratio(in inputs) (float64, bool) { return divide(in.counts[0], in.counts[1]) }

// joulesPer is the joules over the sum of all counts.
func joulesPer(in inputs) (float64, bool) { return divide(in.joules[0], sum(in.counts)) }

// divide has no value where nothing was counted to divide by.
func divide(a, b float64) (float64, bool) {
	if !(b > 0) {
		return 0, false
	}
	return a / b, true
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// same is n times a factor.
func same(factor float64, n int) []float64 { return slices.Repeat([]float64{factor}, n) }
