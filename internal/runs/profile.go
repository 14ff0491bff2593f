package runs

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/report/gate"
	"github.com/energyprof/energyprof/report/pprofile"
)

const modelType = pprofile.EnergyModelType

// readProfile reads the amounts of one run from its profile.
func readProfile(in io.Reader) (*amounts, error) {
	p, err := pprofile.Read(in)
	if err != nil {
		return nil, err
	}
	return fromProfile(p)
}

// columns are where a profile has what is compared.
type columns struct {
	energy, cpu int   // energy: below zero without
	cycles      []int // of each type of core
}

func fromProfile(p *profile.Profile) (*amounts, error) {
	c, err := findColumns(p)
	if err != nil {
		return nil, err
	}
	a := &amounts{start: p.TimeNanos, elapsed: float64(p.DurationNanos) / 1e9, functions: map[gate.Key]gate.Amount{}, libraries: true}
	if c.energy >= 0 {
		a.energy = p.SampleType[c.energy].Type
	}
	a.command = commandOf(p)
	own := map[gate.Key]*integers{}
	keys := map[*profile.Location]gate.Key{}
	var total, static integers
	for _, s := range p.Sample {
		amount, err := c.of(s)
		if err != nil {
			return nil, err
		}
		name, synthetic := pprofile.IsSynthetic(s)
		if synthetic {
			switch name {
			case pprofile.Other:
			case pprofile.Baseline, pprofile.Idle, pprofile.Unattributed:
				static.uj += amount.uj
			default: // [lost], [package active], [prefetch and write-back]
				total.add(amount)
			}
		} else {
			total.add(amount)
		}
		if !total.valid() || !static.valid() {
			return nil, errors.New("its amounts add up to more than a profile can have")
		}
		if synthetic || len(s.Location) == 0 {
			continue
		}
		leaf := s.Location[0]
		key, known := keys[leaf]
		if !known {
			key = keyOf(leaf)
			keys[leaf] = key
		}
		if own[key] == nil {
			own[key] = new(integers)
		}
		own[key].add(amount)
	}
	for key, sum := range own {
		a.functions[key] = c.amount(*sum)
	}
	a.total, a.static = c.amount(total), float64(static.uj)/1e6
	return a, nil
}

// integers are amounts as a profile has them, so that sums are exact in any order.
type integers struct{ uj, ns, cycles int64 }

func (a *integers) add(b integers) { a.uj, a.ns, a.cycles = a.uj+b.uj, a.ns+b.ns, a.cycles+b.cycles }

// valid is false once a sum of amounts, none of which is negative, became more than an integer holds.
func (a *integers) valid() bool { return a.uj >= 0 && a.ns >= 0 && a.cycles >= 0 }

// of is what a sample has. Less than nothing is in profiles of a difference, which are no runs.
func (c columns) of(s *profile.Sample) (integers, error) {
	a := integers{ns: s.Value[c.cpu]}
	if c.energy >= 0 {
		a.uj = s.Value[c.energy]
	}
	for _, i := range c.cycles {
		a.cycles += s.Value[i]
		if s.Value[i] < 0 {
			a.cycles = s.Value[i]
			break
		}
	}
	if !a.valid() {
		return a, fmt.Errorf("no profile of a run: a sample has %d ns, %d uJ and %d cycles", a.ns, a.uj, a.cycles)
	}
	return a, nil
}

// amount is a in seconds and joules.
func (c columns) amount(a integers) gate.Amount {
	out := gate.Amount{Seconds: float64(a.ns) / 1e9, Joules: notKnown, Cycles: notKnown}
	if c.energy >= 0 {
		out.Joules = float64(a.uj) / 1e6
	}
	if len(c.cycles) > 0 {
		out.Cycles = float64(a.cycles)
	}
	return out
}

// findColumns refuses what has other units: a number is compared with no number of another meaning.
func findColumns(p *profile.Profile) (columns, error) {
	c := columns{energy: -1, cpu: -1}
	units := map[string]string{"cpu": "nanoseconds", pprofile.EnergyType: pprofile.EnergyUnit, modelType: pprofile.EnergyUnit}
	index := map[string]int{}
	var all []string
	for i, t := range p.SampleType {
		all = append(all, t.Type+"/"+t.Unit)
		want := units[t.Type]
		if strings.HasPrefix(t.Type, pprofile.DomainPrefix) {
			want = pprofile.EnergyUnit
		}
		if want != "" && t.Unit != want {
			return c, fmt.Errorf("%s is in %s, and is compared in %s alone", t.Type, t.Unit, want)
		}
		if _, twice := index[t.Type]; twice && want != "" {
			return c, fmt.Errorf("%s is there twice", t.Type)
		}
		index[t.Type] = i
	}
	find := func(name string) int {
		if i, ok := index[name]; ok {
			return i
		}
		return -1
	}
	c.cpu = find("cpu")
	_, measured := index[pprofile.EnergyType]
	_, model := index[modelType]
	switch {
	case measured && model:
		return c, errors.New("joules of a measurement and of an estimate in one profile")
	case measured:
		c.energy = find(pprofile.EnergyType)
	case model:
		c.energy = find(modelType)
	case strings.HasPrefix(p.DefaultSampleType, pprofile.DomainPrefix): // no domain is part of a sum
		c.energy = find(p.DefaultSampleType)
	}
	c.cycles = cycleColumns(p)
	if c.cpu < 0 {
		return c, fmt.Errorf("it has no CPU time: there is %s", strings.Join(all, ", "))
	}
	return c, nil
}

// cycleEvents are the names of CPU cycles, without modifiers, by the type of the cores that count them.
var cycleEvents = map[string]string{
	"cycles": "cpu", "cpu-cycles": "cpu", "cpu/cycles/": "cpu", "cpu/cpu-cycles/": "cpu",
	"cpu_core/cycles/": "core", "cpu_core/cpu-cycles/": "core", "cpu_atom/cycles/": "atom", "cpu_atom/cpu-cycles/": "atom",
}

// cycleColumns finds cycles, one event for each type of core.
func cycleColumns(p *profile.Profile) []int {
	var found []int
	var cores []string
	for i, t := range p.SampleType {
		name, _, _ := strings.Cut(t.Type, ":")
		core, ok := cycleEvents[name]
		if !ok || t.Unit != "count" || slices.Contains(cores, core) {
			continue
		}
		cores, found = append(cores, core), append(found, i)
	}
	return found
}

// commandOf is the command as a profile of ours tells it, in one piece; nil where it does not.
func commandOf(p *profile.Profile) []string {
	for _, c := range p.Comments {
		if command, ok := strings.CutPrefix(c, "command: "); ok {
			return []string{command}
		}
	}
	return nil
}
