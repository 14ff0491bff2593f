package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/pprof/profile"
)

// python finds one that tells perf of its functions.
func python() (string, error) {
	places := []string{"python3", "python3.14", "python3.13", "python3.12"}
	if home, err := os.UserHomeDir(); err == nil {
		installed, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/3.*/bin/python3"))
		places = append(places, installed...)
	}
	for _, name := range places {
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", "import sys; sys.exit(not hasattr(sys, 'activate_stack_trampoline'))").Run() == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: Python 3.12 or later", errNoToolchain)
}

// TestScriptStacks records interpreters that tell the names of the functions that they run.
func TestScriptStacks(t *testing.T) {
	needSampling(t)
	for _, test := range []struct {
		name string
		find func() (string, error)
		args []string
		want string
	}{
		{"node", func() (string, error) { return exec.LookPath("node") },
			[]string{"--perf-basic-prof", "--interpreted-frames-native-stack", "--no-logfile-per-isolate", "--logfile=/dev/null", "jit.js", "0.4"}, "outerOfScript;middleOfScript;leafOfScript"},
		{"python", python, []string{"-X", "perf", "trampoline.py", "0.4"}, "outer_of_script;middle_of_script;leaf_of_script;"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, err := test.find()
			if err != nil {
				t.Skip(err) // not installed for tests: the languages of the others are
			}
			args := slices.Clone(test.args)
			script := len(args) - 2 // behind its flags
			args[script] = filepath.Join(stackSources, args[script])
			p, books := recordStacks(t, "auto", append([]string{path}, args...))
			removePerfMaps(t, p)
			// Some of what runs while an interpreter starts has no tables and no frame pointers.
			if books.Samples < 700 || float64(books.Complete) < 0.97*float64(books.Samples) && books.Method == "bpf" {
				t.Errorf("%d of %d stacks are whole, want 97 %% of a thousand or so: %+v", books.Complete, books.Samples, *books)
			}
			tellDifferences(t, wantStacks(p, []string{test.want}))
		})
	}
}

// removePerfMaps removes what the processes of a profile have written.
func removePerfMaps(t *testing.T, p *profile.Profile) {
	t.Helper()
	for _, sample := range p.Sample {
		for _, pid := range sample.NumLabel["pid"] {
			if err := os.Remove(fmt.Sprintf("/tmp/perf-%d.map", pid)); err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
		}
	}
}
