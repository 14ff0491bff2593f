package pmu

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// parsePMU reads what is between the slashes of a PMU, for each instance of it.
func (f FS) parsePMU(name, terms string) ([]parsed, *EventError) {
	pmus, bad := f.instances(name)
	if bad != nil {
		return nil, bad
	}
	pattern := isPattern(name) && (len(pmus) > 1 || pmus[0].Name != name)
	var events []parsed
	var first *EventError
	for _, p := range pmus {
		var ev parsed
		bad := f.encode(&p, terms, &ev)
		switch {
		case bad == nil:
			events = append(events, ev)
		case !pattern:
			return nil, bad
		case first == nil:
			first = bad // A pattern also matches PMUs that have no such event.
		}
	}
	if len(events) == 0 {
		return nil, first
	}
	return events, nil
}

// term is one piece of an event between slashes: name or name=value.
type term struct {
	name     string
	text     string // the value without its quotes
	hasValue bool
	asks     bool // name=? in an alias: the user must give the value
}

// parseTerms reads terms separated by commas. Only an alias may have name=?.
func parseTerms(s string, inAlias bool) ([]term, *EventError) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var terms []term
	for rest, more := s, true; more; {
		piece := rest
		comma := indexUnquoted(rest, ',')
		if more = comma >= 0; more {
			piece, rest = rest[:comma], rest[comma+1:]
		}
		piece = strings.TrimSpace(piece)
		name, value, hasValue := strings.Cut(piece, "=")
		t := term{name: strings.TrimSpace(name), text: strings.TrimSpace(value), hasValue: hasValue}
		switch {
		case t.name == "":
			return nil, refuse(s, nil, "a term is empty")
		case t.text == "?" && inAlias:
			t.asks = true
		case hasValue && (t.text == "?" || t.text == ""):
			return nil, refuse(piece, nil, "a value is needed")
		}
		if quoted, ok := strings.CutPrefix(t.text, "'"); ok {
			if t.text, ok = strings.CutSuffix(quoted, "'"); !ok || strings.Contains(t.text, "'") || t.name != "name" {
				return nil, refuse(piece, nil, "a value in quotes is that of name=, with one ' before and one behind")
			}
		}
		if slices.ContainsFunc(terms, func(o term) bool { return o.name == t.name }) {
			return nil, refuse(t.name, nil, "given twice")
		}
		terms = append(terms, t)
	}
	return terms, nil
}

// number is the term's value.
func (t term) number() (uint64, *EventError) {
	if !t.hasValue {
		return 0, refuse(t.name, nil, "a value is needed")
	}
	n, ok := parseNumber(t.text)
	if !ok {
		return 0, refuse(t.name+"="+t.text, nil, "a value is decimal, or 0x and hex digits, of at most 64 bits")
	}
	return n, nil
}

// encode turns terms into the config words and copies what the PMU says of
// itself. As perf does it, config= sets a whole word before any field; a field
// the user names replaces that of the alias beside it, and config= has the bits
// that the alias leaves.
func (f FS) encode(p *PMU, body string, ev *parsed) *EventError {
	terms, bad := parseTerms(body, false)
	if bad != nil {
		return bad
	}
	if terms, bad = p.generalTerms(terms, &ev.Event); bad != nil {
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
		if !isAlias && !isField {
			found, isAlias = f.tabled(p, t.name)
		}
		switch {
		case isAlias && alias.Name != "":
			return refuse(t.name, nil, "two events in one; %s is the other", alias.Name)
		case isAlias:
			alias = found
		case isField:
			given = append(given, t)
		default:
			raw, isRaw, bad := parseRaw(strings.Replace(t.name, "r0x", "r", 1))
			if bad != nil {
				return bad
			}
			if named, ok := lookupName(t.name); ok && p.Core && generic(&named) && len(terms) == 1 {
				ev.ofKind(named, p)
				return nil
			}
			if !isRaw {
				return p.unknownTerm(t.name)
			}
			if slices.ContainsFunc(append(terms, given...), func(o term) bool { return o.name == "config" }) {
				return refuse(t.name, nil, "config is given twice")
			}
			given = append(given, term{name: "config", text: strconv.FormatUint(raw.Config, 10), hasValue: true})
		}
	}
	preset, bad := p.aliasTerms(alias, given)
	if bad != nil {
		return bad
	}
	words, bad := p.pack(preset, given)
	if bad != nil {
		return bad
	}
	ev.Type = p.Type
	for i, word := range ev.words() {
		*word = words[i]
	}
	ev.Scale, ev.Unit, ev.Alias = alias.Scale, alias.Unit, alias.Name
	ev.of(p)
	return nil
}

