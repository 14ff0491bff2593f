package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/pprof/profile"
)

// Fit is what a regression found out about functions; its functions are those of
// a binary, whichever process ran them.
type Fit struct {
	// Function is, by stack of the Data, the number of the function that its own
	// time is spent in.
	Function []int32
	// Power is by column of the Data, then by that number.
	Power [][]attribution.FunctionPower
}

// rowID is a function as the summary has it.
type rowID struct{ name, process string }

// interval is the 95 % interval of a row's joules, as distances from them, and
// the group of functions that it is not told apart from ("" if it is).
type interval struct {
	below, above float64
	group        string
}

// part is what a row has of a function of the fit.
type part struct {
	row      rowID
	function int32
}

// intervals gives the rows of a fit their intervals. What several processes run of
// one function shares the function's in proportion to joules. The errors of
// several functions and counters are taken for independent.
func (r *Recording) intervals() map[rowID]interval {
	sum := make([]bool, len(r.Data.Columns))
	for i, c := range r.Data.Columns {
		sum[i] = c.Sum
	}
	return r.Fit.intervals(r.Data.Stacks, func(s *pprofile.Stack) []float64 { return s.Joules }, sum)
}

// intervals are those of what was shared out in columns: amounts gives those of a stack, sum which of them
// are part of a row's.
func (fit *Fit) intervals(stacks []pprofile.Stack, amounts func(*pprofile.Stack) []float64, sum []bool) map[rowID]interval {
	if fit == nil || len(fit.Function) != len(stacks) || len(fit.Power) != len(sum) || !slices.Contains(sum, true) {
		return nil
	}
	type amount struct {
		ns     float64
		joules []float64 // by column
	}
	add := func(a *amount, s *pprofile.Stack) {
		if a.joules == nil {
			a.joules = make([]float64, len(sum))
		}
		a.ns += float64(s.Nanoseconds)
		for c, j := range amounts(s) {
			a.joules[c] += j
		}
	}
	parts, functions := map[part]*amount{}, map[int32]*amount{}
	names := map[int32]string{}
	var order []part
	for i := range stacks {
		s, f := &stacks[i], fit.Function[i]
		p := part{rowID{leafName(s), validUTF8(s.Process)}, f}
		if parts[p] == nil {
			parts[p] = &amount{}
			order = append(order, p)
		}
		if functions[f] == nil {
			functions[f], names[f] = &amount{}, p.row.name
		}
		add(parts[p], s)
		add(functions[f], s)
	}
	groups := fit.groups(names, func(f int32) float64 { return functions[f].ns })
	all := map[rowID]interval{}
	most := map[rowID]float64{} // joules of the counter that gave the row its group
	for _, p := range order {
		in := all[p.row]
		for c := range sum {
			if !sum[c] || int(p.function) >= len(fit.Power[c]) {
				continue
			}
			power, own, whole := fit.Power[c][p.function], parts[p], functions[p.function]
			var share float64
			switch {
			case whole.joules[c] > 0:
				share = own.joules[c] / whole.joules[c]
			case whole.ns > 0:
				share = own.ns / whole.ns
			}
			in.below = math.Hypot(in.below, share*max(0, power.Joules-power.Low))
			in.above = math.Hypot(in.above, share*max(0, power.High-power.Joules))
			group := groups[groupID{c, power.Group}]
			if before, ok := most[p.row]; !ok || own.joules[c] > before {
				in.group, most[p.row] = group, own.joules[c]
			}
		}
		all[p.row] = in
	}
	return all
}

// groupID is a group of functions in one column.
type groupID struct {
	column int
	group  int32
}

