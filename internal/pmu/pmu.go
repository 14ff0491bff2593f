// Package pmu knows what this machine can count: the kernel's performance
// monitoring units (PMUs) as sysfs describes them, the CPUs they belong to, and
// the words a user names an event with, turned into the fields of struct
// perf_event_attr. The words are perf's: Parse says what an event is, ParseGroups
// what a list of events and groups of them is.
//
// Nothing here opens an event. The roots of sysfs and procfs are parameters, so
// a tree captured from another machine reads like this one.
package pmu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// FS reads one machine's sysfs and procfs.
type FS struct {
	sys, proc string
	lookup    func(name string) (spec string, ok bool)
}

// WithNames adds names to those that sysfs and perf-list(1) know: lookup gives
// the event of a name as pmu/terms/, as a table of the machine's events has it.
// A name known to sysfs stays what it is there.
func (f FS) WithNames(lookup func(name string) (spec string, ok bool)) FS {
	f.lookup = lookup
	return f
}

// NewFS takes the roots; an empty one means the real "/sys" or "/proc". tracefs
// is looked for below sys, at kernel/tracing and kernel/debug/tracing.
func NewFS(sys, proc string) FS {
	if sys == "" {
		sys = "/sys"
	}
	if proc == "" {
		proc = "/proc"
	}
	return FS{sys: sys, proc: proc}
}

// PMU is a directory of /sys/bus/event_source/devices.
type PMU struct {
	Name string
	Type uint32 // perf_event_attr.type; dynamic ones change from boot to boot
	// CPUs is the cpumask file (one CPU for each unit outside the core, and the
	// only ones it can be opened on) or the cpus file (every CPU that has this
	// kind of core). nil if there is neither: all CPUs.
	CPUs []int
	// Uncore: the PMU counts outside the cores. It has a cpumask, belongs to no
	// task (pid must be -1) and cannot sample. arm_spe has a cpumask, but is a
	// unit of the core (drivers/perf/arm_spe_pmu.c).
	Uncore bool
	Core   bool // its counters are those of the cores: cpu, cpu_core, armv8_pmuv3_0
	Format map[string]Field
	Events []Alias // sorted by name
	// Faults are the files below this PMU that make no sense or cannot be read.
	// The rest of it is usable.
	Faults []*fs.PathError
}

// Alias is an event that the kernel names, a file of the PMU's events directory
// (Documentation/ABI/testing/sysfs-bus-event_source-devices-events).
type Alias struct {
	Name  string
	Terms string  // "event=0x02,umask=0x1"
	Scale float64 // units per count; 0 if the kernel gives none
	Unit  string  // "Joules"; "" if the kernel gives none
}

func (f FS) devices() string { return filepath.Join(f.sys, "bus/event_source/devices") }