// of copies what the PMU says of all of its events.
func (ev *parsed) of(p *PMU) {
	ev.PMU, ev.CPUs, ev.Uncore, ev.core = p.Name, slices.Clone(p.CPUs), p.Uncore, p.Core
	ev.excludeGuest(p)
}

// ofKind makes a generic event one of this PMU of the cores. The kernel takes
// the number of one of several in the upper half of the config.
func (ev *parsed) ofKind(named Event, p *PMU) {
	ev.Type, ev.Config = named.Type, named.Config
	if p.CPUs != nil {
		ev.Config |= uint64(p.Type) << 32
	}
	ev.of(p)
}

// pack puts the terms of an alias and the user's into the config words.
func (p *PMU) pack(preset, given []term) (words [Words]uint64, bad *EventError) {
	var taken [Words]uint64 // the bits that are the alias's
	for _, pass := range []struct {
		terms        []term
		whole, alias bool
	}{{preset, true, true}, {preset, false, true}, {given, true, false}, {given, false, false}} { // whole words would wipe out the fields
		for _, t := range pass.terms {
			word, isWhole := p.wholeWord(t.name)
			if isWhole != pass.whole {
				continue
			}
			field, isField := p.Format[t.name]
			if !isWhole && !isField {
				return words, p.unknownTerm(t.name)
			}
			value := uint64(1)
			if t.hasValue || isWhole || field.Max() > 1 {
				if value, bad = t.number(); bad != nil {
					if isField {
						bad.Reason += " (" + field.span() + ")"
					}
					return words, bad
				}
			}
			mask := ^uint64(0)
			if isWhole {
				if clash := value & taken[word]; clash != 0 && clash != words[word] {
					return words, refuse(t.name+"="+t.text, nil, "the event beside it sets the same bits: %s=%#x", t.name, words[word])
				}
				words[word] |= value
			} else if err := field.Put(&words, value); err != nil {
				return words, refuse(t.name, nil, "%v", err)
			} else {
				word, mask = field.Word, field.Mask
			}
			if pass.alias {
				taken[word] |= mask
			}
		}
	}
	return words, nil
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

// tabled finds an event of the user's tables, see WithNames, that is of this PMU.
func (f FS) tabled(p *PMU, name string) (Alias, bool) {
	if f.lookup == nil {
		return Alias{}, false
	}
	spec, ok := f.lookup(name)
	if !ok {
		return Alias{}, false
	}
	unit, terms, _, hasTerms, closed := cutTerms(spec)
	// Tables of one kind of core call it cpu, the kernel cpu_core or cpu_atom.
	itsCore := unit == "cpu" && p.Core
	if !hasTerms || !closed || !itsCore && p.Name != unit && !isInstance(p.Name, unit) && p.Name != "uncore_"+unit && !matches(unit, p.Name) {
		return Alias{}, false
	}
	return Alias{Name: name, Terms: terms}, true
}

// aliasTerms reads the terms behind an alias. Those that ask for a value
// (core=?) must be among what the user gave.
func (p *PMU) aliasTerms(alias Alias, given []term) ([]term, *EventError) {
	terms, bad := parseTerms(alias.Terms, true)
	for _, t := range terms {
		if t.hasValue && !t.asks && bad == nil {
			_, bad = t.number()
		}
	}
	if bad != nil {
		return nil, refuse(alias.Name, nil, "the terms for it, %q, make no sense: %q: %s", alias.Terms, bad.Part, bad.Reason)
	}
	preset := terms[:0]
	for _, t := range terms {
		if !t.asks {
			preset = append(preset, t)
			continue
		}
		if !slices.ContainsFunc(given, func(g term) bool { return g.name == t.name && g.hasValue }) {
			needs := fmt.Sprintf("this event needs %s=VALUE", t.name)
			if field, ok := p.Format[t.name]; ok {
				needs += ", " + field.span()
			}
			return nil, refuse(alias.Name, nil, "%s", needs)
		}
	}
	return preset, nil
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
