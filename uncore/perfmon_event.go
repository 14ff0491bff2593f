package uncore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// text is a field's value, "" if it says that there is none. Intel's files have
// several words for that (scripts/create_perf_json.py of github.com/intel/perfmon).
func (p perfmonEvent) text(field string) string {
	switch s := string(p[field]); strings.ToLower(s) {
	case "na", "null", "tbd", "n/a":
		return ""
	default:
		return s
	}
}

// number reads hex digits behind 0x or decimal ones, of a list the first; 0 if
// the field is not there. Of bits that a field has not, as "1" of a flag, the
// kernel's format tells when the event is used.
func (p perfmonEvent) number(field string) (uint64, error) {
	s := p.text(field)
	if s == "" {
		return 0, nil
	}
	first, _, _ := strings.Cut(s, ",")
	first = strings.TrimSpace(first)
	digits, base := first, 10
	if len(first) > 2 && (first[:2] == "0x" || first[:2] == "0X") {
		digits, base = first[2:], 16
	} else if field == "EventCode" || field == "UMask" || field == "UMaskExt" || field == "MSRIndex" {
		base = 16 // codes are hex, with or without 0x
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return 0, fmt.Errorf("%s %q is no number", field, s)
	}
	return n, nil
}

// entry makes the entry of one event. The error begins with the event's name.
func (p perfmonEvent) entry() (Entry, error) {
	name, err := p.name()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Name: name, Unit: p.text("Unit"), PMU: unitPMU(p.text("Unit"), name), Brief: p.brief(),
		Deprecated: p.text("Deprecated") == "1",
		Precise:    p.flag("PEBS") || p.flag("Precise"),
	}
	if strings.ContainsFunc(e.PMU, isSyntax) {
		return Entry{}, fmt.Errorf("%s: Unit %q is no name of a unit", name, e.Unit)
	}
	if errata := p.text("Errata"); errata != "" && errata != "0" {
		e.doubt("errata " + errata)
	}
	p.counters(&e)
	if strings.EqualFold(p.text("CounterType"), "FREERUN") {
		e.PMU += "_free_running"
		e.Unusable = "a free-running counter, whose code depends on the driver: the kernel names it among the events of PMU " + e.PMU
		return e, nil
	}
	t, err := p.terms(&e)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: %w", name, err)
	}
	e.Terms = t
	return e, nil
}

// name also turns the two forms that old files have for offcore responses into
// one without colons, as perf has it.
func (p perfmonEvent) name() (string, error) {
	name := p.text("EventName")
	if request, ok := strings.CutPrefix(name, "OFFCORE_RESPONSE:request="); ok {
		name = "OFFCORE_RESPONSE." + strings.Replace(request, ":response=", ".", 1)
	}
	if name == "" {
		return "", errors.New("EventName is missing")
	}
	if i := strings.IndexFunc(name, isSyntax); i >= 0 {
		return "", fmt.Errorf("EventName %q has a character that no event can have: %q", name, name[i:])
	}
	return name, nil
}

// isSyntax are the characters that mean something in a list of events.
func isSyntax(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune("/,{}:", r)
}

func (p perfmonEvent) brief() string {
	text := p.text("BriefDescription")
	if text == "" {
		text = p.text("PublicDescription")
	}
	if text == "" {
		text = p.text("Description")
	}
	return strings.Join(strings.Fields(text), " ")
}

// flag is a field that is 0 or not: "1", and "2" of PEBS.
func (p perfmonEvent) flag(field string) bool {
	n, err := p.number(field)
	return err == nil && n != 0
}

// counters takes "0,1,2,3", "Fixed counter 1" and "FIXED". Other words, as of
// hybrid files, say nothing.
func (p perfmonEvent) counters(e *Entry) {
	text := p.text("Counter")
	e.Fixed = strings.HasPrefix(strings.ToLower(text), "fixed")
	if counters, err := parseCounters(text); err == nil {
		e.Counters = counters
	}
}

// coreFixed are the codes of the core's fixed counters whose number in the files
// is not what the kernel wants, as perf's build has them (jevents.py, real_event):
// those of the programmable counters, and the kernel's own 0x0300 for reference
// cycles, of which the files of Nehalem have a code of zeros.
var coreFixed = map[string]string{
	"inst_retired.any":            "event=0xc0",
	"cpu_clk_unhalted.ref":        "event=0x0,umask=0x3",
	"cpu_clk_unhalted.thread":     "event=0x3c",
	"cpu_clk_unhalted.thread_any": "event=0x3c",
	"cpu_clk_unhalted.core":       "event=0x3c",
}
