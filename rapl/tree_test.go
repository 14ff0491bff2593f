package rapl

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// tree writes a txtar archive below a directory of the test's own and gives the
// machine whose sys, proc and dev it holds. Nothing of the real machine is in it.
func tree(t testing.TB, archive string) Machine {
	t.Helper()
	dir := t.TempDir()
	m := Machine{Sys: filepath.Join(dir, "sys"), Proc: filepath.Join(dir, "proc"), Dev: filepath.Join(dir, "dev")}
	for _, root := range []string{m.Sys, m.Proc, m.Dev} {
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		put(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	return m
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cpus is the topology of a machine as txtar: one "package die core" per CPU.
func cpus(where ...string) string {
	var b strings.Builder
	for id, w := range where {
		f := strings.Fields(w)
		for i, name := range []string{"physical_package_id", "die_id", "core_id"} {
			b.WriteString("-- sys/devices/system/cpu/cpu" + strconv.Itoa(id) + "/topology/" + name + " --\n" + f[i] + "\n")
		}
	}
	last := "0-" + strconv.Itoa(len(where)-1)
	b.WriteString("-- sys/devices/system/cpu/present --\n" + last + "\n-- sys/devices/system/cpu/online --\n" + last + "\n")
	return b.String()
}

// cpuinfo is /proc/cpuinfo of one processor as txtar.
func cpuinfo(vendor string, family, model int, flags string) string {
	return "-- proc/cpuinfo --\nprocessor\t: 0\nvendor_id\t: " + vendor + "\ncpu family\t: " + strconv.Itoa(family) +
		"\nmodel\t\t: " + strconv.Itoa(model) + "\nmodel name\t: A Processor\nstepping\t: 4\nflags\t\t: fpu " + flags + "\n\nprocessor\t: 1\nmodel\t\t: 999\n"
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

// read is one reading; it must succeed.
func read(t testing.TB, s Source) ([]float64, Moment) {
	t.Helper()
	joules := make([]float64, len(s.Info().Domains))
	m, err := s.Read(joules)
	if err != nil {
		t.Fatal(err)
	}
	return joules, m
}

func open(t testing.TB, m Machine, kind string) Source {
	t.Helper()
	s, err := Open(m, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// noted tells whether a note of the source holds all words.
func noted(s Source, words ...string) bool {
	for _, n := range s.Info().Notes {
		all := true
		for _, w := range words {
			all = all && strings.Contains(n, w)
		}
		if all {
			return true
		}
	}
	return false
}
