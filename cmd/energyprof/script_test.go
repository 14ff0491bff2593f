package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"energyprof": main})
}

// TestScripts runs the command line as a user does.
func TestScripts(t *testing.T) {
	// Where `go tool` knows this module's tools, for `go -C $MODULE tool ...`, and what it builds them with.
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	vars := []string{"MODULE=" + here}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		dir, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		vars = append(vars, name+"="+strings.TrimSpace(string(dir)))
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Condition:           condition,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, vars...)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":         code,
			"mode":         mode,
			"stat-schema":  schemaHolds("stat.schema.json"),
			"mem-schema":   schemaHolds("mem.schema.json"),
			"diff-schema":  schemaHolds("diff.schema.json"),
			"check-schema": schemaHolds("check.schema.json"),
			"make-runs":    makeRuns,
		},
	})
}

// condition knows what a script may ask of the machine.
func condition(name string) (bool, error) {
	switch name {
	case "perf-events":
		return maySample()
	case "root":
		return os.Geteuid() == 0, nil
	case "mem-events":
		_, err := pebs.Machine{}.Choose(pebs.Options{})
		return err == nil, nil
	case "tsc-event":
		_, err := os.Stat("/sys/bus/event_source/devices/msr/events/tsc")
		return err == nil, nil
	}
	return false, errors.New("unknown condition " + name)
}

// code runs a command and wants an exact exit code: code N command args...
func code(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args...")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\nstderr: %s", got, want, ts.ReadFile("stderr"))
	}
}

// mode wants the permissions of a file: mode 600 file
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: mode OCTAL file")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// maySample tells whether this user may sample the code of an own process. For
// root of a kernel with perf events the answer cannot be no: a job that lost
// the ability must not pass by skipping.
func maySample() (bool, error) {
	var d diagnosis
	d.sampling("", 0, -1, perfring.FlagExcludeKernel|perfring.FlagExcludeHV)
	f := d.findings[0]
	_, err := os.Stat("/proc/sys/kernel/perf_event_paranoid")
	if !f.Usable && err == nil && os.Geteuid() == 0 && os.Getenv("CI") == "true" {
		return false, errors.New("sampling must work here: " + f.Reason)
	}
	return f.Usable, nil
}
