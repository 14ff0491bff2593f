package stat

import "strings"

// text prints a value of the count.
func (c *Count) text(v float64) string {
	switch {
	case c.clock:
		return seconds(v / 1e9)
	case c.Unit == "":
		return whole(v)
	case c.Unit == unitJoules:
		return si(v, "J")
	}
	return digits(v) + " " + c.Unit
}

// rate prints how fast it went: tasks by the CPU time they had, all else by the clock.
func (c *Count) rate() string {
	switch {
	case c.PerSecond == nil:
		return ""
	case c.clock:
		return digits(*c.PerSecond/1e9) + " CPUs"
	case c.Unit == unitJoules:
		return si(*c.PerSecond, "W")
	case c.Unit != "":
		return digits(*c.PerSecond) + " " + c.Unit + "/s"
	case c.PerCPUSecond != nil:
		return si(*c.PerCPUSecond, "/CPU-s")
	}
	return si(*c.PerSecond, "/s")
}

// unitJoules is how the kernel's drivers spell the unit of energy events
// (arch/x86/events/rapl.c).
const unitJoules = "Joules"

// text prints a value of the metric: a share in percent, and of the rest what a
// prefix of the SI goes with.
func (m *Metric) text(v float64) string {
	switch {
	case strings.HasPrefix(m.Unit, "share"):
		return percent(v)
	case m.suffix() == "":
		return si(v, m.Unit)
	}
	return digits(v)
}

// suffix is a unit of many letters, which stands behind the name.
func (m *Metric) suffix() string {
	if first, _, _ := strings.Cut(m.Unit, "/"); len(first) > 1 {
		return " (" + m.Unit + ")"
	}
	return ""
}
