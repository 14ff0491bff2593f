package counting

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/uncore"
)

// workerEnv makes the test binary a workload; see runWorker.
const workerEnv = "ENERGYPROF_TEST_WORKER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(workerEnv); spec != "" {
		runWorker(spec)
	}
	os.Exit(m.Run())
}

// runWorker is a process of so many threads at a time that burn CPU time, one after
// another of those that are given, "THREADS TIMES EACH EXIT"; or "tsc", which counts.
func runWorker(spec string) {
	if spec == "tsc" {
		countTSC()
		os.Exit(0)
	}
	var threads, times, exit int
	var each string
	if _, err := fmt.Sscan(spec, &threads, &times, &each, &exit); err != nil {
		panic(err)
	}
	d, err := time.ParseDuration(each)
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for range times {
		var wg sync.WaitGroup
		for range threads {
			wg.Go(func() {
				runtime.LockOSThread() // ends with the goroutine
				for used := threadTime(); threadTime()-used < d; {
					x := 1.0
					for range 10000 {
						x *= 1.0000001
					}
					runtime.KeepAlive(x)
				}
			})
		}
		wg.Wait()
	}
	os.Exit(exit)
}

func threadTime() time.Duration { return clockOf(unix.CLOCK_THREAD_CPUTIME_ID) }

