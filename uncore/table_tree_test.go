package uncore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// tree is the machine of testdata/NAME.txtar.
func tree(t testing.TB, name string) Machine {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := txtar.Write(archive, root); err != nil {
		t.Fatal(err)
	}
	return Machine{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc")}
}

// corpus finds a file of the captures that are not part of the repository.
func corpus(t testing.TB, name ...string) string {
	t.Helper()
	root := os.Getenv("ENERGYPROF_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "corpus")
	}
	path := filepath.Join(append([]string{root}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the corpus is not here: %v", err)
	}
	return path
}
