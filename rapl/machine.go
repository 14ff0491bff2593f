package rapl

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Machine says where to look: the roots of sysfs, procfs and /dev. Empty fields
// mean the real ones. A captured tree of another machine reads like this one,
// apart from perf events, which are always this kernel's.
type Machine struct {
	Sys, Proc, Dev string

	survey *survey
}

// survey keeps what is known of a machine while all kinds of source are tried: on a large
// server its topology is thousands of files.
type survey struct {
	processor func() (processor, error)
	online    func() ([]pmu.CPU, error)
}

// surveyed is the machine as it is now: what is asked of it several times is read once.
func (m Machine) surveyed() Machine {
	m.survey = &survey{processor: sync.OnceValues(m.readProcessor), online: sync.OnceValues(m.readOnline)}
	return m
}

func (m Machine) sys(name ...string) string {
	return filepath.Join(cmp.Or(m.Sys, "/sys"), filepath.Join(name...))
}

func (m Machine) proc(name ...string) string {
	return filepath.Join(cmp.Or(m.Proc, "/proc"), filepath.Join(name...))
}

func (m Machine) dev(name ...string) string {
	return filepath.Join(cmp.Or(m.Dev, "/dev"), filepath.Join(name...))
}

func (m Machine) pmus() pmu.FS { return pmu.NewFS(m.Sys, m.Proc) }

// text reads a one-line file of sysfs.
func text(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

// processor is what /proc/cpuinfo says of the first CPU. The energy counters
// are those of its family and model; mixed packages do not exist on x86.
type processor struct {
	vendor        string // "GenuineIntel", "AuthenticAMD", "HygonGenuine"; "" elsewhere than on x86
	name          string // "model name"
	family, model int
	stepping      int
	flags         map[string]bool
}

// processor is the first CPU.
func (m Machine) processor() (processor, error) {
	if m.survey != nil {
		return m.survey.processor()
	}
	return m.readProcessor()
}

// readProcessor reads /proc/cpuinfo. A file that is missing or foreign (arm64 has
// other keys) gives a processor without a vendor.
func (m Machine) readProcessor() (processor, error) {
	b, err := os.ReadFile(m.proc("cpuinfo"))
	if err != nil {
		return processor{}, fmt.Errorf("what processor this is: %w", err)
	}
	p := processor{flags: map[string]bool{}}
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			if p.vendor != "" {
				break // the next processor begins behind an empty line
			}
			continue
		}
		switch key {
		case "vendor_id":
			p.vendor = value
		case "model name":
			p.name = value
		case "cpu family":
			p.family, err = strconv.Atoi(value)
		case "model":
			p.model, err = strconv.Atoi(value)
		case "stepping":
			p.stepping, _ = strconv.Atoi(value) // "unknown" on some early parts
		case "flags":
			for f := range strings.FieldsSeq(value) {
				p.flags[f] = true
			}
		}
		if err != nil {
			return processor{}, fmt.Errorf("%s: %s: %w", m.proc("cpuinfo"), key, err)
		}
	}
	return p, nil
}

func (p processor) intel() bool { return p.vendor == "GenuineIntel" }

// amd includes Hygon, whose parts have AMD's registers.
func (p processor) amd() bool { return p.vendor == "AuthenticAMD" || p.vendor == "HygonGenuine" }

// virtual tells whether a hypervisor runs this kernel (CPUID 1 ECX bit 31).
func (p processor) virtual() bool { return p.flags["hypervisor"] }

// hasRAPL tells whether the processor should have energy registers: Intel from
// Sandy Bridge (family 6, model 0x2a) on, AMD from family 17h, Hygon. The old
// Atoms with larger model numbers than Sandy Bridge have none.
func (p processor) hasRAPL() bool {
	switch {
	case p.virtual() && !p.flags["rapl"]:
		return false // KVM does not pass the registers on
	case p.amd():
		return p.family >= 0x17
	case p.intel():
		old := []int{0x2c, 0x2e, 0x2f, 0x35, 0x36} // Westmere, Nehalem-EX, Saltwell
		return p.family > 6 && p.family != 15 || p.family == 6 && p.model >= 0x2a && !slices.Contains(old, p.model)
	}
	return false
}

// missing is the error for a counter that the kernel does not offer.
func (p processor) missing(what string) error {
	if p.hasRAPL() {
		return fmt.Errorf("%s: %w", what, ErrNoDriver)
	}
	return fmt.Errorf("%s: %w", what, ErrNoHardware)
}

// virtualNote warns of counters inside a virtual machine: QEMU's (-accel
// kvm,rapl=true) are the host's energy shared by the time of the virtual CPUs.
const virtualNote = "this is a virtual machine: its energy counters are what the hypervisor makes of the host's, which may be an estimate"

// scope is the reach of one set of package registers.
type scope struct {
	pkg  int
	die  int
	cpu  int   // where to read them: the first of cpus, or as the cpumask says
	cpus []int // all that are in it
}

// online lists the CPUs that are on, sorted by number.
func (m Machine) online() ([]pmu.CPU, error) {
	if m.survey != nil {
		return m.survey.online()
	}
	return m.readOnline()
}

func (m Machine) readOnline() ([]pmu.CPU, error) {
	all, err := m.pmus().Topology()
	if err != nil {
		return nil, fmt.Errorf("which CPUs this machine has: %w", err)
	}
	all = slices.DeleteFunc(all, func(c pmu.CPU) bool { return !c.Online })
	if len(all) == 0 {
		return nil, fmt.Errorf("which CPUs this machine has: none is online below %s", m.sys("devices/system/cpu"))
	}
	slices.SortFunc(all, func(a, b pmu.CPU) int { return a.ID - b.ID })
	return all, nil
}

// scopes groups CPUs by the registers that they share: by die where dies is
// set (Intel: Cascade Lake-AP has two in a package), else by package. among are
// the CPUs that a driver offers to read on, one or more for each scope; nil is
// all. From 6.9 until 6.12 the kernel's cpumask named one CPU for every core
// complex of an AMD package, which all read the same register: grouping by
// package counts it once.
func scopes(online []pmu.CPU, among []int, dies bool) []scope {
	var found []scope
	index := func(c pmu.CPU) int {
		return slices.IndexFunc(found, func(s scope) bool { return s.pkg == c.Package && (!dies || s.die == c.Die) })
	}
	for _, c := range online {
		if (among == nil || slices.Contains(among, c.ID)) && index(c) < 0 {
			found = append(found, scope{pkg: c.Package, die: c.Die, cpu: c.ID})
		}
	}
	for _, c := range online {
		i := index(c)
		if i < 0 {
			// One CPU is offered for a package of several dies: the register is the package's.
			same := func(s scope) bool { return s.pkg == c.Package }
			i = slices.IndexFunc(found, same)
			if i < 0 || slices.ContainsFunc(found[i+1:], same) {
				continue
			}
		}
		found[i].cpus = append(found[i].cpus, c.ID)
	}
	slices.SortStableFunc(found, func(a, b scope) int { return cmp.Or(a.pkg-b.pkg, a.die-b.die) })
	return found
}

// cpusOf lists the CPUs of a package, of one of its dies if die >= 0.
func cpusOf(online []pmu.CPU, pkg, die int) []int {
	var cpus []int
	for _, c := range online {
		if c.Package == pkg && (die < 0 || c.Die == die) {
			cpus = append(cpus, c.ID)
		}
	}
	return cpus
}

func everyCPU(online []pmu.CPU) []int {
	var cpus []int
	for _, c := range online {
		cpus = append(cpus, c.ID)
	}
	return cpus
}
