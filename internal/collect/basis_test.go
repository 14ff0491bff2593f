package collect

import (
	"math"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/attribution"
)

// What is said of joules that loads share out is so: draws that stand for a little more than controllers counted are no
// loads that waited for one line, and what others moved is in the counts, known or not.
func TestNotesOnLoads(t *testing.T) {
	const beyond, waited, others, nothing = "is [prefetch and write-back]", "can wait for one line", "what other processes moved is in it", "controllers counted nothing"
	for _, tt := range []struct {
		name        string
		wide, alone bool    // options
		lines       float64 // that controllers counted, of 400,000 sampled
		told, not   []string
	}{
		{"more than loads", true, false, 500_000, []string{beyond}, []string{others, waited, nothing}},
		{"as many as draws may err by", true, false, 390_000, []string{beyond}, []string{others, waited, nothing}},
		{"fewer than loads", true, false, 200_000, []string{beyond, waited}, []string{others, nothing}},
		{"others are known", false, false, 500_000, []string{beyond, others}, []string{waited, nothing}},
		{"others are not known", false, true, 500_000, []string{beyond, others}, []string{waited, nothing}},
		{"silent", true, false, 0, []string{nothing}, []string{beyond, waited, others}},
	} {
		opt := weighed(attribution.Proportional)
		opt.SystemWide, opt.NoOthers = tt.wide, tt.alone
		opt.Counters, opt.CounterMethod = []rapl.CountedEvent{{Name: "cas", Domains: []rapl.Domain{{Name: "cas", CPUs: []int{0, 1}}}}}, attribution.Auto
		opt.Memory.Traffic = []int{0}
		s := newStream(t, opt)
		for i := range 401 {
			s.Energy(0, int64(s.now), float64(i))
			s.Count(0, int64(s.now), tt.lines/400*float64(i))
			s.now += 10 * ms
			if i < 400 {
				s.access(1, ramHit, 1000, 300, 0, 0x1100)
			}
		}
		s.Advance(math.MaxInt64)
		notes := strings.Join(s.Finish().Notes, "\n")
		for _, want := range tt.told {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: %q is missing in the notes:\n%s", tt.name, want, notes)
			}
		}
		for _, no := range tt.not {
			if strings.Contains(notes, no) {
				t.Errorf("%s: %q is in the notes:\n%s", tt.name, no, notes)
			}
		}
	}
}
