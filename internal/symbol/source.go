package symbol

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileKey tells files apart, and a file from what it was before it changed.
type fileKey struct {
	dev, ino  uint64
	size      int64
	sec, nsec int64
}

func keyOf(st *unix.Stat_t) fileKey {
	return fileKey{uint64(st.Dev), st.Ino, st.Size, int64(st.Mtim.Sec), int64(st.Mtim.Nsec)}
}

// source is a regular file that is read at offsets. One beyond the limit of
// open files rests closed and is opened by path when it is read.
type source struct {
	f     *os.File
	path  string
	key   fileKey
	rests bool
}

func (s *source) ReadAt(b []byte, off int64) (int, error) {
	if s.f == nil {
		fd, st, err := openPath(s.path)
		if err != nil {
			return 0, err
		}
		defer unix.Close(fd)
		if keyOf(&st) != s.key {
			return 0, fmt.Errorf("%s: %w", s.path, ErrReplaced)
		}
		if s.f, err = openForReading(fd, s.path); err != nil {
			return 0, err
		}
	}
	return s.f.ReadAt(b, off)
}

func (s *source) rest() {
	if s != nil && s.rests {
		s.close()
	}
}

func (s *source) close() error {
	if s == nil || s.f == nil {
		return nil
	}
	f := s.f
	s.f = nil
	return f.Close()
}

// openPath gets hold of a file without opening it (O_PATH): to open a device
// can have effects, to open a FIFO can block. Only a regular file is good.
func openPath(path string) (fd int, st unix.Stat_t, err error) {
	fd, err = retry(func() (int, error) { return unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, st, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return checkRegular(fd, path)
}

// openBelow is openPath of name in the directory tree root, whose symbolic
// links then mean what they mean to processes that live in it.
func openBelow(root, name string, nofollow bool) (fd int, st unix.Stat_t, err error) {
	name = strings.TrimLeft(name, "/")
	dir, err := retry(func() (int, error) {
		return unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, st, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	if nofollow {
		how.Flags |= unix.O_NOFOLLOW
	}
	// EAGAIN: a rename raced with the walk.
	for range 8 {
		fd, err = retry(func() (int, error) { return unix.Openat2(dir, name, &how) })
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	// Before Linux 5.6, or below a seccomp filter that does not know the call:
	// without its protection links are not followed at the end, and what is
	// found has to prove itself as always.
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		fd, err = retry(func() (int, error) {
			return unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		})
	}
	if err != nil {
		return -1, st, &os.PathError{Op: "open", Path: root + "/" + name, Err: err}
	}
	return checkRegular(fd, root+"/"+name)
}

func checkRegular(fd int, path string) (int, unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	switch {
	case err != nil:
		err = &os.PathError{Op: "stat", Path: path, Err: err}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = fmt.Errorf("%s: %w", path, ErrNoFile)
	default:
		return fd, st, nil
	}
	unix.Close(fd)
	return -1, st, err
}

// openForReading opens for reading what an O_PATH descriptor refers to.
func openForReading(fd int, path string) (*os.File, error) {
	self := "/proc/self/fd/" + strconv.Itoa(fd)
	rd, err := retry(func() (int, error) {
		return unix.Open(self, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(rd), path), nil
}

func retry(f func() (int, error)) (int, error) {
	for {
		fd, err := f()
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
