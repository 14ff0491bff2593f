package counting

import (
	"bufio"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/pmu"
)

// A command may outlive its counting, and be waited for later or before the next repeat.
func TestDurationOfACommand(t *testing.T) {
	t.Setenv(workerEnv, "1 1 200ms 3")
	opt := Options{Events: events(t, "task-clock"), Command: []string{self(t)}, Duration: 20 * time.Millisecond, Repeats: 2}
	result := run(t, opt, nil)
	if !result.Running() || len(result.Runs) != 2 || result.Runs[0].Exit == nil || result.Runs[1].Exit != nil {
		t.Fatalf("running %v, %+v: want the first command to have ended and the second to run", result.Running(), result.Runs)
	}
	if err := result.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, r := range result.Runs {
		if r.Exit == nil || r.Exit.Code != 3 || r.User+r.System < 200*time.Millisecond {
			t.Errorf("repeat %d: exit %+v, used %v", i, r.Exit, r.User+r.System)
		}
		if clock := time.Duration(r.Counts[0].Value); clock > 190*time.Millisecond {
			t.Errorf("repeat %d: %v counted in 20 ms", i, clock)
		}
	}
}

// What ends within its delay has not been counted, which is not a count of zero.
func TestDelayOutlivesTheCommand(t *testing.T) {
	m := &meter{joules: [][]float64{{1}}}
	opt := Options{Events: events(t, "task-clock"), Command: []string{"true"}, Delay: time.Hour, Energy: m}
	r := run(t, opt, nil).Runs[0]
	if row := totals(opt, r.Reading)[0]; row.State != NotCounted {
		t.Errorf("%+v, want it not counted", row)
	}
	if r.Failed == nil || r.Failed[0] == nil {
		t.Errorf("%v joules, %v: want none", r.Joules, r.Failed)
	}
}

// All threads of processes are counted, those that are there and those to come, and none twice.
func TestProcesses(t *testing.T) {
	var pids []int
	for range 2 {
		worker := exec.Command(self(t))
		worker.Env = append(os.Environ(), workerEnv+"=3 1000 5ms 0")
		out, err := worker.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { worker.Process.Kill(); io.Copy(io.Discard, out); worker.Wait() })
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, worker.Process.Pid)
	}
	used := func() (sum time.Duration) {
		for _, pid := range pids {
			sum += clockOf(^int32(pid)<<3 | 2) // clock_getcpuclockid(3)
		}
		return sum
	}
	opt := Options{Events: events(t, "task-clock,{task-clock,page-faults}"), PIDs: append(pids, pids[0]), Duration: 300 * time.Millisecond}
	before := used()
	r := run(t, opt, nil).Runs[0]
	most := used() - before
	rows := totals(opt, r.Reading)
	for _, row := range rows[:2] {
		if clock := time.Duration(counted(t, row)); clock > most || clock < most/2 {
			t.Errorf("event %d: %v counted, want most of %v", row.Term, clock, most)
		}
	}
	if r.Exit != nil || r.Elapsed != time.Duration(r.To-r.From) {
		t.Errorf("exit %+v, elapsed %v; there is no command", r.Exit, r.Elapsed)
	}
}

func TestNoProcess(t *testing.T) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	thread, err := strconv.Atoi(threads[len(threads)-1].Name()) // not the first, whose id is the process's
	if err != nil || thread == os.Getpid() {
		t.Fatalf("%v, %v: want threads of the runtime", threads, err)
	}
	for _, pid := range []int{1 << 30, thread} {
		if _, err := Count(Options{Events: events(t, "task-clock"), PIDs: []int{pid}}, nil); !errors.Is(err, ErrNoProcess) {
			t.Errorf("process %d: %v, want %v", pid, err, ErrNoProcess)
		}
	}
}

// The clock of a CPU counts time, whatever runs; beside a command it does so while that runs.
func TestWholeCPUs(t *testing.T) {
	online, err := pmu.NewFS("", "").OnlineCPUs()
	if err != nil {
		t.Fatal(err)
	}
	last := online[len(online)-1]
	for _, opt := range []Options{
		{Duration: 50 * time.Millisecond},
		{Duration: 50 * time.Millisecond, CPUs: []int{last}},
		{Command: []string{"sleep", "0.05"}, CPUs: []int{last}},
		{Duration: 20 * time.Millisecond, Repeats: 3},
	} {
		opt.All = true
		opt.Events = events(t, "cpu-clock")
		for _, r := range run(t, opt, nil).Runs {
			rows := Aggregate(1, r.Counters, r.Counts, CPU, nil)
			if opt.CPUs == nil && len(r.Counters) != len(online) || opt.CPUs != nil && (len(r.Counters) != 1 || r.Counters[0].CPU != last) {
				t.Errorf("counters %+v, want one for each CPU", r.Counters)
			}
			for i, c := range r.Counts {
				if c.Value == 0 || math.Abs(float64(c.Value)/float64(c.Enabled)-1) > 0.01 {
					t.Errorf("CPU %d: %d ns in %d ns (%+v)", r.Counters[i].CPU, c.Value, c.Enabled, rows)
				}
			}
		}
	}
	if _, err := Count(Options{All: true, CPUs: []int{60000}, Duration: time.Second, Events: events(t, "cpu-clock")}, nil); err == nil || !strings.Contains(err.Error(), "60000") {
		t.Errorf("%v, want an error that names the CPU", err)
	}
}
