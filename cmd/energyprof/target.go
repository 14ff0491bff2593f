package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// processIDs reads the list of -p, PID,PID, of which none is there twice.
func processIDs(list string) ([]int, error) {
	var pids []int
	for field := range strings.SplitSeq(list, ",") {
		pid, err := strconv.ParseInt(field, 10, 32) // the kernel's pid_t
		if err != nil || pid <= 0 {
			return nil, usagef("-p: %q is no process id", field)
		}
		if !slices.Contains(pids, int(pid)) {
			pids = append(pids, int(pid))
		}
	}
	return pids, nil
}

// chooseCPUs reads the list of -C. Of -a CPUs are not chosen: counting follows those that come and go.
func chooseCPUs(list string, online []int) ([]int, error) {
	cpus, err := pmu.ParseCPUList(list)
	if err != nil {
		return nil, usagef("-C %s: %w", list, err)
	}
	if len(cpus) == 0 {
		return nil, usagef("-C: no CPU is named")
	}
	for _, cpu := range cpus {
		if !slices.Contains(online, cpu) {
			return nil, usagef("-C %s: CPU %d is not online (those are %s)", list, cpu, pmu.FormatCPUList(online))
		}
	}
	return cpus, nil
}
