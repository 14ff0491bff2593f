package counting

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestHolders(t *testing.T) {
	proc := t.TempDir()
	process := func(pid int, comm string, files ...string) {
		dir := filepath.Join(proc, fmt.Sprint(pid))
		if err := os.MkdirAll(filepath.Join(dir, "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "comm"), []byte(comm+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for i, target := range files {
			if err := os.Symlink(target, filepath.Join(dir, "fd", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	process(41, "bash", "/dev/pts/0", "pipe:[3]")
	process(200, "turbostat", "/dev/cpu/0/msr", "/dev/cpu/1/msr", "/dev/cpu/0/cpuid")
	process(7, "perf", "anon_inode:[perf_event]", "/dev/null", "anon_inode:[perf_event]")
	process(os.Getpid(), "energyprof", "anon_inode:[perf_event]")
	want := []Holder{{PID: 7, Comm: "perf", Events: 2}, {PID: 200, Comm: "turbostat", MSR: true}}
	if got := Holders(proc); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
