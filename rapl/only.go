package rapl

import (
	"fmt"
	"slices"
	"strings"
)

// Only is src with those of its domains that choose takes, as choose describes them: under another name, in no sum.
// Closing it closes src, which nobody else may read meanwhile. The error wraps ErrNoHardware if no domain is taken;
// src is then as it was.
func Only(src Source, choose func(Domain) (Domain, bool)) (Source, error) {
	info := src.Info()
	o := &only{src: src, joules: make([]float64, len(info.Domains))}
	for i, d := range info.Domains {
		if as, taken := choose(d); taken {
			o.from = append(o.from, i)
			o.domains = append(o.domains, as)
		}
	}
	if len(o.from) == 0 {
		return nil, fmt.Errorf("energy source %s counts %s: %w", info.Name, domainNames(info.Domains), ErrNoHardware)
	}
	return o, nil
}

// domainNames names each kind of domain once.
func domainNames(domains []Domain) string {
	var names []string
	for _, d := range domains {
		if !slices.Contains(names, d.Name) {
			names = append(names, d.Name)
		}
	}
	return strings.Join(names, ", ")
}

// only is a Source of some of the domains of another.
type only struct {
	src     Source
	from    []int // by domain: the index in src
	domains []Domain
	joules  []float64 // of all domains of src
}

// Info leaves out the notes on domains that were not taken.
func (o *only) Info() Info {
	info := o.src.Info()
	info.Notes = slices.DeleteFunc(info.Notes, func(note string) bool {
		for i, d := range info.Domains {
			if !slices.Contains(o.from, i) && strings.HasPrefix(note, d.String()+": ") {
				return true
			}
		}
		return false
	})
	info.Domains = slices.Clone(o.domains)
	return info
}

// Read reads all of src. Moment.Dropped counts domains that were not taken, too.
func (o *only) Read(joules []float64) (Moment, error) {
	if len(joules) != len(o.from) {
		return Moment{}, fmt.Errorf("energy source %s: room for %d domains, not %d", o.src.Info().Name, len(joules), len(o.from))
	}
	moment, err := o.src.Read(o.joules)
	if err != nil {
		return moment, err
	}
	failed := moment.Failed
	moment.Failed = nil
	for i, from := range o.from {
		joules[i] = o.joules[from]
		if failed != nil && failed[from] != nil {
			if moment.Failed == nil {
				moment.Failed = make([]error, len(o.from))
			}
			moment.Failed[i] = failed[from]
		}
	}
	return moment, nil
}

// Counters are those of the domains that were taken, for the stamps of a Recorder.
func (o *only) Counters() []Counter {
	src, ok := o.src.(interface{ Counters() []Counter })
	if !ok {
		return nil
	}
	var counters []Counter
	for _, c := range src.Counters() {
		if c.Domain = slices.Index(o.from, c.Domain); c.Domain >= 0 {
			counters = append(counters, c)
		}
	}
	return counters
}

func (o *only) Close() error { return o.src.Close() }
