package runs

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is what kind of difference between two sets there is.
type Kind string

// The kinds, the gravest first.
const (
	DifferentSource      Kind = "source"      // joules are from different sources, or one side has none
	Estimate             Kind = "estimate"    // joules of both are from a model: it turns CPU time into joules and sees nothing else
	DifferentMachine     Kind = "machine"     // another processor, or another number of them, or virtual against real
	DifferentAttribution Kind = "attribution" // joules were shared out among functions in different ways
	Unknown              Kind = "unknown"     // a side does not tell its machine
	DifferentSetting     Kind = "setting"     // kernel, governor, events, version of energyprof
	DifferentCommand     Kind = "command"     // as far as the commands are known, and are not the two of one bench --ab
)

// Difference is a reason to doubt a comparison: of what the two sides have different values. Old and New are the same
// for an Estimate, and "unknown" for what a side does not tell.
type Difference struct {
	Kind     Kind
	What     string // "CPU", "kernel", ...
	Old, New string
}

func (d Difference) String() string {
	if d.Kind == Estimate {
		return "joules are estimated by a model, not measured"
	}
	return fmt.Sprintf("%s: %s, now %s", d.What, d.Old, d.New)
}

// Differences are the reasons to doubt a comparison of two sets, the gravest kind first. What is unknown on both sides
// is no difference but one of the kind Unknown, once.
func Differences(old, new *Set) []Difference {
	var d differences
	d.energy(old, new)
	if old.Manifest == nil || new.Manifest == nil {
		d.add(Unknown, "machine", tells(old), tells(new))
	} else {
		d.manifests(old.Manifest, new.Manifest)
	}
	d.differ(DifferentAttribution, "attribution", prevailing(old, func(r *amounts) string { return r.method }), prevailing(new, func(r *amounts) string { return r.method }))
	d.differ(DifferentAttribution, "static power", prevailing(old, func(r *amounts) string { return r.staticFrom }), prevailing(new, func(r *amounts) string { return r.staticFrom }))
	if !paired(old, new) { // or it is what is compared
		d.differ(DifferentCommand, "command", strings.Join(old.Command(), " "), strings.Join(new.Command(), " "))
	}
	order := []Kind{DifferentSource, Estimate, DifferentMachine, DifferentAttribution, Unknown, DifferentSetting, DifferentCommand}
	slices.SortStableFunc(d, func(a, b Difference) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	return d
}

type differences []Difference

func (d *differences) add(kind Kind, what, old, new string) {
	*d = append(*d, Difference{kind, what, old, new})
}

// differ adds a difference of what both sides know.
func (d *differences) differ(kind Kind, what, old, new string) {
	if old != new && old != "" && new != "" {
		d.add(kind, what, old, new)
	}
}

func (d *differences) energy(old, new *Set) {
	if old.Energy != new.Energy {
		d.add(DifferentSource, "joules", nameEnergy(old.Energy), nameEnergy(new.Energy))
	}
	if old.Estimated() && new.Estimated() {
		d.add(Estimate, "joules", nameEnergy(old.Energy), nameEnergy(new.Energy))
	}
	d.differ(DifferentSource, "source of energy", old.Source, new.Source)
	if old.Manifest == nil || new.Manifest == nil {
		return
	}
	if a, b := old.Manifest.Source.Domains, new.Manifest.Source.Domains; len(a) > 0 && len(b) > 0 && !equal(a, b) {
		d.add(DifferentSource, "domains of energy", strings.Join(a, ", "), strings.Join(b, ", "))
	}
}

func (d *differences) manifests(old, new *Manifest) {
	a, b := old.Machine, new.Machine
	count := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	d.differ(DifferentMachine, "CPU", a.CPU, b.CPU)
	d.differ(DifferentMachine, "number of CPUs", count(a.CPUs), count(b.CPUs))
	d.differ(DifferentMachine, "architecture", a.Architecture, b.Architecture)
	if a.Virtualization != b.Virtualization {
		d.add(DifferentMachine, "virtualization", cmp.Or(a.Virtualization, "none known"), cmp.Or(b.Virtualization, "none known"))
	}
	if a.CPU == "" || b.CPU == "" {
		d.add(Unknown, "CPU", cmp.Or(a.CPU, "unknown"), cmp.Or(b.CPU, "unknown"))
	}
	d.differ(DifferentSetting, "kernel", a.Kernel, b.Kernel)
	d.differ(DifferentSetting, "governor", a.Governor, b.Governor)
	d.differ(DifferentSetting, "events", old.Events, new.Events)
	d.differ(DifferentSetting, "energyprof", old.Tool, new.Tool)
	d.differ(DifferentAttribution, "--baseline", old.Attribution.Baseline, new.Attribution.Baseline)
	d.differ(DifferentAttribution, "--weight", cmp.Or(old.Attribution.Weight, "CPU time"), cmp.Or(new.Attribution.Weight, "CPU time"))
}

// tells is what a set tells of its machine.
func tells(s *Set) string {
	if s.Manifest == nil {
		return "unknown (no manifest)"
	}
	return cmp.Or(s.Manifest.Machine.CPU, "unknown")
}

// prevailing is the value that most runs have.
func prevailing(s *Set, of func(*amounts) string) string {
	count, best := map[string]int{}, ""
	for i := range s.runs {
		v := of(&s.runs[i])
		if count[v]++; count[v] > count[best] {
			best = v
		}
	}
	return best
}
