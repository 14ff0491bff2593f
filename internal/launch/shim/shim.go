// Package shim is the process that waits to become a command: this same executable, started
// anew under the name Name. Whatever program imports the package takes part in it.
//
// It does all of it while the program's packages are being initialised, and with as few imports as
// can be: Go initialises packages in order of their paths as soon as their imports are (the
// specification says so), so this one comes right behind syscall and before nearly everything else. The time that a
// command waits for its start is half of what it would be in main.
package shim

import (
	"runtime"
	"strconv"
	"syscall"
)

// Name is argv[0] of the process that waits for the go-ahead and then becomes the command.
// The arguments behind it are a descriptor to read the go-ahead from, one to report to, the path of the command's
// file, and its arguments, from argv[0] on.
const Name = "energyprof-exec"

// ReadySize is the length of the first message, which says that the shim waits: its user and
// system time so far in ns, 8 bytes each, the lowest first.
const ReadySize = 16

// FailureSize is the length of the second message, which comes where the execve failed: the
// errno, the lowest byte first. A successful execve closes the descriptor.
const FailureSize = 4

// Exit codes.
const (
	exitOurs   = 125 // it was not started as it should be, or the profiler went away
	exitFailed = 126 // the command could not be executed
)

func init() {
	if args := arguments(); len(args) > 0 && args[0] == Name {
		runtime.LockOSThread() // initialisation runs on the main thread: stay there
		run(args[1:])
	}
}

// arguments are those of the process if it is the shim. Package os, which knows them, has not been
// initialised yet.
func arguments() []string {
	fd, err := syscall.Open("/proc/self/cmdline", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	text := make([]byte, 0, 512)
	for {
		n, err := syscall.Read(fd, text[len(text):cap(text)])
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			break
		}
		text = text[:len(text)+n]
		if len(text) <= len(Name) || string(text[:len(Name)+1]) != Name+"\x00" {
			return nil
		}
		if len(text) == cap(text) {
			text = append(text, make([]byte, len(text))...)[:len(text)]
		}
	}
	var args []string
	begin := 0
	for i, c := range text {
		if c == 0 {
			args = append(args, string(text[begin:i]))
			begin = i + 1
		}
	}
	return args
}

// run waits for the go-ahead and executes args[3:] under the path args[2]. It does not return.
func run(args []string) {
	if len(args) < 4 {
		syscall.Exit(exitOurs)
	}
	wait, err1 := strconv.Atoi(args[0])
	report, err2 := strconv.Atoi(args[1])
	if err1 != nil || err2 != nil {
		syscall.Exit(exitOurs)
	}
	syscall.CloseOnExec(wait)
	syscall.CloseOnExec(report)
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		syscall.Exit(exitOurs)
	}
	var ready [ReadySize]byte
	put(ready[:8], uint64(used.Utime.Nano()))
	put(ready[8:], uint64(used.Stime.Nano()))
	if _, err := syscall.Write(report, ready[:]); err != nil {
		syscall.Exit(exitOurs)
	}
	var b [1]byte
	for {
		n, err := syscall.Read(wait, b[:])
		if err == syscall.EINTR {
			continue
		}
		if n != 1 {
			syscall.Exit(exitOurs) // the profiler went away before the start
		}
		break
	}
	path, argv, env := args[2], args[3:], syscall.Environ()
	err := syscall.Exec(path, argv, env)
	if err == syscall.ENOEXEC {
		// A script without an interpreter line runs under the shell, as execvp(3) does it.
		err = syscall.Exec("/bin/sh", append([]string{"sh", path}, argv[1:]...), env)
	}
	errno, _ := err.(syscall.Errno)
	var failure [FailureSize]byte
	put(failure[:], uint64(errno))
	syscall.Write(report, failure[:])
	syscall.Exit(exitFailed)
}

func put(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
}
