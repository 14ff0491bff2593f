package pprofile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// unknown is the frame of a sample whose stack could not be read at all: pprof
// counts a sample without a location in the total and shows it nowhere.
const unknown = "[unknown]"

// Build assembles the profile. Equal input in any order of stacks gives equal
// bytes from Write. An error names the stack or the column: an address outside
// its mapping, a count below zero, parts that do not add up to their total.
func Build(p *Profile) (*profile.Profile, error) {
	out, err := build(p)
	if err != nil {
		return nil, fmt.Errorf("pprofile: %w", err)
	}
	return out, nil
}

func build(p *Profile) (*profile.Profile, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	out := &profile.Profile{
		PeriodType:    &profile.ValueType{Type: cpuType, Unit: "nanoseconds"},
		Period:        int64(p.Period),
		DurationNanos: int64(p.Duration),
	}
	if p.NoClock && len(p.Events) > 0 {
		out.PeriodType = &profile.ValueType{Type: valid(p.Events[0]), Unit: "count"}
	}
	if !p.Start.IsZero() {
		out.TimeNanos = p.Start.UnixNano()
	}
	for _, c := range p.Comments {
		out.Comments = append(out.Comments, valid(c))
	}
	layout := newLayout(out, p)
	t, err := newTable(out, p)
	if err != nil {
		return nil, err
	}
	order := t.sorted(p.Stacks)
	energy, err := round(p, order)
	if err != nil {
		return nil, err
	}
	var unread *profile.Location
	for i, index := range order {
		s := &p.Stacks[index]
		sample := &profile.Sample{Value: layout.values(s.Samples, s.Nanoseconds, s.Events, energy, i)}
		label(sample, s)
		for _, l := range s.Locations {
			sample.Location = append(sample.Location, out.Location[t.rank[l]])
		}
		if len(s.Locations) == 0 {
			if unread == nil {
				unread = t.location(0, []Frame{{Function: unknown}})
			}
			sample.Location = []*profile.Location{unread}
		}
		out.Sample = append(out.Sample, sample)
	}
	for i, name := range syntheticNames {
		var samples, ns int64
		if name == Lost {
			samples, ns = p.LostSamples, p.LostNanoseconds
		}
		v := layout.values(samples, ns, nil, energy, len(order)+i)
		if slices.ContainsFunc(v, func(n int64) bool { return n != 0 }) {
			l := t.location(0, []Frame{{Function: name}})
			out.Sample = append(out.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: v})
		}
	}
	return out, out.CheckValid()
}

// sorted is the order of the samples: by whose they are, then by stack.
func (t *table) sorted(stacks []Stack) []int {
	ranks := make([][]int32, len(stacks))
	order := make([]int, len(stacks))
	for i := range stacks {
		order[i] = i
		ranks[i] = make([]int32, len(stacks[i].Locations))
		for k, l := range stacks[i].Locations {
			ranks[i][k] = t.rank[l]
		}
	}
	slices.SortFunc(order, func(i, k int) int {
		a, b := &stacks[i], &stacks[k]
		return cmp.Or(strings.Compare(a.Process, b.Process), cmp.Compare(a.PID, b.PID),
			strings.Compare(a.Thread, b.Thread), cmp.Compare(a.TID, b.TID), slices.Compare(ranks[i], ranks[k]),
			// Stacks that are told apart by nothing but their numbers.
			cmp.Compare(a.Samples, b.Samples), cmp.Compare(a.Nanoseconds, b.Nanoseconds),
			slices.Compare(a.Events, b.Events), slices.Compare(a.Joules, b.Joules))
	})
	return order
}

// label says whose the sample is. The units of the ids are what pprof takes them
// for without one; they keep an id of 0 (the idle task) from being dropped as absent.
func label(sample *profile.Sample, s *Stack) {
	set := func(key, value string) {
		if value != "" {
			if sample.Label == nil {
				sample.Label = map[string][]string{}
			}
			sample.Label[key] = []string{valid(value)}
		}
	}
	set("process", s.Process)
	set("thread", s.Thread)
	sample.NumLabel = map[string][]int64{"pid": {int64(s.PID)}, "tid": {int64(s.TID)}}
	sample.NumUnit = map[string][]string{"pid": {"pid"}, "tid": {"tid"}}
}
