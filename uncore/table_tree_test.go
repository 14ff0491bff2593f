package uncore

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// trees are the machines of testdata that tests have asked for, which share them:
// each is hundreds of files. TestMain removes them.
var trees struct {
	sync.Mutex
	root     string
	machines map[string]Machine
}

func removeTrees() {
	if trees.root != "" {
		os.RemoveAll(trees.root)
	}
}

// tree is the machine of testdata/NAME.txtar, to be read and not written.
func tree(t testing.TB, name string) Machine {
	t.Helper()
	trees.Lock()
	defer trees.Unlock()
	if m, ok := trees.machines[name]; ok {
		return m
	}
	if trees.root == "" {
		root, err := os.MkdirTemp("", "uncore")
		if err != nil {
			t.Fatal(err)
		}
		trees.root, trees.machines = root, map[string]Machine{}
	}
	trees.machines[name] = writeTree(t, name, filepath.Join(trees.root, name))
	return trees.machines[name]
}

// ownTree is one that the test may change.
func ownTree(t testing.TB, name string) Machine {
	t.Helper()
	return writeTree(t, name, t.TempDir())
}

func writeTree(t testing.TB, name, root string) Machine {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
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
