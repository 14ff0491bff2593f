package launch

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// shimName is argv[0] of the process that waits for the go-ahead and then
// becomes the command.
const shimName = "energyprof-exec"

func init() {
	if len(os.Args) > 0 && os.Args[0] == shimName {
		runtime.LockOSThread() // init runs on the main thread: stay there
		runShim(os.Args[1:])
	}
}

// usageSize is the length of the message that says that the shim is ready: its
// user and system time so far, in ns.
const usageSize = 16

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
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		os.Exit(125)
	}
	var ready [usageSize]byte
	binary.NativeEndian.PutUint64(ready[0:], uint64(used.Utime.Nano()))
	binary.NativeEndian.PutUint64(ready[8:], uint64(used.Stime.Nano()))
	if _, err := unix.Write(fail, ready[:]); err != nil {
		os.Exit(125)
	}
	var b [1]byte
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
