package pmu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// CPU is one logical CPU and where it sits (Documentation/admin-guide/cputopology.rst).
type CPU struct {
	ID      int
	Package int // -1 if the kernel does not say, as of a CPU that is offline
	Die     int // unique within the package; -1 as Package
	Core    int // unique within the die; -1 as Package
	Online  bool
}

func (f FS) cpuDir() string { return filepath.Join(f.sys, "devices/system/cpu") }

// Topology lists the present CPUs in order. The kernel describes only CPUs that
// are online. Where it numbers no packages or dies (a virtual machine, an arm64
// board without PPTT) there is one, 0, and a CPU without a core id is a core of its own.
func (f FS) Topology() ([]CPU, error) {
	present, err := f.PresentCPUs()
	if err != nil {
		return nil, err
	}
	online, err := f.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	isOnline := make(map[int]bool, len(online))
	for _, id := range online {
		isOnline[id] = true
	}
	cpus := make([]CPU, 0, len(present))
	for _, id := range present {
		cpu := CPU{ID: id, Online: isOnline[id]}
		dir := filepath.Join(f.cpuDir(), "cpu"+strconv.Itoa(id), "topology")
		absent := 0
		if !cpu.Online {
			absent = -1
		}
		if cpu.Package, err = readID(filepath.Join(dir, "physical_package_id"), absent); err != nil {
			return nil, err
		}
		if cpu.Die, err = readID(filepath.Join(dir, "die_id"), absent); err != nil {
			return nil, err
		}
		if cpu.Online {
			absent = id
		}
		if cpu.Core, err = readID(filepath.Join(dir, "core_id"), absent); err != nil {
			return nil, err
		}
		cpus = append(cpus, cpu)
	}
	return cpus, nil
}

// readID reads a number of the topology directory. A missing file and the -1
// that the kernel writes for "unknown" both give absent.
func readID(path string, absent int) (int, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return 0, fmt.Errorf("CPU topology: %w", err)
	}
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("CPU topology: %s: %w", path, err)
	}
	if id < 0 {
		return absent, nil
	}
	return id, nil
}

// OnlineCPUs lists the CPUs that run now, from sysfs or, where a container hides
// that, from /proc/stat. At least one runs, so none is an error.
func (f FS) OnlineCPUs() ([]int, error) {
	cpus, err := f.cpuList("online")
	if errors.Is(err, fs.ErrNotExist) {
		return f.cpusOfStat()
	}
	return cpus, err
}

// PresentCPUs lists the CPUs that are there, online or not. Without sysfs these
// are the online ones.
func (f FS) PresentCPUs() ([]int, error) {
	cpus, err := f.cpuList("present")
	if errors.Is(err, fs.ErrNotExist) {
		return f.OnlineCPUs()
	}
	return cpus, err
}

func (f FS) cpuList(name string) ([]int, error) {
	path := filepath.Join(f.cpuDir(), name)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s CPUs: %w", name, err)
	}
	cpus, err := ParseCPUList(string(text))
	if err == nil && len(cpus) == 0 {
		err = errors.New("the list is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("%s CPUs: %s: %w", name, path, err)
	}
	return cpus, nil
}

// cpusOfStat takes the cpuN lines of /proc/stat, which has one for each online CPU.
func (f FS) cpusOfStat() ([]int, error) {
	path := filepath.Join(f.proc, "stat")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("online CPUs: %w", err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, "cpu"); ok && !strings.HasPrefix(number, " ") {
			number, _, _ = strings.Cut(number, " ")
			list = append(list, number)
		}
	}
	cpus, err := ParseCPUList(strings.Join(list, ","))
	if err == nil && len(cpus) == 0 {
		err = errors.New("no cpuN line")
	}
	if err != nil {
		return nil, fmt.Errorf("online CPUs: %s: %w", path, err)
	}
	return cpus, nil
}
