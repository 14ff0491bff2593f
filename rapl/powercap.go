package rapl

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// zone is a directory of /sys/class/powercap that counts energy
// (Documentation/power/powercap/powercap.rst).
type zone struct {
	dir    string // "intel-rapl:0:1"; AMD's have the same prefix
	domain string // by the file name, never by the numbers of dir, which are in no order
	pkg    int    // -1 if it belongs to no package
	die    int    // -1 if the package has one
	sum    bool
	// modulus is by how much energy_uj falls when it wraps, in µJ: one unit more
	// than max_energy_range_uj, which is the largest value. 0 if not known.
	modulus uint64
	unit    float64 // joules per step of the register
	energy  uint64  // µJ at Open
	// disabled is what to say of a zone whose power limits are off. Most count all
	// the same (all of AMD, which has no limits), some stand at zero.
	disabled string
	scale    float64 // joules per µJ of energy_uj: 1e-6 but for what the driver gets wrong
	cpus     []int
}

func openPowercap(m Machine) (Source, error) {
	cpu, err := m.processor()
	if err != nil {
		return nil, err
	}
	online, err := m.online()
	if err != nil {
		return nil, err
	}
	zones, notes, err := m.zones(cpu, online)
	if err != nil {
		return nil, err
	}
	mt := &meter{info: Info{Name: "powercap", Measured: true, Notes: append(notes, m.energyNotes()...)}}
	for _, z := range zones {
		path := m.sys("class/powercap", z.dir, "energy_uj")
		f, err := os.Open(path)
		if err != nil {
			return nil, errors.Join(err, mt.Close())
		}
		mt.closers = append(mt.closers, f.Close)
		c := counter{unit: z.scale, maxWatts: plausibleWatts(z.domain), step: z.unit}
		if z.modulus > 0 {
			c.moduli = []uint64{z.modulus}
		}
		mt.channels = append(mt.channels, channel{counter: c, steady: z.sum, read: func() (uint64, error) {
			v, err := readNumber(f)
			return uint64(v), err
		}})
		mt.info.Domains = append(mt.info.Domains, Domain{Name: z.domain, Package: max(z.pkg, 0), CPUs: z.cpus, Sum: z.sum, Unit: z.unit})
	}
	return mt, mt.begin()
}

// readNumber reads an attribute of sysfs again, through the open file.
func readNumber(f *os.File) (int64, error) {
	var b [32]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return 0, err
	}
	v, err := strconv.ParseInt(strings.TrimSpace(string(b[:n])), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return v, nil
}

// zones lists what to read, one for each domain, in the order of known domains.
func (m Machine) zones(cpu processor, online []pmu.CPU) ([]zone, []string, error) {
	entries, err := os.ReadDir(m.sys("class/powercap"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var zones []zone
	var notes []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "intel-rapl") || !strings.Contains(e.Name(), ":") {
			continue // a control type, or a cooling device
		}
		z, note, err := m.zone(e.Name(), cpu)
		if err != nil {
			return nil, nil, err
		}
		if note != "" {
			notes = append(notes, note)
			continue
		}
		zones = append(zones, z)
	}
	if len(zones) == 0 && len(notes) == 0 {
		return nil, nil, cpu.missing("no RAPL zone in " + m.sys("class/powercap"))
	}
	slices.SortStableFunc(zones, compareZones)
	var kept []zone
	live := false
	for _, z := range zones {
		note := z.redundant(kept, cpu)
		if note == "" && z.energy == 0 && z.domain != "package" {
			note = fmt.Sprintf("%s (%s) is left out: it stands at zero%s", z.dir, z.domain, z.disabled)
		}
		if note != "" {
			notes = append(notes, note)
			continue
		}
		if note := z.place(online, zones, !cpu.amd()); note != "" {
			// The only one is everybody's. Of several, the others have the CPUs.
			if slices.ContainsFunc(zones, func(o zone) bool { return o.domain == z.domain && o.pkg != z.pkg }) {
				notes = append(notes, note+": its energy is left out")
				continue
			}
			notes = append(notes, note)
		}
		if z.energy == 0 {
			notes = append(notes, fmt.Sprintf("%s (%s %d) stands at zero%s", z.dir, z.domain, z.pkg, z.disabled))
		}
		live = live || z.sum && z.energy > 0
		kept = append(kept, z)
	}
	if !live {
		return nil, nil, fmt.Errorf("%s: %w", strings.Join(notes, "; "), ErrNotCounting)
	}
	return kept, notes, nil
}

