package compare

import (
	"errors"
	"fmt"
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
// are not changed.
func Profile(old, new []*profile.Profile, comments []string) (*profile.Profile, error) {
	if len(old) == 0 || len(new) == 0 {
		return nil, fmt.Errorf("a difference of %d and %d profiles", len(old), len(new))
	}
	types := commonTypes(slices.Concat(new, old))
	if len(types) == 0 {
		return nil, ErrNothingCommon
	}
	base, err := perRun(old, types, -1)
	if err != nil {
		return nil, fmt.Errorf("old: %w", err)
	}
	base.SetLabel(diffBase, []string{"true"})
	out, err := perRun(new, types, 1)
	if err != nil {
		return nil, fmt.Errorf("new: %w", err)
	}
	if out, err = profile.Merge([]*profile.Profile{out, base}); err != nil {
		return nil, err
	}
	// They would say of a run that it had all of it.
	out.Comments = slices.Clone(comments)
	out.TimeNanos, out.DurationNanos = 0, 0
	return out, out.CheckValid()
}

// commonTypes are the sample types that all profiles have, in the order of the first.
func commonTypes(all []*profile.Profile) []profile.ValueType {
	var types []profile.ValueType
	for _, t := range all[0].SampleType {
		if !slices.ContainsFunc(all, func(p *profile.Profile) bool { return typeIndex(p, *t) < 0 }) {
			types = append(types, profile.ValueType{Type: t.Type, Unit: t.Unit})
		}
	}
	return types
}

// typeIndex is where a profile has a sample type of that name and unit, or -1.
func typeIndex(p *profile.Profile, t profile.ValueType) int {
	return slices.IndexFunc(p.SampleType, func(have *profile.ValueType) bool { return have.Type == t.Type && have.Unit == t.Unit })
}

// perRun merges runs into one and divides it by their number and sign.
func perRun(runs []*profile.Profile, types []profile.ValueType, sign int64) (*profile.Profile, error) {
	var alike []*profile.Profile
	for _, run := range runs {
		p := run.Copy()
		keepTypes(p, types)
		p.RemoveNumLabel("pid")
		p.RemoveNumLabel("tid")
		// What a file is compared for is not its clock, by which Merge would refuse it.
		p.PeriodType, p.Period = &profile.ValueType{}, 0
		alike = append(alike, p)
	}
	sum, err := profile.Merge(alike)
	if err != nil {
		return nil, err
	}
	sum.DefaultSampleType = alike[0].DefaultSampleType
	for i := range types {
		divide(sum.Sample, i, int64(len(runs)), sign)
	}
	return sum, nil
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
