package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is embedded is what the sources compile to.
func TestObjects(t *testing.T) {
	const want = "Debian clang version 14."
	version, err := exec.Command("clang-14", "--version").Output()
	if err != nil || !strings.HasPrefix(string(version), want) {
		t.Skipf("no %s here, which has compiled what is committed: %v", want, err)
	}
	if _, err := exec.LookPath("llvm-strip-14"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("sh", "build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	built, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(built) != 5 {
		t.Fatalf("%q were built, want three objects and the Go of two", built)
	}
	for _, file := range built {
		now, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		committed, err := os.ReadFile(filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(now, committed) {
			t.Errorf("%s is not what its source compiles to: make bpf", filepath.Base(file))
		}
	}
}