// zone reads one directory. A zone that is not to be used gives a note instead.
func (m Machine) zone(dir string, cpu processor) (z zone, note string, err error) {
	base := m.sys("class/powercap", dir)
	name, err := text(filepath.Join(base, "name"))
	if err != nil {
		return zone{}, "", err
	}
	z = zone{dir: dir, pkg: -1, die: -1, scale: 1e-6, unit: 1e-6}
	if !z.classify(name) {
		// A zone below a package: its number leads to the parent, whose name counts.
		parent, err := text(filepath.Join(m.sys("class/powercap", dir[:strings.LastIndex(dir, ":")]), "name"))
		if err != nil {
			return zone{}, "", err
		}
		var up zone
		if !up.classify(parent) || up.domain != "package" || !z.below(name) {
			return zone{}, fmt.Sprintf("%s is left out: %q is no domain that is known", dir, name), nil
		}
		z.pkg, z.die = up.pkg, up.die
	}
	if cpu.amd() && z.domain == "cores" {
		// rapl_read_data_raw reads MSR 0xC001029A, which is per core, on the lead CPU only.
		return zone{}, fmt.Sprintf("%s is left out: on AMD the zone %q is the energy of one core, not of all", dir, name), nil
	}
	z.energy, err = number(filepath.Join(base, "energy_uj"))
	if errors.Is(err, fs.ErrPermission) {
		return zone{}, "", err
	}
	if err != nil {
		return zone{}, fmt.Sprintf("%s is left out: %v", dir, err), nil
	}
	if enabled, err := text(filepath.Join(base, "enabled")); err == nil && enabled == "0" {
		z.disabled = " and is disabled"
	}
	if span, err := number(filepath.Join(base, "max_energy_range_uj")); err == nil && span > 0 {
		// The range is 2^32-1 units, each truncated to nJ (rapl_unit_xlate).
		unit := float64(span) / (1<<32 - 1)
		z.modulus, z.unit = uint64(math.Round(float64(span)+unit)), unit*1e-6
	}
	if cpu.intel() && cpu.family == 6 && cpu.model == broadwellD && z.domain == "dram" && z.unit > 2*unitDRAM {
		// rapl.c and the data sheet have the fixed unit for this model, intel_rapl_common.c has not.
		z.scale = 1e-6 * unitDRAM / z.unit
		z.unit = unitDRAM
	}
	return z, "", nil
}

func number(path string) (uint64, error) {
	s, err := text(path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// classify knows the names at the top: "package-0", "package-0-die-1", "psys", "psys-1".
func (z *zone) classify(name string) bool {
	if name == "psys" || strings.HasPrefix(name, "psys-") {
		z.domain = "psys"
		if _, err := fmt.Sscanf(name, "psys-%d", &z.pkg); err != nil {
			z.pkg = 0
		}
		return true
	}
	if _, err := fmt.Sscanf(name, "package-%d-die-%d", &z.pkg, &z.die); err == nil {
		z.domain, z.sum = "package", true
		return true
	}
	z.die = -1
	if _, err := fmt.Sscanf(name, "package-%d", &z.pkg); err == nil {
		z.domain, z.sum = "package", true
		return true
	}
	z.pkg = -1
	return false
}

// below knows the names inside a package: "core", "uncore", "dram".
func (z *zone) below(name string) bool {
	for _, k := range known {
		if k.zone == name && name != "package" && name != "psys" {
			z.domain, z.sum = k.name, k.sum
			return true
		}
	}
	return false
}

// compareZones puts them in the order of known domains, then of packages; of
// twins the one to keep is the first: the MSR's before the MMIO's, one that
// counts before one that does not.
func compareZones(a, b zone) int {
	rank := func(z zone) int {
		for i, k := range known {
			if k.name == z.domain {
				return i
			}
		}
		return len(known)
	}
	mmio := func(z zone) int { return strings.Count(z.dir, "mmio") }
	zero := func(z zone) int {
		if z.energy == 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(rank(a)-rank(b), a.pkg-b.pkg, a.die-b.die, zero(a)-zero(b), mmio(a)-mmio(b), cmp.Compare(a.dir, b.dir))
}

// redundant tells why z is the same energy as one that is kept already.
func (z zone) redundant(kept []zone, cpu processor) string {
	for _, k := range kept {
		switch {
		case k.domain != z.domain:
		case z.domain == "psys":
			return fmt.Sprintf("%s is left out: the platform is one, and %s shows it", z.dir, k.dir)
		case k.pkg == z.pkg && k.die == z.die:
			return fmt.Sprintf("%s is left out: it is %s by another way", z.dir, k.dir)
		case k.pkg == z.pkg && cpu.amd():
			return fmt.Sprintf("%s is left out: on AMD the counter is the package's, and %s shows it", z.dir, k.dir)
		}
	}
	return ""
}

// place finds the CPUs of a zone: those of its die where the package's dies have
// zones of their own, else of its package.
func (z *zone) place(online []pmu.CPU, all []zone, byDie bool) string {
	if z.domain == "psys" {
		z.pkg, z.cpus = 0, everyCPU(online)
		return ""
	}
	die := -1
	if byDie && slices.ContainsFunc(all, func(o zone) bool { return o.domain == z.domain && o.pkg == z.pkg && o.die != z.die }) {
		die = z.die
	}
	if z.cpus = cpusOf(online, z.pkg, die); len(z.cpus) == 0 {
		return fmt.Sprintf("%s (%s): no online CPU is of package %d", z.dir, z.domain, z.pkg)
	}
	return ""
}
