package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch/shim"
)

// ErrNotFound and ErrNotExecutable tell why a command could not be started, in
// the terms of env(1): exit code 127 and 126.
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("command cannot be executed")
)

// Command is a process that has been forked but has not yet executed what the
// user asked for, until Go.
//
// enable_on_exec acts on the task that calls execve, and the task that
// survives an execve of a threaded program is the thread group leader: a Go
// program that executes off its main thread loses the events with no error.
// So the shim is this same executable, with its main thread held from init on.
type Command struct {
	PID   int
	PIDFD int // readable once the command has ended; -1 after Wait and Abandon

	args    []string
	process *os.Process
	goAhead *os.File // one byte lets the shim execute
	failure *os.File // the shim's usage when it is ready, then the errno of a failed execve; closed by a successful one
	before  Usage    // CPU time before the command was executed
}

// Usage is CPU time of a command and of the children that it waited for, of
// wait4(2) without what the launcher used before.
type Usage struct{ User, System time.Duration }

// Exit is how a command ended.
type Exit struct {
	Code   int            // exit code, when Signal is 0
	Signal syscall.Signal // the signal that killed it
}

// find resolves the command's file as execvp(3) would, so that what is
// wrong is known before anything is opened.
func find(name string) (string, error) {
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

// Start forks a process that waits to become the command args[0] with the
// arguments behind it. It shares our process group, standard files and every
// other inherited descriptor, so that job control, a make jobserver and
// redirections work as if we were not there. The errors wrap ErrNotFound or
// ErrNotExecutable where the command is at fault.
func Start(args []string) (*Command, error) {
	path, err := find(args[0])
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
	c := &Command{
		PIDFD:   -1,
		args:    args,
		goAhead: os.NewFile(uintptr(wait[1]), "go-ahead"),
		failure: os.NewFile(uintptr(fail[0]), "exec failure"),
	}
	argv := append([]string{shim.Name, strconv.Itoa(wait[0]), strconv.Itoa(fail[1]), path}, args...)
	c.process, err = os.StartProcess("/proc/self/exe", argv, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	unix.Close(wait[0])
	unix.Close(fail[1])
	if err == nil {
		c.PID = c.process.Pid
		c.PIDFD, err = unix.PidfdOpen(c.PID, 0)
	}
	if err == nil {
		err = c.ready()
	}
	if err != nil {
		c.Abandon()
		return nil, fmt.Errorf("starting the launcher: %w", err)
	}
	return c, nil
}

// ready waits until the shim runs. StartProcess returns too early for that: the
// kernel closes the descriptors and lets the parent go on (do_close_on_exec and
// exec_mm_release in begin_new_exec) before it comes to perf_event_exec, and an
// event that is opened in between is turned on by the shim's own execve and
// samples the start of the shim as if it were the command's.
func (c *Command) ready() error {
	var b [shim.ReadySize]byte
	if _, err := io.ReadFull(c.failure, b[:]); err != nil {
		return fmt.Errorf("it ended before it was ready: %w", err)
	}
	c.before.User = time.Duration(binary.LittleEndian.Uint64(b[0:]))
	c.before.System = time.Duration(binary.LittleEndian.Uint64(b[8:]))
	return nil
}

// Go lets the process execute the command, waits until it has, and reports why it could
// not; then the process has ended.
func (c *Command) Go() error {
	if err := c.Begin(); err != nil {
		return err
	}
	return c.Began()
}

// Begin is the first half of Go: it does not wait. Whoever waits for the execve is woken by
// it, at the cost of a context switch in the command's first microseconds.
func (c *Command) Begin() error {
	// What the shim said of itself is some time ago. What it does to execute is system time.
	c.before.System = max(c.before.System, ranFor(c.PID)-c.before.User)
	_, err := c.goAhead.Write([]byte{1})
	c.goAhead.Close()
	if err != nil {
		c.Abandon()
		return fmt.Errorf("starting %s: the launcher is gone: %w", c.args[0], err)
	}
	return nil
}

// Began is the second half of Go. It waits until the command has been executed or has
// failed to be.
func (c *Command) Began() error {
	defer c.failure.Close()
	var e [shim.FailureSize]byte
	n, _ := c.failure.Read(e[:])
	if n < len(e) {
		return nil // closed by execve
	}
	errno := syscall.Errno(binary.LittleEndian.Uint32(e[:]))
	c.process.Wait()
	c.closePIDFD()
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

// Abandon ends a process that has not executed anything yet.
func (c *Command) Abandon() {
	c.goAhead.Close()
	c.failure.Close()
	if c.process != nil {
		c.process.Kill()
		c.process.Wait()
	}
	c.closePIDFD()
}

func (c *Command) closePIDFD() {
	if c.PIDFD >= 0 {
		unix.Close(c.PIDFD)
		c.PIDFD = -1
	}
}

// Signal passes sig on to the command, unless the terminal has sent it already.
// It may be called from any goroutine at any time.
func (c *Command) Signal(sig syscall.Signal) {
	if !deliveredByTerminal(sig, c.PID) {
		c.process.Signal(sig)
	}
}

// Ended waits for the command's end, but not for longer than limit.
func (c *Command) Ended(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		ts := unix.NsecToTimespec(int64(max(0, time.Until(deadline))))
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(c.PIDFD), Events: unix.POLLIN}}, &ts, nil)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n > 0
	}
}

// Wait reaps the command, when it has ended.
func (c *Command) Wait() (Exit, Usage, error) {
	state, err := c.process.Wait()
	c.closePIDFD()
	if err != nil {
		return Exit{}, Usage{}, fmt.Errorf("waiting for %s: %w", c.args[0], err)
	}
	used := c.used(Usage{User: state.UserTime(), System: state.SystemTime()})
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return Exit{Signal: status.Signal()}, used, nil
	}
	return Exit{Code: status.ExitStatus()}, used, nil
}

// used takes the shim's share out of what the kernel says of the process. The sum
// is exact; how it parts into user and system time the kernel may have estimated by
// ticks, differently then and now, so what is missing in one part comes from the other.
func (c *Command) used(whole Usage) Usage {
	own := Usage{User: whole.User - c.before.User, System: whole.System - c.before.System}
	if own.User < 0 {
		own = Usage{System: own.System + own.User}
	}
	if own.System < 0 {
		own = Usage{User: max(0, own.User+own.System)}
	}
	own.System = max(0, own.System)
	return own
}
