package uncore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Member is an event of a group, for CheckGroup.
type Member struct {
	Name   string // as the user wrote it
	PMU    string // the box that counts it: "uncore_cxlcm_0"
	Config uint64 // perf_event_attr.config
}

// CrowdError says why a group can never count: more of its events want the
// same counters of a box than there are.
type CrowdError struct {
	PMU      string
	Events   []string // the events that are in each other's way
	Counters []int    // all that can count them
}

// Error names them.
func (e *CrowdError) Error() string {
	return fmt.Sprintf("the group can never be counted: %s want counters %s of %s, and there are %d events for %d counters",
		strings.Join(e.Events, ", "), pmu.FormatCPUList(e.Counters), e.PMU, len(e.Events), len(e.Counters))
}

// CheckGroup tells in advance that the events of a group can never be counted
// together, as a *CrowdError; nil if nothing is known against it. The kernel
// says EINVAL and no more. What it goes by are the counters of the tables in
// force: for CXLCM those that the kernel has, too
// (arch/x86/events/intel/uncore_snbep.c, spr_uncore_cxlcm_constraints: events
// 0x02 and 0x05 on counters 0-3; 0x40 to 0x43, 0x4b and 0x52 on 4-7).
func (m Machine) CheckGroup(members []Member) error {
	byPMU := map[string][]Member{}
	var pmus []string
	for _, member := range members {
		if len(byPMU[member.PMU]) == 0 {
			pmus = append(pmus, member.PMU)
		}
		byPMU[member.PMU] = append(byPMU[member.PMU], member)
	}
	tables := m.tables()
	for _, name := range pmus {
		var names []string
		var counters [][]int
		for _, member := range byPMU[name] {
			if c := countersOf(tables, kindOf(name), member.Config); c != nil {
				names = append(names, member.Name)
				counters = append(counters, c)
			}
		}
		if events, all := crowd(counters); events != nil {
			e := &CrowdError{PMU: name, Counters: all}
			for _, i := range events {
				e.Events = append(e.Events, names[i])
			}
			return e
		}
	}
	return nil
}

// countersOf is what the tables say about an event of a kind of box, by its
// code, or by the code without the unit mask where all of that code agree; nil
// if they say nothing.
func countersOf(tables []*Table, kind string, config uint64) []int {
	for _, t := range tables {
		t.indexCodes()
		if c, ok := t.codes[code{kind, config & 0xffff}]; ok {
			return c
		}
		if c, ok := t.codes[code{kind, config&0xff | anyMask}]; ok {
			return c
		}
	}
	return nil
}

// code is an event of a kind of box as event and umask; anyMask stands for
// every umask.
type code struct {
	kind   string
	config uint64
}

const anyMask = 1 << 63

// indexCodes finds the counters of each code. Where entries of one code
// disagree, as those that differ in more than event and umask may, there are none.
func (t *Table) indexCodes() {
	t.coded.Do(func() {
		t.codes = map[code][]int{}
		for _, e := range t.entries {
			config, ok := eventCode(e.Terms)
			if !ok || e.Unusable != "" {
				continue
			}
			for _, key := range []code{{e.PMU, config}, {e.PMU, config&0xff | anyMask}} {
				known, seen := t.codes[key]
				if !seen {
					t.codes[key] = e.Counters
				} else if !slices.Equal(known, e.Counters) {
					t.codes[key] = nil
				}
			}
		}
	})
}

// eventCode is umask<<8|event of terms that begin with these.
func eventCode(terms string) (uint64, bool) {
	var config uint64
	isCode := false
	for term := range strings.SplitSeq(terms, ",") {
		name, value, _ := strings.Cut(term, "=")
		n, err := strconv.ParseUint(value, 0, 64)
		switch {
		case err != nil:
		case name == "event" && n <= 0xff:
			config |= n
			isCode = true
		case name == "umask":
			config |= n & 0xff << 8
		}
	}
	return config, isCode
}

// crowd finds events that want fewer counters than they are, given the counters
// that each can have; nil if all can be placed at once. It is bipartite matching
// by augmenting paths: what a failed search has visited is such a set (Hall).
func crowd(counters [][]int) (events, all []int) {
	holder := map[int]int{} // counter -> event
	var place func(event int, tried map[int]bool) bool
	place = func(event int, tried map[int]bool) bool {
		for _, c := range counters[event] {
			if tried[c] {
				continue
			}
			tried[c] = true
			other, taken := holder[c]
			if !taken || place(other, tried) {
				holder[c] = event
				return true
			}
		}
		return false
	}
	for event := range counters {
		tried := map[int]bool{}
		if place(event, tried) {
			continue
		}
		events = []int{event}
		for c := range tried {
			events = append(events, holder[c])
			all = append(all, c)
		}
		slices.Sort(events)
		slices.Sort(all)
		return events, all
	}
	return nil, nil
}
