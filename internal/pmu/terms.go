package pmu

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// parsePMU reads name/body, where body is terms/modifiers.
func (f FS) parsePMU(name, body string) ([]Event, error) {
	name = strings.TrimSpace(name)
	terms, modifiers, closed := strings.Cut(body, "/")
	if !closed {
		return nil, refuse("/"+body, nil, "the closing / is missing")
	}
	pmus, bad := f.instances(name)
	if bad != nil {
		return nil, bad
	}
	var level Event
	if modifiers != "" {
		if bad := level.modify(strings.TrimPrefix(modifiers, ":")); bad != nil {
			return nil, bad
		}
	}
	events := make([]Event, 0, len(pmus))
	for _, p := range pmus {
		ev := level
		if bad := p.encode(terms, &ev); bad != nil {
			return nil, bad
		}
		events = append(events, ev)
	}
	return events, nil
}

// instances finds the PMUs a name stands for: the one that has it or, if there
// is none, every numbered one (imc for uncore_imc_0 and uncore_imc_1).
func (f FS) instances(name string) ([]PMU, *EventError) {
	names, err := f.names()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, refuse(name, fmt.Errorf("%w: %w", ErrNoPMU, err), "no such PMU: %v", err)
		}
		return nil, refuse(name, err, "%v", err)
	}
	var pmus []PMU
	for _, n := range names {
		if n != name && (slices.Contains(names, name) || !isInstance(n, name)) {
			continue
		}
		p, err := f.PMU(n)
		if err != nil {
			return nil, refuse(name, err, "%v", err)
		}
		if fault := p.faultOf("cpumask", "cpus"); fault != nil {
			// No CPUs would pass for all of them.
			return nil, refuse(name, fault, "PMU %s: %v", n, fault)
		}
		pmus = append(pmus, p)
	}
	if len(pmus) == 0 {
		return nil, refuse(name, ErrNoPMU, "no such PMU; there are %s", enumerate(names))
	}
	return pmus, nil
}

// isInstance says whether device is one of several units called base: base_3, or
// base_2b442 where drivers number by address. "uncore_" in front may be left out.
func isInstance(device, base string) bool {
	if base == "" {
		return false
	}
	if device == "uncore_"+base {
		return true
	}
	suffix, ok := strings.CutPrefix(device, base+"_")
	if !ok {
		suffix, ok = strings.CutPrefix(device, "uncore_"+base+"_")
	}
	if !ok || suffix == "" {
		return false
	}
	if strings.Trim(suffix, "0123456789") == "" {
		return true
	}
	return len(suffix) >= 3 && strings.Trim(suffix, "0123456789abcdef") == ""
}

// compareInstances puts unit_2 before unit_10.
func compareInstances(a, b string) int {
	baseA, baseB := strings.TrimRight(a, "0123456789"), strings.TrimRight(b, "0123456789")
	if baseA == baseB && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// term is one piece of an event between slashes: name or name=value.
type term struct {
	name     string
	value    uint64
	hasValue bool
	asks     bool // name=? in an alias: the user must give the value
}

// parseTerms reads terms separated by commas. Only an alias may have name=?.
func parseTerms(s string, inAlias bool) ([]term, *EventError) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var terms []term
	for piece := range strings.SplitSeq(s, ",") {
		piece = strings.TrimSpace(piece)
		name, value, hasValue := strings.Cut(piece, "=")
		t := term{name: strings.TrimSpace(name), value: 1, hasValue: hasValue}
		value = strings.TrimSpace(value)
		switch {
		case t.name == "":
			return nil, refuse(s, nil, "a term is empty")
		case !hasValue:
		case value == "?" && inAlias:
			t.asks = true
		case value == "?" || value == "":
			return nil, refuse(piece, nil, "a value is needed")
		default:
			var ok bool
			if t.value, ok = parseNumber(value); !ok {
				return nil, refuse(piece, nil, "a value is decimal, or 0x and hex digits, of at most 64 bits")
			}
		}
		if slices.ContainsFunc(terms, func(o term) bool { return o.name == t.name }) {
			return nil, refuse(t.name, nil, "given twice")
		}
		terms = append(terms, t)
	}
	return terms, nil
}

