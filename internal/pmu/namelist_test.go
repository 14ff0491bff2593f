package pmu

import (
	"errors"
	"slices"
	"testing"
)

// Every name that is listed can be read, and none twice.
func TestNames(t *testing.T) {
	server, _ := openTree(t, "server")
	names := Names()
	for _, name := range names {
		if _, err := server.Parse(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, want := range []string{"cpu-cycles", "instructions", "context-switches", "L1-dcache-loads", "LLC-load-misses", "dTLB-stores", "node-prefetch-misses"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %v", want, names)
		}
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(names))); len(sorted) != len(names) {
		t.Errorf("%d names, %d of them different", len(names), len(sorted))
	}
}

func TestTracepoints(t *testing.T) {
	server, _ := openTree(t, "server")
	got, err := server.Tracepoints()
	if want := []string{"raw_syscalls:sys_enter", "sched:bad", "sched:sched_switch"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := NewFS(t.TempDir(), "").Tracepoints(); !errors.Is(err, ErrNoTracefs) {
		t.Errorf("%v, %v; want %v", got, err, ErrNoTracefs)
	}
}
