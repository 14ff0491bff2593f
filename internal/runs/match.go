package runs

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/energyprof/energyprof/report/gate"
)

// Renamed is a library that has another name on the new side, as app-v1 and app-v2.
type Renamed struct{ Old, New string }

// Matched is two sets ready to be compared.
type Matched struct {
	Old, New  []gate.Run
	Energy    bool      // the joules of all runs are known: gate.Options.Energy
	Paired    bool      // Old[i] and New[i] ran one after the other, as a pair of bench --ab
	Libraries []Renamed // brought under the new name
	Notes     []string
}

// Match prepares two sets for a comparison: functions have the same key on both sides where they are the same. A library
// that only one side has is taken for the one that only the other side has if they have most functions in common. Where
// one side is summaries, whose functions have no libraries, the other's lose them. Neither set is changed.
func Match(old, new *Set, total Total) Matched {
	m := Matched{Old: old.Gate(total), New: new.Gate(total)}
	m.pair(old, new)
	m.Energy = !slices.ContainsFunc(slices.Concat(m.Old, m.New), func(r gate.Run) bool { return math.IsNaN(r.Total.Joules) })
	if old.Libraries != new.Libraries {
		m.Notes = append(m.Notes, "functions are matched by name alone: a summary does not tell their libraries")
		m.Old, m.New = relabel(m.Old, nameAlone), relabel(m.New, nameAlone)
		return m
	}
	m.Libraries = renamed(m.Old, m.New)
	if len(m.Libraries) > 0 {
		to := map[string]string{}
		for _, r := range m.Libraries {
			to[r.Old] = r.New
		}
		m.Old = relabel(m.Old, func(k gate.Key) gate.Key {
			if name, ok := to[k.Library]; ok {
				k.Library = name
			}
			return k
		})
	}
	return m
}

// paired tells whether the sets are the two sides of one bench --ab.
func paired(old, new *Set) bool {
	if old.Manifest == nil || new.Manifest == nil || old.Manifest.Pair == nil || new.Manifest.Pair == nil {
		return false
	}
	a, b := old.Manifest.Pair, new.Manifest.Pair
	return a.Seed == b.Seed && a.Side != b.Side && slices.Equal(a.Other, new.Manifest.Command) && slices.Equal(b.Other, old.Manifest.Command)
}

// pair leaves out runs of the two sides of one bench --ab whose other one is missing.
func (m *Matched) pair(old, new *Set) {
	if m.Paired = paired(old, new); !m.Paired {
		return
	}
	both := func(s, other *Set, runs []gate.Run) []gate.Run {
		var kept []gate.Run
		for i, number := range s.numbers {
			if slices.Contains(other.numbers, number) {
				kept = append(kept, runs[i])
			}
		}
		return kept
	}
	o, n := both(old, new, m.Old), both(new, old, m.New)
	if left := len(m.Old) + len(m.New) - len(o) - len(n); left > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("%d runs are left out, as the other one of their pair is missing", left))
	}
	m.Old, m.New = o, n
}

// nameAlone is the name as a summary has it.
func nameAlone(k gate.Key) gate.Key {
	if k.Name == unnamed && k.Library != "" {
		k.Name = "[unknown in " + k.Library + "]"
	}
	k.Library = ""
	return k
}

// relabel gives functions other keys; those that become one are added up.
func relabel(runs []gate.Run, label func(gate.Key) gate.Key) []gate.Run {
	out := slices.Clone(runs)
	for i := range out {
		functions := make(map[gate.Key]gate.Amount, len(out[i].Functions))
		keys := slices.SortedFunc(maps.Keys(out[i].Functions), func(p, q gate.Key) int { // in one order, for one sum
			return cmp.Or(cmp.Compare(p.Name, q.Name), cmp.Compare(p.Library, q.Library))
		})
		for _, key := range keys {
			a := out[i].Functions[key]
			key = label(key)
			sum := functions[key] // NaN stays NaN
			functions[key] = gate.Amount{Seconds: sum.Seconds + a.Seconds, Joules: sum.Joules + a.Joules, Cycles: sum.Cycles + a.Cycles}
		}
		out[i].Functions = functions
	}
	return out
}

// renamed pairs the libraries of one side alone by what share of their time is of functions that both have, the best
// ones first: more than half of it. Of the two in which each side spends most any will do, as a program of one large function
// has little in common with itself when that is renamed, and code without names in both.
func renamed(old, new []gate.Run) []Renamed {
	a, b := libraries(old), libraries(new)
	largestA, largestB := largest(a), largest(b)
	type candidate struct {
		Renamed
		common float64
	}
	var all []candidate
	for x, mine := range a {
		if _, there := b[x]; there {
			continue
		}
		for y, others := range b {
			if _, there := a[y]; there {
				continue
			}
			common := mine.common(others)
			if common > 0.5 || x == largestA && y == largestB && (common > 0 || mine[unnamed] > 0 && others[unnamed] > 0) {
				all = append(all, candidate{Renamed{x, y}, common})
			}
		}
	}
	slices.SortFunc(all, func(p, q candidate) int {
		return cmp.Or(cmp.Compare(q.common, p.common), cmp.Compare(p.Old, q.Old), cmp.Compare(p.New, q.New))
	})
	var out []Renamed
	for _, c := range all {
		if !slices.ContainsFunc(out, func(r Renamed) bool { return r.Old == c.Old || r.New == c.New }) {
			out = append(out, c.Renamed)
		}
	}
	return out
}

// library is what the functions of a library took, in seconds of all runs, by name.
type library map[string]float64

// libraries sums up what has a library that is a file.
func libraries(runs []gate.Run) map[string]library {
	out := map[string]library{}
	for i := range runs {
		for key, a := range runs[i].Functions {
			switch key.Library {
			case "", kernel, vdso, jit:
				continue
			}
			if out[key.Library] == nil {
				out[key.Library] = library{}
			}
			out[key.Library][key.Name] += a.Seconds
		}
	}
	return out
}

// largest is the library in which most time is spent, "" of none.
func largest(all map[string]library) string {
	best, most := "", 0.0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if s := all[name].seconds(func(string) bool { return true }); s > most {
			best, most = name, s
		}
	}
	return best
}

// seconds are those of some functions.
func (l library) seconds(some func(name string) bool) float64 {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(l)) { // in one order, for one sum
		if some(name) {
			sum += l[name]
		}
	}
	return sum
}

// common is what share of both libraries is of functions of the same name: the smaller of the two. Code without a name
// has nothing in common.
func (l library) common(other library) float64 {
	share := func(a, b library) float64 {
		all := a.seconds(func(string) bool { return true })
		if all == 0 {
			return 0
		}
		return a.seconds(func(name string) bool { _, there := b[name]; return there && name != unnamed }) / all
	}
	return min(share(l, other), share(other, l))
}
