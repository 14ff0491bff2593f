package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is embedded is what the sources compile to. Other compilers make other code of them, so elsewhere this cannot be told.
func TestObjects(t *testing.T) {
	const want = "Debian clang version 14.0.6"
	out, err := exec.Command("clang-14", "--version").Output()
	if version, _, _ := strings.Cut(string(out), "\n"); version != want {
		t.Skipf("no %s here, which has compiled what is committed, but %q: %v", want, version, err)
	}
	strip, err := exec.LookPath("llvm-strip-14")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	build := exec.Command("sh", "build.sh", dir)
	build.Env = append(os.Environ(), "CLANG=clang-14", "LLVM_STRIP="+strip)
	if out, err := build.CombinedOutput(); err != nil {
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
