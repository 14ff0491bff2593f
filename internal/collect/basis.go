package collect

import (
	"fmt"
	"math"

	"github.com/energyprof/energyprof/report/attribution"
)

// basisOfLoads is what joules are shared by where memory accesses weigh, in a summary.
const basisOfLoads = "loads served by memory"

// basis says what energy and counts were shared out by, if that is not the CPU time of all that ran.
func (c *Collector) basis() []string {
	var notes []string
	if c.opt.Memory.Weigh {
		return c.loadsNotes()
	}
	shared, weight := len(c.energy.all) > 0, c.opt.Events[c.weighing.event].Name
	what := "energy"
	if c.energy.joules == nil {
		what = "what counters counted"
	}
	switch {
	case c.clock < 0 && shared:
		notes = append(notes, fmt.Sprintf("no clock was sampled: there is no CPU time, and %s is shared out by the counts of %s", what, weight))
	case c.clock < 0:
		notes = append(notes, "no clock was sampled: there is no CPU time")
	case shared && c.weighing.event != c.clock && c.alone():
		notes = append(notes, fmt.Sprintf("%s is shared out by the counts of %s, not by CPU time", what, weight))
	case shared && c.weighing.event != c.clock:
		notes = append(notes, fmt.Sprintf("%s is shared out by the counts of %s, not by CPU time; those of other processes are not known, "+
			"so their CPU time is taken to count what that of the recording does on average", what, weight))
	}
	if c.opt.NoOthers && !c.opt.SystemWide {
		switch {
		case c.energy.joules != nil:
			notes = append(notes, "what other processes ran is not known: their energy is in that of the functions and the baseline")
		case shared:
			notes = append(notes, "what other processes ran is not known: their counts are in those of the functions and the baseline")
		}
	}
	return notes
}

// loadsNotes says what joules are shared by where memory accesses weigh.
func (c *Collector) loadsNotes() []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if c.clock < 0 {
		add("no clock was sampled: there is no CPU time")
	}
	if c.energy.joules == nil || !c.hasMemory() {
		return notes
	}
	t := &c.traffic
	add("joules of memory are shared out by the sampled loads that memory served, %d bytes each: a proxy, which sees no prefetch and no write-back", lineBytes)
	counted := t.bytes > 0
	switch {
	case counted && c.opt.SystemWide:
		add("what memory controllers counted beyond these loads, %s of %s, is [prefetch and write-back]", bytesText(t.beyond), bytesText(t.bytes))
	case counted:
		add("what memory controllers counted beyond these loads, %s of %s, is [prefetch and write-back]; what other processes moved is in it", bytesText(t.beyond), bytesText(t.bytes))
	case len(t.groups) > 0:
		add("memory controllers counted nothing: prefetches, write-backs and what nobody sampled are paid for by whose loads came at that time, and by the baseline")
	case c.opt.NoOthers && !c.opt.SystemWide:
		add("prefetches and write-backs, and what other processes moved, are paid for by whose loads came at that time, and by the baseline")
	case !c.opt.SystemWide:
		add("prefetches and write-backs are paid for by whose loads came at that time; what other processes loaded is not known, " +
			"so their CPU time is taken to load what that of the recording does on average")
	default:
		add("prefetches and write-backs are paid for by whose loads came at that time")
	}
	// Not what draws err by, nor what the counters' first and last moments miss.
	unlikely := t.bytes * (1.01 + 3/math.Sqrt(max(1, float64(c.memory.all.served))))
	if loads := c.memory.all.dram + c.memory.lostDRAM; counted && loads > unlikely {
		add("the sampled loads from DRAM stand for %s, more than memory controllers counted: several loads can wait for one line", bytesText(loads))
	}
	return notes
}

// unpaidLoads says what loads had no energy to be charged with. Attribution takes a byte for a nanosecond.
func unpaidLoads(result *attribution.Result) []string {
	var notes []string
	if gb := result.UncoveredSeconds; gb >= 0.001 {
		notes = append(notes, fmt.Sprintf("loads of %s are of CPUs that no energy counter covers, and have no joules", bytesText(gb*1e9)))
	}
	for _, s := range result.Series {
		if s.OutsideSeconds > 0.1 && s.OutsideSeconds > 0.01*s.BusySeconds {
			notes = append(notes, fmt.Sprintf("loads of %s are before the first or after the last energy reading of %v, and have no joules of it",
				bytesText(s.OutsideSeconds*1e9), s.Series))
		}
	}
	return notes
}

// bytesText is an amount of memory with three digits.
func bytesText(v float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if v < 999.5 {
			return fmt.Sprintf("%.3g %s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.3g TB", v)
}
