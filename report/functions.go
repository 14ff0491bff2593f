package report

import (
	"cmp"

	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/pprof/profile"
)

// function is what a function of a process spent, in the integers of the profile; or
// what a process or a thread spent.
type function struct {
	name, process string
	pid, tid      int64 // of a process or a thread
	synthetic     bool
	uj, ujCum     int64 // microjoules: own (as a leaf), and with callees
	ns, nsCum     int64 // CPU time
	count         int64 // of what stands for activity where there is no CPU time; own
	seen          int   // 1 + the last sample that counted it in the sums with callees
}

// values are the indices of energy and time in the samples, and of a count where there is no time; below zero where
// there is none.
type values struct{ energy, cpu, count int }

// countOf finds what stands for activity in a profile without CPU time: the first event that was counted, or samples.
func countOf(p *profile.Profile) int {
	found := -1
	for i, t := range p.SampleType {
		if t.Unit == "count" && (found < 0 || i > 0 && p.SampleType[found].Type == "samples") {
			found = i
		}
	}
	return found
}

func (v values) of(s *profile.Sample) (uj, ns int64) {
	if v.energy >= 0 {
		uj = s.Value[v.energy]
	}
	if v.cpu >= 0 {
		ns = s.Value[v.cpu]
	}
	return uj, ns
}

func (v values) counts(s *profile.Sample) int64 {
	if v.count < 0 {
		return 0
	}
	return s.Value[v.count]
}

// functions sums up the samples by (function, process). A function that is in a
// stack several times, by recursion, is counted once in its sums with callees.
func functions(p *profile.Profile, v values) []*function {
	var all []*function
	var numbers numbering
	rows := map[string][]*function{} // by process, then by number of the name
	type frame struct{ name, process string }
	frames := map[frame]*function{}
	for n, s := range p.Sample {
		uj, ns := v.of(s)
		process := labelOf(s, "process")
		name, synthetic := pprofile.IsSynthetic(s)
		if synthetic {
			f := frames[frame{name, process}]
			if f == nil {
				f = &function{name: name, process: process, synthetic: true}
				frames[frame{name, process}] = f
				all = append(all, f)
			}
			f.uj, f.ns = f.uj+uj, f.ns+ns
			f.ujCum, f.nsCum = f.uj, f.ns
			f.count += v.counts(s)
			continue
		}
		mine := rows[process]
		leaf := true
		for _, l := range s.Location {
			for _, number := range numbers.of(l) {
				for int(number) >= len(mine) {
					mine = append(mine, make([]*function, len(numbers.names)-len(mine))...)
				}
				f := mine[number]
				if f == nil {
					f = &function{name: numbers.names[number], process: process}
					mine[number] = f
					all = append(all, f)
				}
				if leaf {
					f.uj += uj
					f.ns += ns
					f.count += v.counts(s)
					leaf = false
				}
				if f.seen != n+1 {
					f.seen = n + 1
					f.ujCum += uj
					f.nsCum += ns
				}
			}
		}
		rows[process] = mine
	}
	return all
}

// numbering numbers the names of functions.
type numbering struct {
	names     []string
	byName    map[string]int32
	locations map[*profile.Location][]int32
}

// of numbers the functions at a location, innermost first.
func (n *numbering) of(l *profile.Location) []int32 {
	if all, ok := n.locations[l]; ok {
		return all
	}
	if n.byName == nil {
		n.byName, n.locations = map[string]int32{}, map[*profile.Location][]int32{}
	}
	var all []int32
	for _, name := range locationNames(l) {
		number, ok := n.byName[name]
		if !ok {
			number = int32(len(n.names))
			n.names = append(n.names, name)
			n.byName[name] = number
		}
		all = append(all, number)
	}
	n.locations[l] = all
	return all
}

// tasks sums up the samples by process or by thread. A process that executed another
// program, or a thread that changed its name, is one for each name. What belongs to
// none has the name of its frame.
func tasks(p *profile.Profile, v values, threads bool) []*function {
	type id struct {
		name, process string
		pid, tid      int64
		synthetic     bool
	}
	var all []*function
	byID := map[id]*function{}
	for _, s := range p.Sample {
		key := id{process: labelOf(s, "process"), pid: numberOf(s, "pid")}
		key.name = cmp.Or(key.process, unknown)
		if threads {
			key.tid = numberOf(s, "tid")
			key.name = cmp.Or(labelOf(s, "thread"), key.name)
		}
		if name, ok := pprofile.IsSynthetic(s); ok {
			key = id{name: name, synthetic: true}
		}
		f := byID[key]
		if f == nil {
			f = &function{name: key.name, process: key.process, pid: key.pid, tid: key.tid, synthetic: key.synthetic}
			byID[key] = f
			all = append(all, f)
		}
		uj, ns := v.of(s)
		f.uj, f.ns = f.uj+uj, f.ns+ns
		f.ujCum, f.nsCum = f.uj, f.ns
		f.count += v.counts(s)
	}
	return all
}

func labelOf(s *profile.Sample, key string) string {
	if label := s.Label[key]; len(label) > 0 {
		return label[0]
	}
	return ""
}

func numberOf(s *profile.Sample, key string) int64 {
	if label := s.NumLabel[key]; len(label) > 0 {
		return label[0]
	}
	return 0
}

// byEnergy is the order of functions where none is asked for.
func byEnergy(a, b *function) int {
	return cmp.Or(cmp.Compare(b.uj, a.uj), cmp.Compare(b.ns, a.ns), cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name), cmp.Compare(a.process, b.process),
		cmp.Compare(a.pid, b.pid), cmp.Compare(a.tid, b.tid))
}

// locationNames are the functions at a location. Code without a name goes under
// the file that it is in.
func locationNames(l *profile.Location) []string {
	var names []string
	for _, line := range l.Line {
		if line.Function != nil && line.Function.Name != "" {
			names = append(names, line.Function.Name)
		}
	}
	if len(names) > 0 {
		return names
	}
	if l.Mapping == nil || l.Mapping.File == "" {
		return []string{unknown}
	}
	return []string{unknownIn(l.Mapping.File)}
}

// sampleType is the index of the value with that name and unit, or -1.
func sampleType(p *profile.Profile, name, unit string) int {
	for i, t := range p.SampleType {
		if t.Type == name && t.Unit == unit {
			return i
		}
	}
	return -1
}
