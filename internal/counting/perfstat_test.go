package counting

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/energyprof/energyprof/uncore"
)

// perfStat runs perf stat on a command and gives the value and the enabled time (ns) of each
// event, and what the command printed.
func perfStat(t *testing.T, env string, args ...string) (values, enabled map[string]float64, output string) {
	t.Helper()
	file := t.TempDir() + "/stat"
	c := exec.Command("perf", append([]string{"stat", "-x", ",", "-o", file}, args...)...)
	c.Env = append(os.Environ(), "LC_ALL=C", env) // no decimal commas
	out, err := c.Output()
	if err != nil {
		t.Fatalf("perf %q: %v", c.Args, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	values, enabled = map[string]float64{}, map[string]float64{}
	for _, row := range rows { // value, unit, event, run time, share, ...
		value, err := strconv.ParseFloat(row[0], 64)
		if err != nil {
			t.Fatalf("perf says %q", row)
		}
		ns, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			t.Fatalf("perf says %q", row)
		}
		values[row[2]], enabled[row[2]] = value, ns
	}
	return values, enabled, string(out)
}

func needPerf(t *testing.T, events string) {
	t.Helper()
	if _, err := exec.LookPath("perf"); err != nil {
		t.Skipf("no perf: %v", err)
	}
	if out, err := exec.Command("perf", "stat", "-a", "-e", events, "--", "true").CombinedOutput(); err != nil {
		t.Skipf("perf cannot count %s here: %v: %s", events, err, out)
	}
}

// countTSC is the worker that perf counts beside: it counts the same for itself.
func countTSC() {
	e, err := uncore.Machine{}.Events("msr/tsc/")
	if err != nil {
		panic(err)
	}
	result, err := Count(Options{Events: e, All: true, CPUs: []int{0}, Duration: 300 * time.Millisecond}, nil)
	if err != nil {
		panic(err)
	}
	c := result.Runs[0].Counts[0]
	fmt.Println(c.Value, c.Enabled, c.Running)
}

// The time stamp counter of one CPU, read by perf and by us while both are attached to it.
func TestTSCAsPerfCountsIt(t *testing.T) {
	if _, err := (uncore.Machine{}).Events("msr/tsc/"); err != nil {
		t.Skipf("this machine has no msr PMU: %v", err)
	}
	needPerf(t, "msr/tsc/")
	values, enabled, output := perfStat(t, workerEnv+"=tsc", "-C", "0", "-e", "msr/tsc/", "--", self(t))
	var value, on, running float64
	if _, err := fmt.Sscan(output, &value, &on, &running); err != nil {
		t.Fatalf("the worker says %q: %v", output, err)
	}
	ours, perfs := value/on, values["msr/tsc/"]/enabled["msr/tsc/"]
	if on != running || on < 3e8 || math.Abs(ours/perfs-1) > 1e-3 {
		t.Errorf("%g ticks in %g ns (%g running): %.6f a ns; perf has %.6f", value, on, running, ours, perfs)
	}
}

// The same command, ten times each, in turns.
func TestCountsAsPerfCountsThem(t *testing.T) {
	t.Setenv("LC_ALL", "C") // a locale costs page faults
	names := []string{"task-clock", "page-faults", "context-switches"}
	list := strings.Join(names, ",")
	needPerf(t, list)
	command := []string{"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.001; done"}
	opt := Options{Events: events(t, list), Command: command}
	ours, perfs := map[string][]float64{}, map[string][]float64{}
	for range 10 {
		rows := totals(opt, run(t, opt, nil).Runs[0].Reading)
		values, _, _ := perfStat(t, "", append([]string{"-e", list, "--"}, command...)...)
		for i, name := range names {
			ours[name] = append(ours[name], counted(t, rows[i]))
			perfs[name] = append(perfs[name], values[name])
		}
	}
	for _, name := range names {
		if name == "task-clock" {
			for i := range perfs[name] {
				perfs[name][i] *= 1e6 // perf prints ms
			}
		}
		a, b := Summarize(ours[name]), Summarize(perfs[name])
		noise := math.Hypot(stat.StdErr(a.SD, 10), stat.StdErr(b.SD, 10))
		if difference := math.Abs(a.Mean - b.Mean); difference > 4*noise && difference > 0.02*b.Mean {
			t.Errorf("%s: %v, and perf has %v: means of %g and %g, whose standard error is %g", name, ours[name], perfs[name], a.Mean, b.Mean, noise)
		}
		t.Logf("%s: mean %g, perf %g, standard error of the difference %g", name, a.Mean, b.Mean, noise)
	}
}
