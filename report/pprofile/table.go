package pprofile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// table is the mappings, locations and functions of a profile, each content
// once, in an order that depends on content alone.
type table struct {
	out       *profile.Profile
	rank      map[*Location]int32 // index in out.Location
	functions map[Frame]*profile.Function
	frames    int // of all stacks
}

// newTable enters everything that the stacks name, the main mapping first.
func newTable(out *profile.Profile, p *Profile) (*table, error) {
	t := &table{out: out, rank: map[*Location]int32{}, functions: map[Frame]*profile.Function{}}
	var locations []*Location
	for i := range p.Stacks {
		t.frames += len(p.Stacks[i].Locations)
		for _, l := range p.Stacks[i].Locations {
			if l == nil {
				return nil, fmt.Errorf("stack %d has a nil location", i)
			}
			if _, seen := t.rank[l]; seen {
				continue
			}
			if m := l.Mapping; m != nil && (l.Address < m.Start || l.Address > m.Limit) {
				return nil, fmt.Errorf("stack %d: address %#x is outside its mapping %#x-%#x of %q", i, l.Address, m.Start, m.Limit, m.File)
			}
			t.rank[l] = 0
			locations = append(locations, l)
		}
	}
	mappings := t.mappings(locations, p.Main)
	slices.SortFunc(locations, compareLocations)
	for i, l := range locations {
		if i == 0 || compareLocations(locations[i-1], l) != 0 {
			location := t.location(l.Address, l.Lines)
			if l.Mapping != nil {
				location.Mapping = mappings[*l.Mapping]
			}
		}
		t.rank[l] = int32(len(out.Location) - 1)
	}
	t.flags()
	return t, nil
}

// mappings enters the mappings of locations and returns them by content.
func (t *table) mappings(locations []*Location, first *Mapping) map[Mapping]*profile.Mapping {
	entered := map[Mapping]*profile.Mapping{}
	var all []Mapping
	for _, l := range locations {
		if l.Mapping != nil {
			all = append(all, *l.Mapping)
		}
	}
	slices.SortFunc(all, compareMappings)
	all = slices.Compact(all)
	if first != nil {
		all = slices.Insert(slices.DeleteFunc(all, func(m Mapping) bool { return m == *first }), 0, *first)
	}
	for _, m := range all {
		entered[m] = &profile.Mapping{
			ID: uint64(len(t.out.Mapping) + 1), Start: m.Start, Limit: m.Limit, Offset: m.Offset,
			File: valid(m.File), BuildID: valid(m.BuildID),
		}
		t.out.Mapping = append(t.out.Mapping, entered[m])
	}
	return entered
}

func (t *table) location(address uint64, lines []Frame) *profile.Location {
	l := &profile.Location{ID: uint64(len(t.out.Location) + 1), Address: address}
	for _, f := range lines {
		l.Line = append(l.Line, profile.Line{Function: t.function(f), Line: f.Line})
	}
	t.out.Location = append(t.out.Location, l)
	return l
}

func (t *table) function(f Frame) *profile.Function {
	f.Line = 0
	if fn := t.functions[f]; fn != nil {
		return fn
	}
	fn := &profile.Function{
		ID: uint64(len(t.out.Function) + 1), StartLine: f.StartLine,
		Name: valid(cmp.Or(f.Function, f.SystemName)), SystemName: valid(f.SystemName), Filename: valid(f.File),
	}
	t.functions[f] = fn
	t.out.Function = append(t.out.Function, fn)
	return fn
}

// flags sets what each mapping has, which decides what pprof looks up itself:
// only what all of its locations have.
func (t *table) flags() {
	seen := map[*profile.Mapping]bool{}
	for _, l := range t.out.Location {
		m := l.Mapping
		if m == nil {
			continue
		}
		if !seen[m] {
			seen[m] = true
			m.HasFunctions, m.HasFilenames, m.HasLineNumbers = true, true, true
		}
		if len(l.Line) == 0 {
			m.HasFunctions, m.HasFilenames, m.HasLineNumbers = false, false, false
		}
		for _, line := range l.Line {
			m.HasFunctions = m.HasFunctions && line.Function.Name != ""
			m.HasFilenames = m.HasFilenames && line.Function.Filename != ""
			m.HasLineNumbers = m.HasLineNumbers && line.Line > 0
		}
		if len(l.Line) > 1 {
			m.HasInlineFrames = true
		}
	}
}

func compareMappings(a, b Mapping) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Offset, b.Offset),
		cmp.Compare(a.File, b.File), cmp.Compare(a.BuildID, b.BuildID))
}

func compareLocations(a, b *Location) int {
	var c int
	switch {
	case a.Mapping == b.Mapping:
	case a.Mapping == nil:
		return 1
	case b.Mapping == nil:
		return -1
	default:
		c = compareMappings(*a.Mapping, *b.Mapping)
	}
	return cmp.Or(c, cmp.Compare(a.Address, b.Address), slices.CompareFunc(a.Lines, b.Lines, compareFrames))
}

func compareFrames(a, b Frame) int {
	return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.SystemName, b.SystemName),
		cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.StartLine, b.StartLine))
}

// valid makes a string what a protocol buffer takes: names of processes and
// files are any bytes, and readers in other languages refuse what is not UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
