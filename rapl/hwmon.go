package rapl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/energyprof/energyprof/internal/pmu"
)

// sensor is one channel of a hardware monitoring chip
// (Documentation/hwmon/sysfs-interface.rst).
type sensor struct {
	chip     string // its name file, or the directory's name
	dir      string // "hwmon2"
	prefix   string // "power1"
	label    string // the chip's own words for what it measures, "" if none
	file     string // what is read: energy1_input (µJ), power1_average or power1_input (µW)
	watts    bool
	interval string // of power1_average, ms; "" if not known
	domain   Domain
}

func openHwmon(m Machine) (Source, error) {
	online, err := m.online()
	if err != nil {
		return nil, err
	}
	sensors, notes, err := m.sensors()
	if err != nil {
		return nil, err
	}
	mt := &meter{info: Info{Name: "hwmon", Measured: true}}
	var broken []error
	sensors = slices.DeleteFunc(sensors, func(s sensor) bool {
		c, closeFile, err := m.openSensor(s)
		if err != nil {
			// A chip that sleeps, such as a graphics card, answers with an error.
			broken = append(broken, err)
			notes = append(notes, fmt.Sprintf("%s of %s (%s) is left out: %v", s.file, s.chip, s.dir, err))
			return true
		}
		mt.closers = append(mt.closers, closeFile)
		mt.channels = append(mt.channels, c)
		return false
	})
	notes = append(notes, nameSensors(sensors, online)...)
	mt.info.Notes = notes
	if !slices.ContainsFunc(sensors, func(s sensor) bool { return s.domain.Sum }) {
		err := fmt.Errorf("no sensor of energy or power of the processor or the board in %s: %w", m.sys("class/hwmon"), ErrNoHardware)
		return nil, errors.Join(append(broken, err, mt.Close())...)
	}
	for _, s := range sensors {
		mt.info.Domains = append(mt.info.Domains, s.domain)
		if s.watts {
			note := fmt.Sprintf("%s is integrated from %s of %s (%s), read at each reading", s.domain, s.file, s.chip, s.dir)
			if s.interval != "" {
				note += fmt.Sprintf("; the chip averages over %s ms, which smears it", s.interval)
			}
			mt.info.Notes = append(mt.info.Notes, note)
		}
	}
	return mt, mt.begin()
}

// openSensor opens the file of a sensor and reads it once.
func (m Machine) openSensor(s sensor) (channel, func() error, error) {
	f, err := os.Open(m.sys("class/hwmon", s.dir, s.file))
	if err != nil {
		return channel{}, nil, err
	}
	c := channel{counter: counter{unit: 1e-6, maxWatts: maxPlatformWatts}, watts: s.watts}
	c.read = func() (uint64, error) {
		v, err := readNumber(f)
		return uint64(max(v, 0)), err // power that flows backwards, as into a battery, costs nothing
	}
	if _, err := c.read(); err != nil {
		return channel{}, nil, errors.Join(err, f.Close())
	}
	return c, f.Close, nil
}

// Compiled when hwmon is asked for the first time: every start of the command would pay for it.
var (
	channelFile  = lazily(`^(energy[0-9]+)_input$|^(power[0-9]+)_(?:input|average)$`)
	currentFile  = lazily(`^curr[0-9]+_input$`)
	numberOrWord = lazily(`[0-9]+|[a-z]+`)
)

func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// sensors lists the channels of energy, and of power where the chip has none of
// energy, in order of chip and channel.
func (m Machine) sensors() ([]sensor, []string, error) {
	root := m.sys("class/hwmon")
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var all []sensor
	var notes []string
	for _, e := range entries {
		found, more, err := chipSensors(filepath.Join(root, e.Name()))
		if err != nil {
			return nil, nil, err
		}
		all, notes = append(all, found...), append(notes, more...)
	}
	slices.SortStableFunc(all, func(a, b sensor) int { return cmp.Or(natural(a.dir, b.dir), natural(a.prefix, b.prefix)) })
	return all, notes, nil
}

func chipSensors(dir string) ([]sensor, []string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	base := filepath.Base(dir)
	chip, err := text(filepath.Join(dir, "name"))
	if err != nil || chip == "" {
		chip = base
	}
	byPrefix := map[string]sensor{}
	hasEnergy, hasCurrent := false, false
	var notes []string
	for _, e := range entries {
		hasCurrent = hasCurrent || currentFile().MatchString(e.Name())
		match := channelFile().FindStringSubmatch(e.Name())
		if match == nil {
			continue
		}
		prefix := match[1] + match[2]
		if on, err := text(filepath.Join(dir, prefix+"_enable")); err == nil && on == "0" {
			notes = append(notes, fmt.Sprintf("%s of %s (%s) is left out: it is disabled", e.Name(), chip, base))
			continue
		}
		// An average over time misses nothing between readings, an instant does.
		if strings.HasSuffix(e.Name(), "_input") && byPrefix[prefix].file != "" {
			continue
		}
		s := sensor{chip: chip, dir: base, prefix: prefix, file: e.Name(), watts: match[2] != ""}
		s.label, _ = text(filepath.Join(dir, prefix+"_label")) // few chips have one
		if s.label == "" && s.watts {
			// ACPI power meters, as on NVIDIA Grace, say it here.
			s.label, _ = text(filepath.Join(dir, "device", prefix+"_oem_info"))
		}
		if strings.HasSuffix(s.file, "_average") {
			s.interval, _ = text(filepath.Join(dir, prefix+"_average_interval"))
		}
		hasEnergy = hasEnergy || !s.watts
		byPrefix[prefix] = s
	}
	var found []sensor
	for _, s := range byPrefix {
		if !s.watts || !hasEnergy {
			found = append(found, s)
		}
	}
	if len(found) == 0 && hasCurrent {
		notes = append(notes, fmt.Sprintf("%s (%s) measures volts and amperes: which belong together differs from chip to chip, they are not used", chip, base))
	}
	return found, notes, nil
}

