package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// checked is what check --json says.
type checked struct {
	Decision string
	Verdicts []struct {
		Limit                  struct{ Quantity string }
		Name, Decision, Reason string // no name: the total
	}
}

// buildPipeline compiles testdata/workload/pipeline.c with so many percent of the usual work in transform.
func buildPipeline(t *testing.T, transform int) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skipf("no C compiler: %v", err)
	}
	out := filepath.Join(t.TempDir(), "pipeline")
	c := exec.Command(gcc, "-O2", "-g", fmt.Sprintf("-DTRANSFORM=%d", transform), "-o", out, "../../testdata/workload/pipeline.c")
	if msg, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	return out
}

// TestGate lets two builds of a program take turns. One of a function that takes 20 % longer fails, and no other function
// does; one of the same source passes. Noise makes neither go wrong but with the error that a check states; where a busy
// machine leaves it undecided there are more runs, as the check advises. Joules are those of the model, the only source that
// there is everywhere. They depend on what else runs: their limit is one that 20 % cannot exceed, and they have to keep it.
func TestGate(t *testing.T) {
	needSampling(t)
	for _, test := range []struct {
		name        string
		transform   int    // percent of the usual work
		time, model string // limits; eight runs keep the time apart from its limit at a noise of 5 %, joules at 8 %
		decision    string
	}{
		{"20 % slower", 120, "+4%", "+60%", "fail"},
		{"the same", 100, "+15%", "+30%", "pass"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := buildPipeline(t, 100)+" 3", buildPipeline(t, test.transform)+" 3"
			for runs := 8; ; runs *= 2 {
				dir := filepath.Join(t.TempDir(), "runs")
				energyprof(t, 0, "bench", "-q", "-r", strconv.Itoa(runs), "--energy", "model", "-o", dir, "--ab", a, b)
				c, text := check(t, "--allow-model", "--baseline", filepath.Join(dir, "a"), "--min-seconds", "0.02", "--max-time", test.time, "--function-time", ".="+test.time,
					"--max-energy", test.model, "--function", ".="+test.model, filepath.Join(dir, "b"))
				if c.undecided() && runs < 64 {
					t.Logf("%d runs of each build do not decide it here", runs)
					continue
				}
				if c.Decision != test.decision {
					t.Fatalf("the check says %q, want %q\n%s", c.Decision, test.decision, text)
				}
				c.found(t)
				return
			}
		})
	}
}

// check runs it and returns what it says, as it is and as JSON; the exit code has to be that of the decision.
func check(t *testing.T, args ...string) (checked, string) {
	t.Helper()
	out, err := exec.Command("energyprof", append([]string{"check", "--json"}, args...)...).Output()
	var c checked
	if bad := json.Unmarshal(out, &c); bad != nil {
		t.Fatalf("energyprof check %q: %v, %v\n%s", args, err, bad, out)
	}
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	if want := map[string]int{"pass": 0, "fail": exitFailed, "undecided": exitUndecided}[c.Decision]; code != want {
		t.Fatalf("a check that says %q has exit code %d, want %d", c.Decision, code, want)
	}
	return c, string(out)
}

// undecided says that more runs are needed for the whole, or for the function that may have changed.
func (c *checked) undecided() bool {
	for _, v := range c.Verdicts {
		if v.Name == "transform" && v.Decision == "undecided" {
			return true
		}
	}
	return c.Decision == "undecided"
}

// found wants all four functions, and the total, held to their limits of both quantities. Where the check fails it has to be
// for the time of transform; no other function and no joules may fail.
func (c *checked) found(t *testing.T) {
	t.Helper()
	got := map[string]string{}
	for _, v := range c.Verdicts {
		got[v.Limit.Quantity+" of "+v.Name] = v.Decision
		slower := v.Limit.Quantity == "time" && (v.Name == "" || v.Name == "transform")
		if v.Decision == "fail" && !slower {
			t.Errorf("%s, which nothing made so", v.Reason)
		}
	}
	for _, quantity := range []string{"time", "energy_model"} {
		for _, name := range []string{"", "parse", "transform", "checksum", "encode"} {
			if got[quantity+" of "+name] == "" {
				t.Errorf("%s of %q was not checked", quantity, name)
			}
		}
	}
	if d := got["time of transform"]; d != c.Decision {
		t.Errorf("the check says %q, of the time of transform %q", c.Decision, d)
	}
	if t.Failed() {
		t.Logf("the verdicts are %v", got)
	}
}