func clockOf(clock int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func events(t *testing.T, spec string) *uncore.Events {
	t.Helper()
	e, err := uncore.Machine{}.Events(spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func run(t *testing.T, opt Options, each func(Reading) error) *Result {
	t.Helper()
	result, err := Count(opt, each)
	if errors.Is(err, os.ErrPermission) && os.Getenv("CI") != "true" {
		t.Skipf("perf events are not allowed here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(result.Close)
	return result
}

// totals are the rows of a reading by event.
func totals(opt Options, r Reading) []Row {
	return Aggregate(len(opt.Events.Terms()), r.Counters, r.Counts, Total, nil)
}

func counted(t *testing.T, row Row) float64 {
	t.Helper()
	if row.State != Counted || row.Share != 1 {
		t.Fatalf("event %d: state %d (%v), share %g; want it counted all of the time", row.Term, row.State, row.Err, row.Share)
	}
	return row.Value
}

func TestCommand(t *testing.T) {
	t.Setenv(workerEnv, "2 3 20ms 7")
	opt := Options{Events: events(t, "task-clock,{page-faults,minor-faults,task-clock}"), Command: []string{self(t)}, Repeats: 3}
	result := run(t, opt, nil)
	if len(result.Runs) != 3 {
		t.Fatalf("%d runs, want 3", len(result.Runs))
	}
	for i, r := range result.Runs {
		rows := totals(opt, r.Reading)
		if len(rows) != 4 {
			t.Fatalf("%d rows, want one for each event", len(rows))
		}
		clock := time.Duration(counted(t, rows[0]))
		// Nothing of the repeats before, and as much as the threads burnt.
		if used := r.User + r.System; clock < 120*time.Millisecond || clock > used+used/20 || clock < used-used/10 {
			t.Errorf("repeat %d: task-clock %v, want more than 120 ms and about the %v of wait4", i, clock, used)
		}
		if faults, minor := counted(t, rows[1]), counted(t, rows[2]); faults < minor || minor < 100 {
			t.Errorf("repeat %d: %g page faults, %g of them minor", i, faults, minor)
		}
		a, b := r.Counts[1], r.Counts[3]
		if r.Counters[1].Group != r.Counters[3].Group || r.Counters[0].Group == r.Counters[1].Group || a.Enabled != b.Enabled || a.Running != b.Running {
			t.Errorf("repeat %d: counters %+v with %+v and %+v: a group has the same times", i, r.Counters, a, b)
		}
		if r.Repeat != i || r.Exit == nil || *r.Exit != (launch.Exit{Code: 7}) || r.Elapsed <= 0 || r.Elapsed > time.Duration(r.To-r.From) {
			t.Errorf("repeat %d: number %d, exit %+v, elapsed %v of %v", i, r.Repeat, r.Exit, r.Elapsed, time.Duration(r.To-r.From))
		}
	}
	if len(result.Notes) > 0 {
		t.Errorf("notes %v, want none", result.Notes)
	}
}

func TestCommandThatCannotRun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"no-such-command-anywhere", script} {
		_, err := Count(Options{Events: events(t, "task-clock"), Command: []string{command}}, nil)
		if !errors.Is(err, launch.ErrNotFound) || !strings.Contains(err.Error(), command) {
			t.Errorf("%v, want that %s was not found", err, command)
		}
	}
}

// The intervals follow each other without a gap, and are together what the repeat is.
func TestIntervalsAddUp(t *testing.T) {
	t.Setenv(workerEnv, "2 5 20ms 0")
	opt := Options{Events: events(t, "task-clock,page-faults"), Command: []string{self(t)}, Interval: 15 * time.Millisecond, Energy: &rising{}}
	var readings []Reading
	r := run(t, opt, func(r Reading) error { readings = append(readings, r); return nil }).Runs[0]
	if len(readings) < 3 {
		t.Fatalf("%d intervals, want those of 100 ms and more", len(readings))
	}
	sum := make([]uint64, 2)
	joules := make([]float64, 2)
	at := r.From
	for i, reading := range readings {
		if reading.From != at || reading.To <= at {
			t.Errorf("interval %d is of (%d, %d], want it to begin at %d", i, reading.From, reading.To, at)
		}
		at = reading.To
		for j := range sum {
			sum[j] += reading.Counts[j].Value
			joules[j] += reading.Joules[j]
		}
	}
	if at != r.To {
		t.Errorf("the last interval ends at %d, the repeat at %d", at, r.To)
	}
	for j := range sum {
		if sum[j] != r.Counts[j].Value || joules[j] != r.Joules[j] || joules[j] == 0 {
			t.Errorf("%d and %g J in intervals, %d and %g J in all", sum[j], joules[j], r.Counts[j].Value, r.Joules[j])
		}
	}
}

// rising is a source whose domains use a joule and two between one reading and the next.
type rising struct{ readings float64 }

func (r *rising) Info() rapl.Info { return rapl.Info{Domains: make([]rapl.Domain, 2)} }
func (r *rising) Close() error    { return nil }

func (r *rising) Read(joules []float64) (rapl.Moment, error) {
	r.readings++
	joules[0], joules[1] = r.readings, 2*r.readings
	return rapl.Moment{}, nil
}

func TestSignal(t *testing.T) {
	opt := Options{Events: events(t, "task-clock"), Command: []string{"sleep", "60"}, Interval: 10 * time.Millisecond, Repeats: 5}
	sent := false
	result := run(t, opt, func(r Reading) error {
		if !sent {
			sent = true
			return syscall.Kill(os.Getpid(), syscall.SIGTERM)
		}
		return nil
	})
	if result.Signal != syscall.SIGTERM || len(result.Runs) != 1 {
		t.Fatalf("signal %v after %d repeats, want SIGTERM in the first", result.Signal, len(result.Runs))
	}
	if exit := result.Runs[0].Exit; exit == nil || *exit != (launch.Exit{Signal: syscall.SIGTERM}) {
		t.Errorf("exit %+v, want the signal", exit)
	}
}

// What takes the readings may have had enough of them.
func TestReadingsNobodyWants(t *testing.T) {
	enough := errors.New("enough")
	readings := 0
	_, err := Count(Options{Events: events(t, "cpu-clock"), All: true, Interval: 10 * time.Millisecond}, func(Reading) error {
		if readings++; readings == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || readings != 2 {
		t.Errorf("%v after %d readings, want it to end with the error of the second", err, readings)
	}
}

// A limit of open files that was raised for the counters is not the next repeat's command's.
func TestFileLimitOfRepeats(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	defer unix.Prlimit(0, unix.RLIMIT_NOFILE, &limit, nil)
	file := filepath.Join(t.TempDir(), "limits")
	opt := Options{Events: events(t, "task-clock"), Command: []string{"sh", "-c", "ulimit -n >>" + file}, Interval: time.Hour, Repeats: 2}
	run(t, opt, func(Reading) error { // of one repeat's end; another limit, as moreFiles sets it
		return unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit.Cur - 1, Max: limit.Max}, nil)
	})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(text)); len(got) != 2 || got[0] != got[1] {
		t.Errorf("limits of open files of the repeats: %v, want the same of both", got)
	}
}

// A signal that is only passed on does not let the next repeat begin beside the command.
func TestPassedOnBetweenRepeats(t *testing.T) {
	opt := Options{Events: events(t, "task-clock"), Command: []string{"sh", "-c", "trap : USR1; sleep 0.3"},
		Interval: 10 * time.Millisecond, Duration: 50 * time.Millisecond, Repeats: 2}
	var begin int64
	result := run(t, opt, func(r Reading) error {
		if begin == 0 {
			begin = r.From
		}
		if r.Repeat == 0 && r.To-begin >= int64(opt.Duration) { // the last one
			return syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		}
		return nil
	})
	if len(result.Runs) != 2 || result.Runs[0].Exit == nil {
		t.Errorf("%d repeats, the first command's exit %+v: want 2, and it to have ended before the second", len(result.Runs), result.Runs[0].Exit)
	}
}
