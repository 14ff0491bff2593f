package session

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
)

// workerEnv makes the test binary a workload: "THREADS SECONDS EXIT".
const workerEnv = "ENERGYPROF_TEST_WORKER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(workerEnv); spec != "" {
		runWorker(spec)
	}
	if spec := os.Getenv(toucherEnv); spec != "" {
		runToucher(spec)
	}
	os.Exit(m.Run())
}

func runWorker(spec string) {
	var threads, exit int
	var seconds float64
	if _, err := fmt.Sscan(spec, &threads, &seconds, &exit); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			runtime.LockOSThread()
			pinWorker()
			burnCPU(time.Duration(seconds * float64(time.Second)))
		})
	}
	wg.Wait()
	os.Exit(exit)
}

func threadCPU() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

//go:noinline
func burnCPU(d time.Duration) {
	for begin := threadCPU(); threadCPU()-begin < d; {
		x := 1.0
		for range 100000 {
			x *= 1.0000001
		}
		runtime.KeepAlive(x)
	}
}

func TestCommand(t *testing.T) {
	opt := options(t)
	opt.Command = []string{self(t)}
	t.Setenv(workerEnv, "2 0.3 7")
	sink, result := run(t, opt)
	if result.Exit == nil || *result.Exit != (launch.Exit{Code: 7}) {
		t.Errorf("exit %+v, want code 7", result.Exit)
	}
	if len(sink.comms) != 1 || !strings.HasPrefix(filepath.Base(opt.Command[0]), sink.comms[0]) {
		t.Errorf("execs %q, want one of %s: the start of the command was missed", sink.comms, opt.Command[0])
	}
	if sink.mmaps < 1 || sink.forks < 2 {
		t.Errorf("%d mappings and %d forks, want the executable and two threads at least", sink.mmaps, sink.forks)
	}
	// Two threads of 0.3 s of CPU each, and all of what the kernel says ran.
	if s := sink.seconds(func(sample) bool { return true }); s < 0.55 || s > 1.5*result.Ran.Seconds() {
		t.Errorf("%.3f s sampled of %.3f s that the kernel counted", s, result.Ran.Seconds())
	}
	if deep := sink.samples[len(sink.samples)/2].depth; deep < 3 {
		t.Errorf("a callchain of %d entries", deep)
	}
	if sink.busyNS == 0 && sink.othersNS == 0 {
		t.Error("no account of who else ran")
	}
}

func TestCommandThatCannotStart(t *testing.T) {
	opt := options(t)
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		name, command string
		want          error
	}{
		{"missing", filepath.Join(dir, "missing"), launch.ErrNotFound},
		{"not in PATH", "no-such-command-anywhere", launch.ErrNotFound},
		{"no permission", file("plain", "#!/bin/sh\n", 0o644), launch.ErrNotExecutable},
		{"directory", dir, launch.ErrNotExecutable},
		{"garbage", file("garbage", "\x7fELF\x00\x00\x00", 0o755), nil},
		{"no interpreter", file("script", "#!/no/such/interpreter\n", 0o755), launch.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			opt.Command = []string{test.command}
			result, err := Run(opt, &recorder{t: t})
			if test.want == nil { // the shell runs it and says what it thinks of it
				if err != nil || result.Exit == nil || result.Exit.Code == 0 {
					t.Errorf("%+v, %v, want the shell's exit code", result, err)
				}
				result.Close()
				return
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.command) {
				t.Errorf("%v, want %v naming %s", err, test.want, test.command)
			}
		})
	}
}

