package pprofile

import "github.com/google/pprof/profile"

// layout says which value of a sample holds what.
type layout struct {
	types   int
	cpu     int   // index of CPU time, or none
	events  int   // index of the first event
	counted []int // index of the type that each counter adds to
	columns []int // index of the type that each column adds to, or none
	sum     []int // the columns that are part of the energy
	energy  int   // index of the energy type, or none
}

const none = -1

const cpuType = "cpu"

// newLayout declares the sample types in out.
func newLayout(out *profile.Profile, p *Profile) *layout {
	l := &layout{cpu: none, energy: none}
	declare := func(name, unit string) int {
		for i, t := range out.SampleType {
			if t.Type == name {
				return i
			}
		}
		out.SampleType = append(out.SampleType, &profile.ValueType{Type: name, Unit: unit})
		out.DefaultSampleType = name
		return len(out.SampleType) - 1
	}
	declare("samples", "count")
	if !p.NoClock {
		l.cpu = declare(cpuType, "nanoseconds")
	}
	l.events = len(out.SampleType)
	for _, e := range p.Events {
		declare(valid(e.Name), valid(e.unit()))
	}
	for _, c := range p.Counters {
		l.counted = append(l.counted, declare(valid(c.Event), "count"))
	}
	switch {
	case p.Default != "":
		out.DefaultSampleType = valid(p.Default)
	case !p.NoClock:
		out.DefaultSampleType = cpuType
	case len(p.Events) > 0:
		out.DefaultSampleType = valid(p.Events[0].Name)
	}
	for i, c := range p.Columns {
		index := none
		if p.Measured {
			index = declare(DomainPrefix+c.Domain, EnergyUnit)
		}
		l.columns = append(l.columns, index)
		if c.Sum {
			l.sum = append(l.sum, i)
		}
	}
	switch {
	case len(l.sum) == 0:
	case p.Measured:
		l.energy = declare(EnergyType, EnergyUnit)
	default:
		l.energy = declare(EnergyModelType, EnergyUnit)
	}
	l.types = len(out.SampleType)
	return l
}

// values fills in those of one sample; shared is by row.
func (l *layout) values(v []int64, samples, ns int64, events []int64, shared shared, row int) {
	v[0] = samples
	if l.cpu != none {
		v[l.cpu] = ns
	}
	copy(v[l.events:], events)
	for c, index := range l.columns {
		if index != none {
			v[index] += shared.energy[c][row]
		}
	}
	for _, c := range l.sum {
		v[l.energy] += shared.energy[c][row]
	}
	for c, index := range l.counted {
		v[index] += shared.counts[c][row]
	}
}