// groups names the groups of more than one function after the function that ran
// longest. Different groups have different names.
func (fit *Fit) groups(names map[int32]string, ns func(f int32) float64) map[groupID]string {
	members := map[groupID][]int32{}
	var ids []groupID
	for c, power := range fit.Power {
		for f, p := range power {
			if _, ran := names[int32(f)]; p.Group < 0 || !ran {
				continue
			}
			id := groupID{c, p.Group}
			if members[id] == nil {
				ids = append(ids, id)
			}
			members[id] = append(members[id], int32(f))
		}
	}
	named := map[groupID]string{}
	owner := map[string][]int32{} // name -> the members it stands for
	for _, id := range ids {
		if len(members[id]) < 2 {
			continue
		}
		first := slices.MinFunc(members[id], func(a, b int32) int {
			return cmp.Or(cmp.Compare(ns(b), ns(a)), cmp.Compare(names[a], names[b]), cmp.Compare(a, b))
		})
		name := names[first]
		for n := 2; owner[name] != nil && !slices.Equal(owner[name], members[id]); n++ {
			name = fmt.Sprintf("%s (%d)", names[first], n)
		}
		owner[name], named[id] = members[id], name
	}
	return named
}

// leafName is the function of a stack's leaf, as locationNames gives it for the
// profile.
func leafName(s *pprofile.Stack) string {
	if len(s.Locations) == 0 {
		return unknown
	}
	l := s.Locations[0]
	for _, line := range l.Lines {
		if name := cmp.Or(line.Function, line.SystemName); name != "" {
			return validUTF8(name)
		}
	}
	if l.Mapping == nil || l.Mapping.File == "" {
		return unknown
	}
	return unknownIn(validUTF8(l.Mapping.File))
}

const unknown = "[unknown]"

// unknownIn is code of a file that has no name.
func unknownIn(file string) string { return "[unknown in " + path.Base(file) + "]" }

// validUTF8 is what a profile makes of a string.
func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// intervalComment begins the comments of a profile in which intervals are kept.
// pprof shows no comment that begins with "#".
const intervalComment = "#interval "

// keptInterval is an interval in a comment. Microjoules are those of the row: a
// profile that was merged or filtered has others, and the interval is not its own.
type keptInterval struct {
	Name        string  `json:"name"`
	Process     string  `json:"process"`
	Microjoules int64   `json:"uj"`
	Low         float64 `json:"joules_low"`
	High        float64 `json:"joules_high"`
	Group       string  `json:"group,omitempty"`
}

// ends gives the interval of a row around its joules.
func (in interval) ends(uj int64) (low, high float64) {
	joules := float64(uj) / 1e6
	micro := func(v float64) float64 { return math.Round(v*1e6) / 1e6 }
	return micro(max(0, joules-in.below)), micro(joules + in.above)
}

// intervalComments keeps the intervals in comments.
func intervalComments(all []*function, intervals map[rowID]interval) []string {
	var comments []string
	for _, f := range all {
		in, ok := intervals[rowID{f.name, f.process}]
		if !ok || f.synthetic {
			continue
		}
		k := keptInterval{Name: f.name, Process: f.process, Microjoules: f.uj, Group: in.group}
		k.Low, k.High = in.ends(f.uj)
		text, err := json.Marshal(k)
		if err != nil {
			continue // no number that JSON has
		}
		comments = append(comments, intervalComment+string(text))
	}
	return comments
}

// readIntervals finds the intervals that the comments of a profile keep, and gives
// back the other comments.
func readIntervals(p *profile.Profile) (kept map[rowID]keptInterval, others []string) {
	for _, c := range p.Comments {
		text, ok := strings.CutPrefix(c, intervalComment)
		if !ok && strings.HasPrefix(c, counterComment) {
			continue // see ReadCounts
		}
		if !ok {
			others = append(others, c)
			continue
		}
		var k keptInterval
		if json.Unmarshal([]byte(text), &k) != nil || !(k.Low >= 0 && k.Low <= k.High) {
			continue
		}
		if kept == nil {
			kept = map[rowID]keptInterval{}
		}
		kept[rowID{k.Name, k.Process}] = k
	}
	return kept, others
}
