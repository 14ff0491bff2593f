package bpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// workerEnv makes the test binary a workload, "MODE CPU".
const workerEnv = "ENERGYPROF_BPF_WORKER"

// A workload works in its main thread, whose id is the process's.
func init() {
	if os.Getenv(workerEnv) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if spec := os.Getenv(workerEnv); spec != "" {
		work(spec)
	}
	os.Exit(m.Run())
}

func work(spec string) {
	var mode string
	var cpu int
	if _, err := fmt.Sscan(spec, &mode, &cpu); err != nil {
		panic(err)
	}
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		panic(err)
	}
	switch mode {
	case "spin": // until killed
		fmt.Println("ready")
		spin(time.Minute)
	case "deep": // until killed: 40 frames and more
		fmt.Println("ready")
		for {
			deep(40)
		}
	case "child":
		spin(5 * time.Millisecond)
	case "families": // children one by one, after the go-ahead
		var b [1]byte
		fmt.Println("ready")
		os.Stdin.Read(b[:])
		for range 5 {
			c := exec.Command("/proc/self/exe")
			c.Env = append(os.Environ(), fmt.Sprintf("%s=child %d", workerEnv, cpu))
			var wg sync.WaitGroup
			wg.Go(func() { c.Run() }) // from another thread
			wg.Wait()
		}
	case "namespace": // runs as process 1 of a PID namespace
		a, err := New()
		if err != nil {
			panic(err)
		}
		defer a.Close()
		before := cpuTime(os.Getpid())
		if err := errors.Join(a.Follow(os.Getpid()), a.Start([]int{cpu})); err != nil {
			panic(err)
		}
		spin(100 * time.Millisecond)
		if err := a.Stop(); err != nil {
			panic(err)
		}
		fmt.Println(a.Ran(), cpuTime(os.Getpid())-before)
	}
	os.Exit(0)
}

// cpuTime is what a process has run by its CPU clock, in ns, children left out.
func cpuTime(pid int) int64 {
	var used unix.Timespec
	const scheduler = 2 // CPUCLOCK_SCHED
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &used); err != nil {
		panic(err)
	}
	return used.Nano()
}

// deep calls itself, and in the end the kernel. The race detector's code, which has no tables of its frames, is kept out of it.
//
//go:noinline
//go:norace
func deep(n int) int {
	if n > 0 {
		return deep(n-1) + 1
	}
	unix.RawSyscall(unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0, 0)
	for i := range 20_000 {
		n ^= i * n
	}
	return n
}

func spin(d time.Duration) {
	for end := monotonic() + int64(d); monotonic() < end; {
	}
}

// account makes an Account or skips the test.
func account(t *testing.T) *Account {
	t.Helper()
	a, err := New()
	unavailable(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

// unavailable skips the test if programs cannot be loaded here, which is an error where they should be.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	_, noBTF := os.Stat(kernelBTF)
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 && noBTF == nil && !errors.Is(err, ErrPermission) {
		t.Fatal(err)
	}
	t.Skip(err)
}

// start runs a workload and returns when it is about to work.
func start(t testing.TB, spec string) (*exec.Cmd, *os.File) {
	t.Helper()
	in, goAhead, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), workerEnv+"="+spec)
	c.Stdin = in
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() { goAhead.Close(); c.Process.Kill(); c.Wait() })
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	return c, goAhead
}

// online is the CPUs that this test may use, which will do.
func online(t *testing.T) []int {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	var cpus []int
	for cpu := range 8 * len(set) * 8 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
