package uncore

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Machine is where events are looked for. The zero value is this machine.
type Machine struct {
	// Sys and Proc are the roots of sysfs and procfs; "" means "/sys" and "/proc".
	Sys, Proc string
	// Platform chooses the built-in table, "SPR"; "" takes what /proc/cpuinfo says.
	Platform string
	// Tables are the user's event files, looked up before the built-in table.
	Tables []*Table
}

func (m Machine) fs() pmu.FS { return pmu.NewFS(m.Sys, m.Proc) }

// models are the processors whose events are built in, by CPUID model of
// Intel's family 6 (arch/x86/include/asm/intel-family.h: SAPPHIRERAPIDS_X,
// EMERALDRAPIDS_X, GRANITERAPIDS_X and _D), under the names of Intel's event files.
var models = map[int]string{0x8f: "SPR", 0xcf: "EMR", 0xad: "GNR", 0xae: "GNR"}

// platform is the name of the built-in table that is in force; "" for none.
func (m Machine) platform() string {
	if m.Platform != "" {
		return strings.ToUpper(m.Platform)
	}
	vendor, family, model := m.processor()
	if vendor != "GenuineIntel" || family != 6 {
		return ""
	}
	return models[model]
}

// processor is what /proc/cpuinfo says of the first CPU; "" and zeros where it
// says something else, as on arm64.
func (m Machine) processor() (vendor string, family, model int) {
	f, err := os.Open(filepath.Join(cmp.Or(m.Proc, "/proc"), "cpuinfo"))
	if err != nil {
		return "", 0, 0
	}
	defer f.Close()
	// The kernel makes the text while it is read: of hundreds of CPUs the first will do.
	head, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", 0, 0
	}
	for line := range strings.Lines(string(head)) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			break
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "vendor_id":
			vendor = value
		case "cpu family":
			family, _ = strconv.Atoi(value)
		case "model":
			model, _ = strconv.Atoi(value)
		}
	}
	return vendor, family, model
}

// tables are all in force, the user's first. What of the built-in ones cannot be read is told by Why.
func (m Machine) tables() []*Table {
	tables := slices.Clone(m.Tables)
	all, _ := Builtin()
	platform := m.platform()
	for _, t := range all {
		if t.Platform == platform {
			tables = append(tables, t)
		}
	}
	return tables
}

// Lookup finds an event by name, in the user's tables and then in the built-in
// one of the platform. An entry that the kernel cannot be asked for is not found:
// Why says so.
func (m Machine) Lookup(name string) (Entry, bool) {
	for _, t := range m.tables() {
		if e, ok := t.Lookup(name); ok && e.Unusable == "" {
			return e, true
		}
	}
	return Entry{}, false
}

// Why says what is known of a name that Lookup does not find; "" if nothing is.
func (m Machine) Why(name string) string {
	for _, t := range m.tables() {
		if e, ok := t.Lookup(name); ok && e.Unusable != "" {
			return e.Unusable
		}
	}
	all, err := Builtin()
	if err != nil {
		return err.Error()
	}
	var others []string
	for _, t := range all {
		if _, ok := t.Lookup(name); ok {
			others = append(others, t.Platform)
		}
	}
	if len(others) == 0 {
		return ""
	}
	here := "this processor is none that the built-in tables know"
	if p := m.platform(); p != "" {
		here = "this one is " + p
	}
	return fmt.Sprintf("an event of %s, and %s", strings.Join(others, ", "), here)
}

// Search finds events whose name or brief matches, of all tables in force, in
// order of name within each. A name that an earlier table has is left out.
func (m Machine) Search(pattern *regexp.Regexp) []Entry {
	var found []Entry
	tables := m.tables()
	for i, t := range tables {
	entries:
		for _, e := range t.Search(pattern) {
			for _, before := range tables[:i] {
				if _, taken := before.Lookup(e.Name); taken {
					continue entries
				}
			}
			found = append(found, e)
		}
	}
	return found
}
