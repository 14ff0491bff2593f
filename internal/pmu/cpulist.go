package pmu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxCPU bounds what a list may name: eight times the kernel's largest NR_CPUS
// (8192, CONFIG_MAXSMP), so that a corrupt file cannot ask for gigabytes.
const maxCPU = 1<<16 - 1

// ParseCPUList reads the kernel's list form of CPU numbers, "0-3,8", as in
// sysfs files and cpuset(7). White space around it is dropped and the empty list
// is a list of none. Numbers come out sorted and once each.
func ParseCPUList(s string) ([]int, error) {
	cpus := []int{}
	s = strings.TrimSpace(s)
	if s == "" {
		return cpus, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := parseCPU(low)
		if err != nil {
			return nil, fmt.Errorf("CPU list %q: %q: %w", s, part, err)
		}
		last := first
		if isRange {
			if last, err = parseCPU(high); err != nil {
				return nil, fmt.Errorf("CPU list %q: %q: %w", s, part, err)
			}
		}
		if last < first {
			return nil, fmt.Errorf("CPU list %q: %q: the range goes down", s, part)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
		// A list that repeats wide ranges must not grow with its length.
		if len(cpus) > 2*maxCPU {
			slices.Sort(cpus)
			cpus = slices.Compact(cpus)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

func parseCPU(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no CPU number", s)
	}
	if n > maxCPU {
		return 0, fmt.Errorf("CPU %d is beyond the largest, %d", n, maxCPU)
	}
	return int(n), nil
}

// FormatCPUList writes CPU numbers in the kernel's list form, sorted and with
// runs joined: "0-3,8". The empty list is "".
func FormatCPUList(cpus []int) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(cpus)))
	var b strings.Builder
	for i := 0; i < len(sorted); {
		run := i
		for run+1 < len(sorted) && sorted[run+1] == sorted[run]+1 {
			run++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(sorted[i]))
		if run > i {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(sorted[run]))
		}
		i = run + 1
	}
	return b.String()
}
