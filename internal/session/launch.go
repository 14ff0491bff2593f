package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// shimName is argv[0] of the process that waits for the go-ahead and then
// becomes the command.
const shimName = "energyprof-exec"

// ErrNotFound and ErrNotExecutable tell why a command could not be started, in
// the terms of env(1): exit code 127 and 126.
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("command cannot be executed")
)

// command is a process that has been forked but has not yet executed what the
// user asked for.
//
// enable_on_exec acts on the task that calls execve, and the task that
// survives an execve of a threaded program is the thread group leader: a Go
// program that executes off its main thread loses the events with no error.
// So the shim is this same executable, with its main thread held from init on.
type command struct {
	args    []string
	process *os.Process
	goAhead *os.File // one byte lets the shim execute
	failure *os.File // a byte when the shim is ready, then the errno of a failed execve; closed by a successful one
	pidfd   int
	shim    time.Duration // CPU time before the command was executed
	used    time.Duration // CPU time since then, of waited-for children too; known after wait
}

func init() {
	if len(os.Args) > 0 && os.Args[0] == shimName {
		runtime.LockOSThread() // init runs on the main thread: stay there
		runShim(os.Args[1:])
	}
}

// runShim waits for the go-ahead and executes args[3:] under the path args[2].
// It does not return.
func runShim(args []string) {
	if len(args) < 4 {
		os.Exit(125)
	}
	wait, err1 := strconv.Atoi(args[0])
	fail, err2 := strconv.Atoi(args[1])
	if err1 != nil || err2 != nil {
		os.Exit(125)
	}
	unix.CloseOnExec(wait)
	unix.CloseOnExec(fail)
	var b [1]byte
	if _, err := unix.Write(fail, b[:]); err != nil {
		os.Exit(125)
	}
	for {
		n, err := unix.Read(wait, b[:])
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			os.Exit(125) // the profiler went away before the start
		}
		break
	}
	path, argv, env := args[2], args[3:], os.Environ()
	err := syscall.Exec(path, argv, env)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without an interpreter line runs under the shell, as execvp(3) does it.
		err = syscall.Exec("/bin/sh", append([]string{"sh", path}, argv[1:]...), env)
	}
	var errno syscall.Errno
	errors.As(err, &errno)
	var e [4]byte
	binary.NativeEndian.PutUint32(e[:], uint32(errno))
	unix.Write(fail, e[:])
	os.Exit(126)
}

// findCommand resolves the command's file as execvp(3) would, so that what is
// wrong is known before anything is opened.
func findCommand(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s: %w: %w", name, ErrNotExecutable, syscall.EACCES)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: %w", name, ErrNotFound)
	default:
		return "", fmt.Errorf("%s: %w: %w", name, ErrNotExecutable, errors.Unwrap(err))
	}
}

// fork starts the shim. The command shares our process group, standard files
// and every other inherited descriptor, so that job control, a make jobserver
// and redirections work as if we were not there.
func fork(args []string) (*command, error) {
	path, err := findCommand(args[0])
	if err != nil {
		return nil, err
	}
	// The shim's ends must survive the fork, at whatever numbers they get:
	// placing them at 3 and 4 would replace descriptors the caller passed.
	var wait, fail [2]int
	if err := unix.Pipe2(wait[:], 0); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	if err := unix.Pipe2(fail[:], 0); err != nil {
		unix.Close(wait[0])
		unix.Close(wait[1])
		return nil, fmt.Errorf("pipe: %w", err)
	}
	unix.CloseOnExec(wait[1])
	unix.CloseOnExec(fail[0])
	c := &command{
		args:    args,
		goAhead: os.NewFile(uintptr(wait[1]), "go-ahead"),
		failure: os.NewFile(uintptr(fail[0]), "exec failure"),
	}
	argv := append([]string{shimName, strconv.Itoa(wait[0]), strconv.Itoa(fail[1]), path}, args...)
	c.process, err = os.StartProcess("/proc/self/exe", argv, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	unix.Close(wait[0])
	unix.Close(fail[1])
	if err == nil {
		c.pidfd, err = unix.PidfdOpen(c.process.Pid, 0)
	}
	if err == nil {
		err = c.ready()
	}
	if err != nil {
		c.abandon()
		return nil, fmt.Errorf("starting the launcher: %w", err)
	}
	return c, nil
}

// ready waits until the shim runs. StartProcess returns too early for that: the
// kernel closes the descriptors and lets the parent go on (do_close_on_exec and
// exec_mm_release in begin_new_exec) before it comes to perf_event_exec, and an
// event that is opened in between is turned on by the shim's own execve and
// samples the start of the shim as if it were the command's.
func (c *command) ready() error {
	var b [1]byte
	if _, err := io.ReadFull(c.failure, b[:]); err != nil {
		return fmt.Errorf("it ended before it was ready: %w", err)
	}
	return nil
}

// start lets the shim execute the command and reports why it could not.
func (c *command) start() error {
	defer c.failure.Close()
	c.shim = ranFor(c.process.Pid)
	_, err := c.goAhead.Write([]byte{1})
	c.goAhead.Close()
	if err != nil {
		return fmt.Errorf("starting %s: the launcher is gone: %w", c.args[0], err)
	}
	var e [4]byte
	n, _ := c.failure.Read(e[:])
	if n < len(e) {
		return nil // closed by execve
	}
	errno := syscall.Errno(binary.NativeEndian.Uint32(e[:]))
	c.process.Wait()
	if errno == syscall.ENOENT {
		// The file is there, so what is missing is its interpreter.
		return fmt.Errorf("%s: %w: its interpreter is missing", c.args[0], ErrNotFound)
	}
	return fmt.Errorf("%s: %w: %w", c.args[0], ErrNotExecutable, errno)
}

// ranFor is the CPU time that a process has used, 0 if it is gone: the clock of
// clock_getcpuclockid(3), whose number is made of the process's.
func ranFor(pid int) time.Duration {
	const scheduler = 2 // what ran, not ticks (CPUCLOCK_SCHED)
	var ts unix.Timespec
	if unix.ClockGettime(^int32(pid)<<3|scheduler, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// abandon ends a shim that has not executed anything yet.
func (c *command) abandon() {
	c.goAhead.Close()
	c.failure.Close()
	if c.process != nil {
		c.process.Kill()
		c.process.Wait()
	}
	if c.pidfd > 0 {
		unix.Close(c.pidfd)
	}
}

// Exit is how a command ended.
type Exit struct {
	Code   int            // exit code, when Signal is 0
	Signal syscall.Signal // the signal that killed it
}

// wait reaps the command.
func (c *command) wait() (Exit, error) {
	state, err := c.process.Wait()
	if c.pidfd > 0 {
		unix.Close(c.pidfd)
		c.pidfd = 0
	}
	if err != nil {
		return Exit{}, fmt.Errorf("waiting for %s: %w", c.args[0], err)
	}
	c.used = max(0, state.UserTime()+state.SystemTime()-c.shim)
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return Exit{Signal: status.Signal()}, nil
	}
	return Exit{Code: status.ExitStatus()}, nil
}
