package memory

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// tree extracts testdata/NAME.txtar and returns the roots of its sysfs and procfs. The links of sysfs are directories there.
func tree(t testing.TB, name string) (sys, proc string) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := txtar.Write(archive, root); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "sys"), filepath.Join(root, "proc")
}

// nodesOf opens the nodes of a tree.
func nodesOf(t testing.TB, name string) *Nodes {
	t.Helper()
	n, err := OpenNodes(tree(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
