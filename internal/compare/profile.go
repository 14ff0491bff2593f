package compare

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/pprof/profile"
)

// diffBase is the label by which pprof knows the samples of a base (-diff_base): shares
// are then of the base's total.
const diffBase = "pprof::base"

// ErrNothingCommon is profiles without a sample type that all of them have.
var ErrNothingCommon = errors.New("the profiles have no sample type in common")

// Profile is the difference of two sides as a profile, one run's worth: what a run of the
// new side has on average, and negative and labelled as the base what one of the old side
// has. `go tool pprof` then shows of each function new minus old, as it does with -diff_base.
//
// Sample types are those that all profiles have, in their units; the default is that of the
// new side if it is among them, else the last. The sum over a side is exact to half a unit.
// Numbers of processes and threads, which no two runs share, are left out. The profiles
// of the runs come one by one, since all of them may be gigabytes, and are changed.
func Profile(old, new iter.Seq2[*profile.Profile, error], comments []string) (*profile.Profile, error) {
	base, oldRuns, err := sum(old)
	if err != nil {
		return nil, fmt.Errorf("old: %w", err)
	}
	out, newRuns, err := sum(new)
	if err != nil {
		return nil, fmt.Errorf("new: %w", err)
	}
	if err := alike(out, base); err != nil {
		return nil, err
	}
	for i := range out.SampleType {
		divide(base.Sample, i, oldRuns, -1)
		divide(out.Sample, i, newRuns, 1)
	}
	base.SetLabel(diffBase, []string{"true"})
	if out, err = profile.Merge([]*profile.Profile{out, base}); err != nil {
		return nil, err
	}
	// They would say of a run that it had all of it.
	out.Comments = slices.Clone(comments)
	out.TimeNanos, out.DurationNanos = 0, 0
	return out, out.CheckValid()
}

// sum merges the runs of a side, in the sample types that all of them have.
func sum(runs iter.Seq2[*profile.Profile, error]) (all *profile.Profile, n int64, err error) {
	for p, err := range runs {
		if err != nil {
			return nil, 0, err
		}
		p.RemoveNumLabel("pid")
		p.RemoveNumLabel("tid")
		// What a file is compared for is not its clock, by which Merge would refuse it.
		p.PeriodType, p.Period = &profile.ValueType{}, 0
		if n++; n == 1 {
			all = p
			continue
		}
		if err := alike(all, p); err != nil {
			return nil, 0, err
		}
		if all, err = profile.Merge([]*profile.Profile{all, p}); err != nil {
			return nil, 0, err
		}
	}
	if n == 0 {
		return nil, 0, errors.New("a difference of no profiles")
	}
	return all, n, nil
}

// alike leaves the sample types that both profiles have, in the order of the first.
func alike(p, q *profile.Profile) error {
	var types []profile.ValueType
	for _, t := range p.SampleType {
		if typeIndex(q, *t) >= 0 {
			types = append(types, profile.ValueType{Type: t.Type, Unit: t.Unit})
		}
	}
	if len(types) == 0 {
		return ErrNothingCommon
	}
	keepTypes(p, types)
	keepTypes(q, types)
	return nil
}

// typeIndex is where a profile has a sample type of that name and unit, or -1.
func typeIndex(p *profile.Profile, t profile.ValueType) int {
	return slices.IndexFunc(p.SampleType, func(have *profile.ValueType) bool { return have.Type == t.Type && have.Unit == t.Unit })
}

// keepTypes leaves those sample types of a profile.
func keepTypes(p *profile.Profile, types []profile.ValueType) {
	from := make([]int, len(types))
	isDefault := false
	for i, t := range types {
		from[i] = typeIndex(p, t)
		isDefault = isDefault || t.Type == p.DefaultSampleType
	}
	for _, s := range p.Sample {
		values := make([]int64, len(types))
		for i, k := range from {
			values[i] = s.Value[k]
		}
		s.Value = values
	}
	p.SampleType = nil
	for _, t := range types {
		p.SampleType = append(p.SampleType, &t)
	}
	if !isDefault {
		p.DefaultSampleType = types[len(types)-1].Type
	}
}

// divide divides a value of all samples so that what rounding takes from one goes to the
// next: their sum is rounded once, none is off by a unit, and 0 stays 0.
func divide(samples []*profile.Sample, value int, by, sign int64) {
	carried := by / 2
	for _, s := range samples {
		quotient, rest := s.Value[value]/by, s.Value[value]%by
		carried += rest
		switch {
		case carried >= by:
			carried -= by
			quotient++
		case carried < 0:
			carried += by
			quotient--
		}
		s.Value[value] = sign * quotient
	}
}