// foreign are chips that meter something else than the processor or its board:
// graphics cards, batteries, chargers. They never count as the machine's energy.
var foreign = lazily(`(?i)^(amdgpu|radeon|nouveau|i915|xe|bat[0-9]*|acad?[0-9]*|adp[0-9]*|ucsi.*|hidpp_battery.*|nvme|mlx.*|iwlwifi.*)$`)

// packageOf tells whether a label means a processor package, and which: "Package
// id 0", "Esocket1", "CPU Power Socket 0", "VDD_CPU".
func packageOf(label string) (number int, ok bool) {
	words := numberOrWord().FindAllString(strings.ToLower(label), -1)
	number = -1
	for i, w := range words {
		switch w {
		case "package", "pkg", "socket", "esocket", "cpu", "grace":
			ok = true
			if i+1 < len(words) && words[i+1] == "id" {
				i++
			}
			if i+1 < len(words) && number < 0 {
				if n, err := strconv.Atoi(words[i+1]); err == nil && n < 1<<16 {
					number = n
				}
			}
		case "module", "sysio", "core", "cores", "ecore", "gpu", "soc", "dram", "ddr", "mem", "memory", "cv":
			return 0, false // around the package, or inside of it
		}
	}
	return max(number, 0), ok
}

// natural compares with numbers by value: hwmon2 before hwmon10.
func natural(a, b string) int {
	digits := func(s string) (string, int) {
		i := len(strings.TrimRight(s, "0123456789"))
		n, _ := strconv.Atoi(s[i:])
		return s[:i], n
	}
	pa, na := digits(a)
	pb, nb := digits(b)
	return cmp.Or(cmp.Compare(pa, pb), na-nb)
}

// matchPackages finds the kernel's package for each number in the labels, which
// rise. Mostly they are the same. The kernel's can come from an offset in a
// table of the firmware (ACPI PPTT on arm64: 36 and 3180): then they have the
// order in common. A number without a package is not in the answer.
func matchPackages(labels []int, online []pmu.CPU) map[int]int {
	var packages []int
	for _, c := range online {
		packages = append(packages, c.Package)
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	missing := func(n int) bool { return !slices.Contains(packages, n) }
	inOrder := len(labels) == len(packages) && slices.ContainsFunc(labels, missing)
	match := map[int]int{}
	for i, n := range labels {
		switch {
		case inOrder:
			match[n] = packages[i]
		case !missing(n):
			match[n] = n
		}
	}
	return match
}

// nameSensors decides what each sensor's domain is. Which rails lie inside which
// others is nowhere said, so only one channel of a package is summed: the first
// that calls itself the package; if none does, the first of all.
func nameSensors(sensors []sensor, online []pmu.CPU) (notes []string) {
	// A channel that names the CPU outranks "Grace", which holds it.
	rank := func(s sensor) int { return strings.Count(strings.ToLower(s.label), "grace") }
	byRank := slices.Clone(sensors)
	slices.SortStableFunc(byRank, func(a, b sensor) int { return rank(a) - rank(b) })
	holder := map[int]string{} // package -> "hwmon0/power1"
	for _, s := range byRank {
		if pkg, ok := packageOf(s.label); ok && !foreign().MatchString(s.chip) && holder[pkg] == "" {
			holder[pkg] = s.dir + "/" + s.prefix
		}
	}
	packages := matchPackages(slices.Sorted(maps.Keys(holder)), online)
	first := len(holder) == 0
	used := map[string]bool{"model": true} // energy_model is what estimates are called
	for _, k := range known {
		used[k.name] = true // RAPL means something exact, a chip's label does not
	}
	for i := range sensors {
		s := &sensors[i]
		s.domain = Domain{CPUs: everyCPU(online), Unit: 1e-6}
		number, holds := packageOf(s.label)
		holds = holds && holder[number] == s.dir+"/"+s.prefix
		pkg, matched := packages[number]
		switch {
		case holds && matched:
			s.domain.Name, s.domain.Package, s.domain.Sum = "package", pkg, true
			s.domain.CPUs = cpusOf(online, pkg, -1)
		default:
			name := label(s.label)
			if name == "" || used[name] {
				name = label(s.chip + "_" + cmp.Or(s.label, s.prefix))
			}
			for n := 2; used[name]; n++ {
				name = label(fmt.Sprintf("%s_%s_%d", s.chip, s.prefix, n))
			}
			used[name] = true
			s.domain.Name = name
			if holds {
				s.domain.Sum = true
				notes = append(notes, fmt.Sprintf("the kernel knows no package %d, which %s of %s meters: it is shared by all CPUs", number, s.file, s.chip))
			}
			if first && !foreign().MatchString(s.chip) {
				first, s.domain.Sum = false, true
				notes = append(notes, fmt.Sprintf("no sensor calls itself a package: %s (%s of %s, %s) alone stands for the machine", name, s.file, s.chip, s.dir))
			}
		}
	}
	if len(sensors) > max(len(holder), 1) {
		notes = append(notes, "what the other sensors meter may overlap: they are shown, and in no sum")
	}
	return notes
}