// encode turns terms into the config words and copies what the PMU says of
// itself. As perf does it, config= sets a whole word before any field; a field
// the user names replaces that of the alias beside it.
func (p *PMU) encode(body string, ev *Event) *EventError {
	terms, bad := parseTerms(body, false)
	if bad != nil {
		return bad
	}
	var alias Alias
	var given []term
	for _, t := range terms {
		if t.hasValue {
			given = append(given, t)
			continue
		}
		found, isAlias := p.findAlias(t.name)
		_, isField := p.Format[t.name]
		switch {
		case isAlias && alias.Name != "":
			return refuse(t.name, nil, "two events in one; %s is the other", alias.Name)
		case isAlias:
			alias = found
		case isField:
			given = append(given, t)
		default:
			raw, isRaw, bad := parseRaw(t.name)
			if bad != nil {
				return bad
			}
			if !isRaw {
				return p.unknownTerm(t.name)
			}
			if slices.ContainsFunc(append(terms, given...), func(o term) bool { return o.name == "config" }) {
				return refuse(t.name, nil, "config is given twice")
			}
			given = append(given, term{name: "config", value: raw.Config, hasValue: true})
		}
	}
	preset, bad := p.aliasTerms(alias, given)
	if bad != nil {
		return bad
	}
	var words [Words]uint64
	// Whole words first: they would wipe out the fields.
	for _, list := range [][]term{preset, given} {
		for _, t := range list {
			if word, ok := p.wholeWord(t.name); ok {
				words[word] = t.value
			}
		}
	}
	for _, list := range [][]term{preset, given} {
		for _, t := range list {
			if _, ok := p.wholeWord(t.name); ok {
				continue
			}
			field, ok := p.Format[t.name]
			if !ok {
				return p.unknownTerm(t.name)
			}
			if err := field.Put(&words, t.value); err != nil {
				return refuse(t.name, nil, "%v", err)
			}
		}
	}
	ev.PMU, ev.Type, ev.CPUs, ev.Uncore = p.Name, p.Type, slices.Clone(p.CPUs), p.Uncore
	ev.Config, ev.Config1, ev.Config2, ev.Config3, ev.Config4 = words[0], words[1], words[2], words[3], words[4]
	ev.Scale, ev.Unit = alias.Scale, alias.Unit
	return nil
}

// wholeWord knows config, config1, ... unless the PMU has a field of that name.
func (p *PMU) wholeWord(name string) (int, bool) {
	if _, isField := p.Format[name]; isField {
		return 0, false
	}
	return wordIndex(name)
}

// findAlias also takes the second names of hardware events: cpu/cycles/ is
// x86's cpu/cpu-cycles/.
func (p *PMU) findAlias(name string) (Alias, bool) {
	if a, ok := p.alias(name); ok {
		return a, true
	}
	if id, ok := indexOf(hardware[:], name); ok {
		return p.alias(hardware[id][0])
	}
	return Alias{}, false
}

// aliasTerms reads the terms behind an alias. Those that ask for a value
// (core=?) must be among what the user gave.
func (p *PMU) aliasTerms(alias Alias, given []term) ([]term, *EventError) {
	terms, bad := parseTerms(alias.Terms, true)
	if bad != nil {
		return nil, refuse(alias.Name, nil, "the kernel's terms for it, %q, make no sense: %q: %s", alias.Terms, bad.Part, bad.Reason)
	}
	preset := terms[:0]
	for _, t := range terms {
		if !t.asks {
			preset = append(preset, t)
			continue
		}
		if !slices.ContainsFunc(given, func(g term) bool { return g.name == t.name && g.hasValue }) {
			return nil, refuse(alias.Name, nil, "this event needs %s=VALUE%s", t.name, p.rangeOf(t.name))
		}
	}
	return preset, nil
}

func (p *PMU) rangeOf(name string) string {
	if field, ok := p.Format[name]; ok {
		return ", 0-" + "0x" + strconv.FormatUint(field.Max(), 16)
	}
	return ""
}

// unknownTerm tells what there is instead, or that the file of that name is at fault.
func (p *PMU) unknownTerm(name string) *EventError {
	if fault := p.faultOf(name, name+".scale", "format", "events"); fault != nil {
		return refuse(name, fault, "PMU %s: %v", p.Name, fault)
	}
	aliases := make([]string, len(p.Events))
	for i, a := range p.Events {
		aliases[i] = a.Name
	}
	return refuse(name, ErrNoEvent, "PMU %s has no such event or field; events: %s; fields: %s",
		p.Name, enumerate(aliases), enumerate(slices.Sorted(maps.Keys(p.Format))))
}
