package counting

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waiter sleeps until one of several files has something to read, or until it is time.
//
// It sleeps in the runtime's own poller, with nothing for the scheduler to run: a goroutine in
// poll(2) would keep its place for 10 ms, in which the runtime's monitor wakes up
// every 20 us to look after it, at the cost of context switches for a command that shares the CPU.
type waiter struct {
	file *os.File // an epoll instance
	conn syscall.RawConn
	fds  []int
}

func newWaiter() (*waiter, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		// Only then does the runtime take it for a file that can be waited for.
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("waiting: %w", err)
	}
	w := &waiter{file: os.NewFile(uintptr(fd), "epoll")}
	w.conn, err = w.file.SyscallConn()
	return w, err
}

// add makes fd one to wait for.
func (w *waiter) add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	var err error
	if failed := w.conn.Control(func(epoll uintptr) { err = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &event) }); failed != nil || err != nil {
		return fmt.Errorf("waiting for file %d: %w", fd, errors.Join(failed, err))
	}
	w.fds = append(w.fds, fd)
	return nil
}

// remove takes fd out.
func (w *waiter) remove(fd int) {
	w.conn.Control(func(epoll uintptr) { unix.EpollCtl(int(epoll), unix.EPOLL_CTL_DEL, fd, nil) })
	w.fds = slices.DeleteFunc(w.fds, func(f int) bool { return f == fd })
}

// wait gives those that are ready; none when until (CLOCK_MONOTONIC, ns) is past, -1 for no
// such time.
func (w *waiter) wait(until int64) (ready []int, err error) {
	var deadline time.Time
	if until >= 0 {
		// A file whose deadline is past is not looked at: whoever is late time after time would
		// never see what is ready.
		deadline = time.Now().Add(max(time.Millisecond, time.Duration(until-monotonic())))
	}
	if err := w.file.SetReadDeadline(deadline); err != nil {
		return nil, fmt.Errorf("waiting: %w", err)
	}
	events := make([]unix.EpollEvent, len(w.fds))
	n := 0
	failed := w.conn.Read(func(epoll uintptr) bool {
		for {
			if n, err = unix.EpollWait(int(epoll), events, 0); err != unix.EINTR {
				return err != nil || n > 0
			}
		}
	})
	if errors.Is(failed, os.ErrDeadlineExceeded) {
		return nil, nil
	}
	if err = errors.Join(failed, err); err != nil {
		return nil, fmt.Errorf("waiting: %w", err)
	}
	for _, e := range events[:n] {
		ready = append(ready, int(e.Fd))
	}
	return ready, nil
}

func (w *waiter) close() { w.file.Close() }
