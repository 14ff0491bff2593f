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
// Samples of one thread share their labels: change a copy.
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
		out.PeriodType = &profile.ValueType{Type: valid(p.Events[0].Name), Unit: valid(p.Events[0].unit())}
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
	shared, err := round(p, order)
	if err != nil {
		return nil, err
	}
	var unread *profile.Location
	// Few large pieces of memory in place of several for each stack: there can be 250,000.
	samples := make([]profile.Sample, len(order))
	out.Sample = make([]*profile.Sample, 0, len(order)+len(syntheticNames))
	stacks := make([]*profile.Location, 0, t.frames)
	numbers := make([]int64, len(order)*layout.types)
	whose := owners{}
	for i, index := range order {
		s, sample := &p.Stacks[index], &samples[i]
		sample.Value, numbers = numbers[:layout.types:layout.types], numbers[layout.types:]
		layout.values(sample.Value, s.Samples, s.Nanoseconds, s.Events, shared, i)
		whose.label(sample, s)
		from := len(stacks)
		for _, l := range s.Locations {
			stacks = append(stacks, out.Location[t.rank[l]])
		}
		sample.Location = stacks[from:len(stacks):len(stacks)]
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
		v := make([]int64, layout.types)
		layout.values(v, samples, ns, nil, shared, len(order)+i)
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
	all := make([]int32, 0, t.frames)
	order := make([]int, len(stacks))
	for i := range stacks {
		order[i] = i
		from := len(all)
		for _, l := range stacks[i].Locations {
			all = append(all, t.rank[l])
		}
		ranks[i] = all[from:]
	}
	slices.SortFunc(order, func(i, k int) int {
		a, b := &stacks[i], &stacks[k]
		return cmp.Or(strings.Compare(a.Process, b.Process), cmp.Compare(a.PID, b.PID),
			strings.Compare(a.Thread, b.Thread), cmp.Compare(a.TID, b.TID), slices.Compare(ranks[i], ranks[k]),
			compareAccesses(a.Access, b.Access),
			// Stacks that are told apart by nothing but their numbers.
			cmp.Compare(a.Samples, b.Samples), cmp.Compare(a.Nanoseconds, b.Nanoseconds),
			slices.Compare(a.Events, b.Events), slices.Compare(a.Joules, b.Joules), slices.Compare(a.Counts, b.Counts))
	})
	return order
}

// compareAccesses orders by what the labels say; stacks without come first.
func compareAccesses(a, b *Access) int {
	if a == b {
		return 0
	}
	var none Access
	if a == nil {
		a = &none
	}
	if b == nil {
		b = &none
	}
	rank := func(has bool) int {
		if has {
			return 1
		}
		return 0
	}
	return cmp.Or(strings.Compare(a.Op, b.Op), strings.Compare(a.DataSource, b.DataSource), strings.Compare(a.Snoop, b.Snoop),
		strings.Compare(a.TLB, b.TLB), strings.Compare(a.Locked, b.Locked), cmp.Compare(rank(a.HasAddress), rank(b.HasAddress)), cmp.Compare(a.Address, b.Address))
}

// owner is whose a stack is, and labels what says so in the profile, which all stacks of one owner share.
type owner struct {
	process, thread string
	pid, tid        int
	access          Access
}

type labels struct {
	text    map[string][]string
	numbers map[string][]int64
	units   map[string][]string
}

type owners map[owner]labels

// units are what pprof takes the ids for without one; they keep an id of 0 (the
// idle task) from being dropped as absent.
var (
	units         = map[string][]string{"pid": {"pid"}, "tid": {"tid"}}
	unitsOfAccess = map[string][]string{"pid": {"pid"}, "tid": {"tid"}, "address": {"address"}}
)

// label says whose the sample is.
func (o owners) label(sample *profile.Sample, s *Stack) {
	who := owner{process: s.Process, thread: s.Thread, pid: s.PID, tid: s.TID}
	if s.Access != nil {
		who.access = *s.Access
	}
	l, ok := o[who]
	if !ok {
		a := &who.access
		l.numbers, l.units = map[string][]int64{"pid": {int64(s.PID)}, "tid": {int64(s.TID)}}, units
		if a.HasAddress {
			l.numbers["address"], l.units = []int64{int64(a.Address)}, unitsOfAccess
		}
		for _, label := range []struct{ key, value string }{{"process", s.Process}, {"thread", s.Thread},
			{"op", a.Op}, {"data_src", a.DataSource}, {"snoop", a.Snoop}, {"tlb", a.TLB}, {"locked", a.Locked}} {
			if label.value == "" {
				continue
			}
			if l.text == nil {
				l.text = map[string][]string{}
			}
			l.text[label.key] = []string{valid(label.value)}
		}
		o[who] = l
	}
	sample.Label, sample.NumLabel, sample.NumUnit = l.text, l.numbers, l.units
}
