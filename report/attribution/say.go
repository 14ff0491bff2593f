package attribution

import (
	"fmt"
	"strings"
)

// inCounts puts a note on joules and watts into the words of counts and counts per second.
var inCounts = strings.NewReplacer("joules", "counts", "the energy", "the count", "intervals of energy", "readings",
	"static power", "static rate", "%.3g W", "%.3g/s", "%.2g W", "%.2g/s", "one power", "one rate", "their power", "their rate",
	"draws", "counts", "draw", "count", "running CPU costs", "running CPU counts")

// say makes a note. The words of its format alone are put into those of what is shared out: names of series may hold any.
func (a *Attributor) say(format string, args ...any) string {
	if a.counts {
		format = inCounts.Replace(format)
	}
	if a.sampled != nil {
		format = strings.NewReplacer("CPU time", a.sampled.What, "what runs", a.sampled.What, "no function draws more than another", "no function pays more for it than another",
			"one power", "one price").Replace(format)
	}
	return fmt.Sprintf(format, args...)
}