func TestScriptWithoutInterpreterLine(t *testing.T) {
	opt := options(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("exit $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	opt.Command = []string{script, "5"}
	_, result := run(t, opt)
	if *result.Exit != (launch.Exit{Code: 5}) {
		t.Errorf("exit %+v, want what the script said", result.Exit)
	}
}

func TestDelayAndDuration(t *testing.T) {
	opt := options(t)
	opt.Command = []string{self(t)}
	opt.Delay, opt.Duration = 200*time.Millisecond, 200*time.Millisecond
	t.Setenv(workerEnv, "1 1 0")
	sink, result := run(t, opt)
	if len(sink.comms) != 1 {
		t.Errorf("execs %q: the sideband must not wait for the delay", sink.comms)
	}
	got := time.Duration(result.End - result.Start)
	if got < opt.Duration || len(sink.samples) == 0 || sink.seconds(func(sample) bool { return true }) > got.Seconds()*float64(runtime.NumCPU()) {
		t.Errorf("recorded %v with %d samples, want %v", got, len(sink.samples), opt.Duration)
	}
	from := max(sink.busyFrom, sink.othersFrom)
	if early := result.Start - from; from != 0 && early > int64(opt.Delay)/2 {
		t.Errorf("busy time from %v before the first sample: it would all be other processes'", time.Duration(early))
	}
	if !result.Running() {
		t.Error("the command has ended, want it to go on")
	}
	if err := result.Wait(); err != nil || *result.Exit != (launch.Exit{}) {
		t.Errorf("%v, exit %+v", err, result.Exit)
	}
}

// startWorker runs a workload and returns when it is about to work.
func startWorker(t *testing.T, spec string) *exec.Cmd {
	t.Helper()
	return startSelf(t, workerEnv+"="+spec)
}

// startSelf runs this program with one more variable, and returns when it is ready.
func startSelf(t *testing.T, env string) *exec.Cmd {
	t.Helper()
	c := exec.Command(self(t))
	c.Env = append(os.Environ(), env)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAttach(t *testing.T) {
	opt := options(t)
	// The threads are born while we attach, which does not wait for an account.
	opt.NoBPF = true
	c := startWorker(t, "6 0.2 0")
	opt.PIDs = []int{c.Process.Pid}
	sink, result := run(t, opt)
	if len(sink.existing) != 1 || sink.existing[0] != c.Process.Pid {
		t.Errorf("existing processes %v, want %d", sink.existing, c.Process.Pid)
	}
	total := sink.seconds(func(s sample) bool { return int(s.pid) == c.Process.Pid })
	if total == 0 || total != sink.seconds(func(sample) bool { return true }) {
		t.Errorf("%.3f s of the process", total)
	}
	state, err := c.Process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	used := (state.UserTime() + state.SystemTime()).Seconds()
	// A thread that counted twice would show as a sixth too much.
	if total > used*1.08+0.01 {
		t.Errorf("%.3f s sampled of %.3f s used: a thread counted twice", total, used)
	}
	if result.Exit != nil {
		t.Errorf("exit %+v of a command that is not there", result.Exit)
	}
}

func TestAttachToNobody(t *testing.T) {
	opt := options(t)
	opt.PIDs = []int{1 << 22}
	if _, err := Run(opt, &recorder{t: t}); !errors.Is(err, ErrNoProcess) || !strings.Contains(err.Error(), strconv.Itoa(1<<22)) {
		t.Errorf("%v, want %v", err, ErrNoProcess)
	}
}

func TestSystemWide(t *testing.T) {
	opt := options(t)
	if os.Geteuid() != 0 {
		t.Skip("recording all CPUs needs root here")
	}
	c := startWorker(t, "1 5 0")
	opt.All, opt.Duration = true, 300*time.Millisecond
	sink, _ := run(t, opt)
	if s := sink.seconds(func(s sample) bool { return int(s.pid) == c.Process.Pid }); s == 0 {
		t.Error("no sample of the one process that surely runs")
	}
	if sink.busyNS != 0 || sink.othersNS != 0 {
		t.Error("a system-wide recording needs no account of others")
	}
}

// allowFrequency sees to it that the kernel allows this many samples per second.
// It may have found that this machine is too slow for so many.
func allowFrequency(t *testing.T, hertz int) {
	t.Helper()
	const file = "/proc/sys/kernel/perf_event_max_sample_rate"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if limit >= hertz {
		return
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(hertz)), 0); err != nil {
		t.Skipf("the kernel allows %d samples per second: %v", limit, err)
	}
	t.Cleanup(func() { os.WriteFile(file, text, 0) })
}

func TestLossIsCounted(t *testing.T) {
	opt := options(t)
	const frequency = 20000
	allowFrequency(t, frequency)
	opt.Pages, opt.Events[0].Frequency = 1, frequency
	opt.Command = []string{self(t)}
	t.Setenv(workerEnv, "2 0.5 0")
	sink, result := run(t, opt)
	if sink.lost == 0 || result.Books.Total().Lost != sink.lost {
		t.Errorf("%d records lost in the stream, %d in the books: a ring of one page at 20 kHz loses some", sink.lost, result.Books.Total().Lost)
	}
}
