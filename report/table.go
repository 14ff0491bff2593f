package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/report/pprofile"
	"github.com/google/pprof/profile"
)

// By is what the rows of a Table are.
type By string

// ByFunction is functions of processes; ByProcess and ByThread tell them apart by
// name and number.
const (
	ByFunction By = "function"
	ByProcess  By = "process"
	ByThread   By = "thread"
)

// Bys are what ReadTableBy takes.
var Bys = []By{ByFunction, ByProcess, ByThread}

// Table is the functions, processes or threads of a profile with their energy.
type Table struct {
	By By
	// Energy is the sample type that the joules are of: energy, energy_model, or
	// for a profile without a sum the energy_<domain> that is its default; "" if
	// the profile has none, and then all joules are 0.
	Energy string
	// CPU says that the profile has CPU time; without it all seconds are 0.
	CPU bool
	// Event is what is counted in a profile without CPU time, "" if there is any or nothing is.
	Event string
	// Missing says what the profile lacks for this table, one sentence each.
	Missing []string

	Joules, Seconds float64 // of all rows, own
	Rows            []Row   // by Joules, then Seconds, both falling, then Name, until Sort
	Intervals       bool    // some of the rows have one
	Comments        []string
}

// Row is a function of a process, or one of the synthetic frames. Joules and
// Seconds are its own, as the leaf of the stack; the cumulative ones include
// what it called, once per stack even in recursion. A process or a thread has no
// such thing: its cumulative values are its own.
type Row struct {
	Name, Process              string
	PID, TID                   int64 // by process and by thread
	Synthetic                  bool
	Joules, JoulesCumulative   float64
	Seconds, SecondsCumulative float64
	// JoulesLow and JoulesHigh are the 95 % interval of Joules, of a function that
	// a regression gave one, and Group the functions that it shares one power with.
	Interval              bool
	JoulesLow, JoulesHigh float64
	Group                 string
	Count                 int64   // of Table.Event
	Watts                 float64 // Joules / Seconds, 0 without either
	Share                 float64 // of Table.Joules; without energy of Table.Seconds, or of all that was counted
}

// Estimated reports whether the joules come from a model.
func (t *Table) Estimated() bool { return t.Energy == pprofile.EnergyModelType }

// ReadTable sums up a profile, of ours or of another tool, by function.
func ReadTable(p *profile.Profile) Table { return ReadTableBy(p, ByFunction) }

// ReadTableBy sums up a profile by one of Bys.
func ReadTableBy(p *profile.Profile, by By) Table {
	t := Table{By: by}
	var kept map[rowID]keptInterval
	kept, t.Comments = readIntervals(p)
	v := values{energy: t.chooseEnergy(p), cpu: sampleType(p, "cpu", "nanoseconds"), count: -1}
	t.CPU = v.cpu >= 0
	if !t.CPU {
		v.count = countOf(p)
	}
	if v.count >= 0 {
		t.Event = p.SampleType[v.count].Type
	}
	if !t.CPU {
		t.Missing = append(t.Missing, "no sample type cpu/nanoseconds, so no CPU time and no watts; there is "+sampleTypes(p))
	}
	// A synthetic frame can be there for the sake of another sample type.
	var all []*function
	if by == ByFunction {
		all = functions(p, v)
	} else {
		all, kept = tasks(p, v, by == ByThread), nil
	}
	all = slices.DeleteFunc(all, func(f *function) bool { return f.synthetic && f.uj == 0 && f.ns == 0 && f.count == 0 })
	slices.SortFunc(all, byEnergy)
	var uj, ns, count int64
	for _, f := range all {
		uj += f.uj
		ns += f.ns
		count += f.count
	}
	t.Joules, t.Seconds = float64(uj)/1e6, float64(ns)/1e9
	for _, f := range all {
		r := Row{Name: f.name, Process: f.process, PID: f.pid, TID: f.tid, Synthetic: f.synthetic,
			Joules: float64(f.uj) / 1e6, JoulesCumulative: float64(f.ujCum) / 1e6,
			Seconds: float64(f.ns) / 1e9, SecondsCumulative: float64(f.nsCum) / 1e9, Count: f.count}
		if f.ns > 0 {
			r.Watts = r.Joules / r.Seconds
		}
		if k, ok := kept[rowID{f.name, f.process}]; ok && !f.synthetic && k.Microjoules == f.uj {
			r.Interval, r.JoulesLow, r.JoulesHigh, r.Group = true, k.Low, k.High, k.Group
			t.Intervals = true
		}
		switch {
		case uj > 0:
			r.Share = float64(f.uj) / float64(uj)
		case t.Energy == "" && ns > 0:
			r.Share = float64(f.ns) / float64(ns)
		case t.Energy == "" && count > 0:
			r.Share = float64(f.count) / float64(count)
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// chooseEnergy finds the energy of the profile, or says why there is none.
func (t *Table) chooseEnergy(p *profile.Profile) int {
	for _, name := range []string{pprofile.EnergyType, pprofile.EnergyModelType} {
		if i := sampleType(p, name, pprofile.EnergyUnit); i >= 0 {
			t.Energy = name
			return i
		}
	}
	for i := len(p.SampleType) - 1; i >= 0; i-- {
		st := p.SampleType[i]
		if strings.HasPrefix(st.Type, pprofile.DomainPrefix) && st.Unit == pprofile.EnergyUnit {
			t.Energy = st.Type
			t.Missing = append(t.Missing, "no domain of this profile is part of a sum, so the joules are of "+st.Type+" alone")
			return i
		}
	}
	t.Missing = append(t.Missing, fmt.Sprintf("no sample type %s/%s, so no joules; there is %s",
		pprofile.EnergyType, pprofile.EnergyUnit, sampleTypes(p)))
	return -1
}

func sampleTypes(p *profile.Profile) string {
	var all []string
	for _, t := range p.SampleType {
		all = append(all, t.Type+"/"+t.Unit)
	}
	return strings.Join(all, ", ")
}

// SortKeys are what Sort takes.
var SortKeys = []string{"joules", "cum", "seconds", "watts", "name"}

// Sort orders the rows: by name rising, by anything else falling and by name
// where that is equal. cum is cumulative joules, or seconds without energy. It
// is an error to ask for what the profile lacks.
func (t *Table) Sort(key string) error {
	var value func(r *Row) float64
	energy, cpu := t.Energy != "", t.CPU
	switch key {
	case "joules":
		value, cpu = func(r *Row) float64 { return r.Joules }, true
	case "cum":
		value, energy = func(r *Row) float64 { return r.JoulesCumulative }, true
		if t.Energy == "" {
			value = func(r *Row) float64 { return r.SecondsCumulative }
		} else {
			cpu = true
		}
	case "seconds":
		value, energy = func(r *Row) float64 { return r.Seconds }, true
	case "watts":
		value = func(r *Row) float64 { return r.Watts }
	case "name":
		value, energy, cpu = func(*Row) float64 { return 0 }, true, true
	default:
		return fmt.Errorf("sort key %q is none of %s", key, strings.Join(SortKeys, ", "))
	}
	if !energy || !cpu {
		return fmt.Errorf("cannot sort by %s: %s", key, strings.Join(t.Missing, "; "))
	}
	slices.SortStableFunc(t.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(value(&b), value(&a)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Process, b.Process))
	})
	return nil
}