// names lists the PMUs in order of name, numbers by value.
func (f FS) names() ([]string, error) {
	entries, err := os.ReadDir(f.devices())
	if err != nil {
		return nil, fmt.Errorf("list the PMUs: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.SortFunc(names, compareInstances)
	return names, nil
}

// PMUs reads every PMU, in order of name; none where sysfs has no place for them, as in a container
// that hides it. One that cannot be read is left out and named in the error, which then comes
// together with the others.
func (f FS) PMUs() ([]PMU, error) {
	names, err := f.names()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pmus []PMU
	var errs []error
	for _, name := range names {
		p, err := f.PMU(name)
		switch {
		case errors.Is(err, ErrNoPMU): // unregistered since it was listed
		case err != nil:
			errs = append(errs, err)
		default:
			pmus = append(pmus, p)
		}
	}
	return pmus, errors.Join(errs...)
}

// PMU reads the PMU of exactly that name; ErrNoPMU if there is none.
func (f FS) PMU(name string) (PMU, error) {
	if name == "" || name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." {
		return PMU{}, fmt.Errorf("PMU %q: %w", name, ErrNoPMU)
	}
	dir := filepath.Join(f.devices(), name)
	number, err := os.ReadFile(filepath.Join(dir, "type"))
	if errors.Is(err, fs.ErrNotExist) {
		return PMU{}, fmt.Errorf("PMU %q: %w", name, ErrNoPMU)
	}
	if err != nil {
		return PMU{}, fmt.Errorf("PMU %q: %w", name, err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(number)), 10, 32)
	if err != nil {
		return PMU{}, fmt.Errorf("PMU %q: %s/type: %w", name, dir, err)
	}
	p := PMU{Name: name, Type: uint32(n), Core: name == "cpu", Format: map[string]Field{}}
	p.readCPUs(dir)
	p.readFormat(filepath.Join(dir, "format"))
	p.readEvents(filepath.Join(dir, "events"))
	return p, nil
}

// fault keeps a file that could not be used. A file that is not there is none.
func (p *PMU) fault(path string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var pathErr *fs.PathError
	if !errors.As(err, &pathErr) {
		pathErr = &fs.PathError{Op: "parse", Path: path, Err: err}
	}
	p.Faults = append(p.Faults, pathErr)
}

// faultOf finds the fault in a file or directory of one of these names; nil if there is none.
func (p *PMU) faultOf(names ...string) *fs.PathError {
	for _, fault := range p.Faults {
		if slices.Contains(names, filepath.Base(fault.Path)) {
			return fault
		}
	}
	return nil
}

func (p *PMU) readCPUs(dir string) {
	for _, name := range []string{"cpumask", "cpus"} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			p.fault(path, err)
			continue
		}
		p.Uncore = name == "cpumask" && !strings.HasPrefix(p.Name, "arm_spe_")
		p.Core = name == "cpus"
		if p.CPUs, err = ParseCPUList(string(text)); err != nil {
			p.fault(path, err)
		}
		return
	}
}

func (p *PMU) readFormat(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		p.fault(dir, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			p.fault(path, err)
			continue
		}
		field, err := parseField(string(text))
		if err != nil {
			p.fault(path, err)
			continue
		}
		p.Format[e.Name()] = field
	}
}

// readEvents reads the aliases. The files beside them that qualify an event
// (.scale, .unit, .per-pkg, .snapshot) are no events of their own.
func (p *PMU) readEvents(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		p.fault(dir, err)
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".scale", ".unit", ".per-pkg", ".snapshot":
			continue
		}
		path := filepath.Join(dir, e.Name())
		terms, err := os.ReadFile(path)
		if err != nil {
			p.fault(path, err)
			continue
		}
		a := Alias{Name: e.Name(), Terms: strings.TrimSpace(string(terms))}
		if unit, err := os.ReadFile(path + ".unit"); err != nil {
			p.fault(path+".unit", err)
		} else {
			a.Unit = strings.TrimSpace(string(unit))
		}
		if a.Scale, err = readScale(path + ".scale"); err != nil {
			// Without its scale the event would pass for one in plain counts.
			p.fault(path, err)
			continue
		}
		p.Events = append(p.Events, a)
	}
}

// readScale reads a factor such as 2.3283064365386962890625e-10; 0 if there is no file.
func readScale(path string) (float64, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	scale, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil || !(scale > 0) || scale > 1e300 {
		return 0, &fs.PathError{Op: "parse", Path: path, Err: fmt.Errorf("%q is no positive scale", strings.TrimSpace(string(text)))}
	}
	return scale, nil
}

// alias finds an event of the PMU by name; as in perf, in upper or lower case.
func (p *PMU) alias(name string) (Alias, bool) {
	i, ok := slices.BinarySearchFunc(p.Events, name, func(a Alias, name string) int { return strings.Compare(a.Name, name) })
	if !ok {
		i = slices.IndexFunc(p.Events, func(a Alias) bool { return strings.EqualFold(a.Name, name) })
	}
	if i < 0 {
		return Alias{}, false
	}
	return p.Events[i], true
}
