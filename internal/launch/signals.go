package launch

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Signals turns asynchronous signals into bytes on a pipe, so that the one
// loop that waits for rings, clocks and processes sees them too.
type Signals struct {
	FD int // readable when Take has something

	in chan os.Signal
	w  *os.File

	mu   sync.Mutex
	pass func(syscall.Signal) // once the loop is over; before, signals go to the pipe

	// second is called from the signal's own goroutine, so that a loop that is
	// busy or stuck cannot hold up a person who asks twice.
	second func(os.Signal)
}

// Catch begins to catch what would otherwise end the profiler without a result:
// INT, TERM, HUP and QUIT, see Ends, and USR1 and USR2, which are only passed on to
// the command. second is called, from another goroutine, for each signal that Ends
// after the first, and is no echo of it.
func Catch(second func(os.Signal)) (*Signals, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	s := &Signals{
		FD:     p[0],
		in:     make(chan os.Signal, 16),
		w:      os.NewFile(uintptr(p[1]), "signals"),
		second: second,
	}
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(sig) { // nohup's HUP stays ignored
			signal.Notify(s.in, sig)
		}
	}
	go s.forward()
	return s, nil
}

// echo is within what time the same signal is the same wish: timeout(1) sends its signal
// to the process and then to the group that it is in.
const echo = 100 * time.Millisecond

func (s *Signals) forward() {
	var first os.Signal
	var since time.Time
	for sig := range s.in {
		if Ends(sig.(syscall.Signal)) {
			switch {
			case first == nil:
				first, since = sig, time.Now()
			case sig == first && time.Since(since) < echo:
				continue
			default:
				s.second(sig)
			}
		}
		s.forwardOne(sig.(syscall.Signal))
	}
	s.w.Close()
}

func (s *Signals) forwardOne(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pass != nil {
		s.pass(sig)
		return
	}
	s.w.Write([]byte{byte(sig)})
}

// Release is called when the loop no longer reads signals: those that wait, and
// all that still come, go to pass.
func (s *Signals) Release(pass func(syscall.Signal)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sig := range s.Take() {
		pass(sig)
	}
	s.pass = pass
}

// Take returns the signals that arrived since the last call.
func (s *Signals) Take() []syscall.Signal {
	var b [64]byte
	n, err := unix.Read(s.FD, b[:])
	if err != nil {
		return nil
	}
	var out []syscall.Signal
	for _, c := range b[:n] {
		out = append(out, syscall.Signal(c))
	}
	return out
}

// Close gives the signals back to their default actions.
func (s *Signals) Close() {
	signal.Stop(s.in)
	close(s.in)
	unix.Close(s.FD)
}

// Ends tells whether sig asks for the end of what the profiler does.
func Ends(sig syscall.Signal) bool {
	return sig == syscall.SIGINT || sig == syscall.SIGTERM || sig == syscall.SIGHUP || sig == syscall.SIGQUIT
}

// deliveredByTerminal tells whether sig most likely came from the terminal, in
// which case the command, a member of the same foreground process group, has
// received it too: a second INT makes many programs skip their clean-up.
func deliveredByTerminal(sig syscall.Signal, pid int) bool {
	if sig != syscall.SIGINT && sig != syscall.SIGQUIT && sig != syscall.SIGHUP {
		return false
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	if err != nil || foreground != syscall.Getpgrp() {
		return false
	}
	group, err := syscall.Getpgid(pid)
	return err == nil && group == foreground
}
