package uncore

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Entry is an event that a table knows.
type Entry struct {
	Name     string // as its maker writes it: "UNC_CXLCM_RxC_PACK_BUF_INSERTS.MEM_DATA"
	Platform string // "SPR", or what the file says of itself
	Unit     string // the unit as the maker calls it: "CXLCM"; "" for an event of the core
	PMU      string // the PMU's name in sysfs without the number of the box: "uncore_cxlcm", "cpu"
	Terms    string // what goes between the slashes: "event=0x41,umask=0x10"
	Brief    string // one line of the maker's documentation
	// Counters are the numbers of the counters that can count it; nil if the
	// table does not say. An event that has a counter of its own, which takes no
	// other's place, has none: Fixed.
	Counters []int
	Fixed    bool
	// Doubt says what about the event is documented inconsistently; "" if nothing.
	Doubt string
	// Unusable says why the kernel cannot be asked for it; "" if it can.
	Unusable   string
	Deprecated bool
	Precise    bool // it can be sampled with precise_ip
}

// Spec is the entry as an event that sysfs alone is enough to read:
// "uncore_cxlcm/event=0x41,umask=0x10/".
func (e Entry) Spec() string { return e.PMU + "/" + e.Terms + "/" }

// Table is a list of events by name.
type Table struct {
	Name     string // what to call it in messages: a file, or "Intel perfmon SPR 1.39"
	Platform string // "SPR"; "" if it does not say
	entries  []Entry
	index    map[string]int // by lower-case name

	coded sync.Once
	codes map[code][]int // counters by code, once indexCodes has run
}

// Lookup finds an event by name. Upper and lower case are the same, as to perf.
func (t *Table) Lookup(name string) (Entry, bool) {
	i, ok := t.index[strings.ToLower(name)]
	if !ok {
		return Entry{}, false
	}
	return t.entries[i], true
}

// Search gives the entries whose name or brief matches, in order of name.
func (t *Table) Search(pattern *regexp.Regexp) []Entry {
	var found []Entry
	for _, e := range t.entries {
		if pattern.MatchString(e.Name) || pattern.MatchString(e.Brief) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// add keeps an entry; false if the name is taken.
func (t *Table) add(e Entry) bool {
	key := strings.ToLower(e.Name)
	if _, taken := t.index[key]; taken {
		return false
	}
	if t.index == nil {
		t.index = map[string]int{}
	}
	t.index[key] = len(t.entries)
	t.entries = append(t.entries, e)
	return true
}
