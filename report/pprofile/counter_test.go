package pprofile

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// For any shares: an event adds up to the counts of its packages, no stack is off by a count or more from its exact
// value, and the energy beside it is what it is without.
func TestCountsAddUp(t *testing.T) {
	leaf := &Location{Lines: []Frame{{Function: "f"}}}
	rapid.Check(t, func(t *rapid.T) {
		in := &Profile{Measured: true, Columns: []Column{{Domain: "package", Sum: true, Joules: 1.5, Synthetic: Synthetic{Baseline: 1.5}}}}
		for i := range rapid.IntRange(0, 20).Draw(t, "stacks") {
			in.Stacks = append(in.Stacks, Stack{Locations: []*Location{leaf}, PID: i})
		}
		amounts := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 3), rapid.Just(0.5), rapid.Float64Range(0, 1e9))
		want := map[string]int64{EnergyType: 1_500_000}
		for _, event := range []string{"uncore_imc/cas_count_read/", "uncore_imc/cas_count_read/", "page-faults"} {
			c := Counter{Event: event}
			c.Synthetic.Baseline = amounts.Draw(t, "static")
			c.Counts = c.Synthetic.Baseline
			for i := range in.Stacks {
				count := amounts.Draw(t, "count")
				in.Stacks[i].Counts = append(in.Stacks[i].Counts, count)
				c.Counts += count
			}
			in.Counters = append(in.Counters, c)
			want[event] += int64(math.Round(c.Counts))
		}
		p := mustBuild(t, in)
		for v, st := range p.SampleType {
			var sum int64
			for _, s := range p.Sample {
				sum += s.Value[v]
				if stack := s.NumLabel["pid"]; st.Type == "page-faults" && len(stack) > 0 {
					if exact := in.Stacks[stack[0]].Counts[2]; math.Abs(float64(s.Value[v])-exact) > 1 || exact == 0 && s.Value[v] != 0 {
						t.Errorf("stack %d has %d counts, want about %v", stack[0], s.Value[v], exact)
					}
				}
			}
			if total, ok := want[st.Type]; ok && sum != total {
				t.Errorf("%s adds up to %d, want %d", st.Type, sum, total)
			}
			delete(want, st.Type)
		}
		if len(want) > 0 {
			t.Errorf("no sample types for %v", want)
		}
	})
}
