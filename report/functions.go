package report

import (
	"path"

	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/pprof/profile"
)

// function is what a function of a process spent, in the integers of the profile.
type function struct {
	name, process string
	synthetic     bool
	uj, ujCum     int64 // microjoules: own (as a leaf), and with callees
	ns, nsCum     int64 // CPU time
	seen          int   // 1 + the last sample that counted it in the sums with callees
}

// functions sums up the samples by (function, process). The indices say which
// value is energy and which is time; one below zero is not there. A function
// that is in a stack several times, by recursion, is counted once in its sums
// with callees.
func functions(p *profile.Profile, energy, cpu int) []*function {
	type id struct {
		name, process string
		synthetic     bool
	}
	var all []*function
	byID := map[id]*function{}
	names := map[*profile.Location][]string{} // innermost first
	for n, s := range p.Sample {
		var uj, ns int64
		if energy >= 0 {
			uj = s.Value[energy]
		}
		if cpu >= 0 {
			ns = s.Value[cpu]
		}
		process := ""
		if label := s.Label["process"]; len(label) > 0 {
			process = label[0]
		}
		_, synthetic := pprofile.IsSynthetic(s)
		leaf := true
		for _, l := range s.Location {
			if _, ok := names[l]; !ok {
				names[l] = locationNames(l)
			}
			for _, name := range names[l] {
				f := byID[id{name, process, synthetic}]
				if f == nil {
					f = &function{name: name, process: process, synthetic: synthetic}
					byID[id{name, process, synthetic}] = f
					all = append(all, f)
				}
				if leaf {
					f.uj += uj
					f.ns += ns
					leaf = false
				}
				if f.seen != n+1 {
					f.seen = n + 1
					f.ujCum += uj
					f.nsCum += ns
				}
			}
		}
	}
	return all
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
		return []string{"[unknown]"}
	}
	return []string{"[unknown in " + path.Base(l.Mapping.File) + "]"}
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
