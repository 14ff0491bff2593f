package pmu

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Names are the events that need no PMU's name, each under the first of its
// names, and cache events as perf-list(1) writes them: L1-dcache-loads,
// L1-dcache-load-misses. Which of them a machine can count is another matter.
func Names() []string {
	var names []string
	for _, table := range [][][]string{hardware[:], software[:]} {
		for _, synonyms := range table {
			if len(synonyms) > 0 {
				names = append(names, synonyms[0])
			}
		}
	}
	for i, cache := range caches {
		for op, words := range cacheOps {
			if cacheHasOp[i][op] {
				names = append(names, cache[0]+"-"+words[1], cache[0]+"-"+words[0]+"-"+cacheResults[1][0])
			}
		}
	}
	return names
}

// Tracepoints lists group:name of all that tracefs has, sorted. The error is
// ErrNoTracefs, or what the system answered to who may not look.
func (f FS) Tracepoints() ([]string, error) {
	err := ErrNoTracefs
	for _, root := range []string{"kernel/tracing", "kernel/debug/tracing"} {
		events := filepath.Join(f.sys, root, "events")
		groups, readErr := os.ReadDir(events)
		if readErr != nil {
			if !errors.Is(readErr, fs.ErrNotExist) {
				err = readErr
			}
			continue
		}
		var names []string
		for _, group := range groups {
			members, _ := os.ReadDir(filepath.Join(events, group.Name())) // files beside the groups have none
			for _, member := range members {
				if member.IsDir() {
					names = append(names, group.Name()+":"+member.Name())
				}
			}
		}
		slices.Sort(names)
		return names, nil
	}
	return nil, err
}
