package pmu

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// openTree extracts testdata/NAME.txtar.
func openTree(t testing.TB, name string) (machine FS, root string) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	if err := txtar.Write(archive, root); err != nil {
		t.Fatal(err)
	}
	return NewFS(filepath.Join(root, "sys"), filepath.Join(root, "proc")), root
}

// openCorpus makes the PMU tree of the corpus look like a sysfs.
func openCorpus(t *testing.T) FS {
	t.Helper()
	corpus := os.Getenv("ENERGYPROF_CORPUS")
	if corpus == "" {
		corpus = "../../../shared/corpus"
	}
	devices, err := filepath.Abs(filepath.Join(corpus, "sysfs/pmu-devices/devices"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(devices); err != nil {
		t.Skipf("no corpus: %v", err)
	}
	sys := t.TempDir()
	if err := os.MkdirAll(filepath.Join(sys, "bus/event_source"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(devices, filepath.Join(sys, "bus/event_source/devices")); err != nil {
		t.Fatal(err)
	}
	return NewFS(sys, "")
}
