package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Stacks says how many of a recording's stacks are whole: down to an entry point of the program or thread, by the tables
// of its binary. Samples is Complete + Truncated + all of Failed.
type Stacks struct {
	// Method is where the callers in user code are from: "fp" (frame pointers, by the kernel), "dwarf" (tables, from
	// copies of the stack), "bpf" (tables, in the kernel) or "lbr" (the processor's own record).
	Method    string `json:"method"`
	Samples   int64  `json:"samples"`
	Complete  int64  `json:"complete"`
	Truncated int64  `json:"truncated"` // cut at a number of frames, or where the copy of the stack ended
	// Failed counts those that end too early otherwise, by reason; absent if there are none.
	Failed map[string]int64 `json:"failed,omitempty"`
}

// methodWords are the methods of stacks for people.
var methodWords = map[string]string{
	"fp":    "frame pointers",
	"dwarf": "copies of the stack, by unwind tables",
	"bpf":   "unwind tables in the kernel, by BPF",
	"lbr":   "the processor's record of calls",
}

// text is one line: "stacks: 99.2 % of 1000 complete (frame pointers); 5 truncated, 3 end early: bad frame".
func (s *Stacks) text() string {
	method := methodWords[s.Method]
	if method == "" {
		method = s.Method
	}
	if s.Samples == 0 {
		return fmt.Sprintf("stacks: none (%s)", method)
	}
	var rest []string
	if s.Truncated > 0 {
		rest = append(rest, fmt.Sprintf("%d truncated", s.Truncated))
	}
	reasons := slices.Collect(maps.Keys(s.Failed))
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Failed[b], s.Failed[a]), strings.Compare(a, b))
	})
	for _, r := range reasons {
		rest = append(rest, fmt.Sprintf("%d end early: %s", s.Failed[r], r))
	}
	text := fmt.Sprintf("stacks: %s complete of %d (%s)", wholePercent(s.Complete, s.Samples), s.Samples, method)
	if len(rest) > 0 {
		text += "; " + strings.Join(rest, ", ")
	}
	return text
}

// wholePercent is a part in percent, which is 100 only if nothing is missing and 0 only if nothing is there.
func wholePercent(part, whole int64) string {
	v := math.Round(float64(part)/float64(whole)*1000) / 1000
	if part < whole {
		v = min(v, 0.999)
	}
	if part > 0 {
		v = max(v, 0.001)
	}
	return percent(v)
}
