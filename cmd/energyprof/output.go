package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// output is a file that appears under its name only when it is complete. It is
// opened before a recording begins, so that a name which cannot be written costs
// nobody a recording.
type output struct {
	*os.File
	path    string
	special bool // a device or pipe: written in place
}

// maxTempName is how much of a file's name its temporary one has. That is longer by a dot and a random number, and
// may not be longer than the longest name (NAME_MAX, 255).
const maxTempName = 200

// createOutput prepares path with mode 0600, never through a symbolic link.
// Under sudo the file belongs to the user who called it.
func createOutput(path string) (*output, error) {
	if path == "-" {
		return nil, errors.New("output file -: standard output is not written to; a file of this name is ./-")
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("output file: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("output file %s is a symbolic link: files are not written through one, name its target", path)
	case info.IsDir():
		return nil, fmt.Errorf("output file %s: %w", path, unix.EISDIR)
	case !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, fmt.Errorf("output file: %w", err)
		}
		return &output{File: f, path: path, special: true}, nil
	}
	base := filepath.Base(path)
	f, err := os.CreateTemp(filepath.Dir(path), "."+base[:min(len(base), maxTempName)]+".*")
	if err != nil {
		return nil, fmt.Errorf("output file %s: %w", path, err)
	}
	o := &output{File: f, path: path}
	if err := o.giveToCaller(); err != nil {
		o.discard()
		return nil, err
	}
	return o, nil
}

// isSpecial tells whether path is a device or pipe.
func isSpecial(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && !info.Mode().IsRegular()
}

// giveToCaller hands the file to the user who called sudo.
func (o *output) giveToCaller() error {
	uid, err1 := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(os.Getenv("SUDO_GID"))
	if os.Geteuid() != 0 || err1 != nil || err2 != nil {
		return nil
	}
	if err := o.Chown(uid, gid); err != nil {
		return fmt.Errorf("output file %s: giving it to user %d: %w", o.path, uid, err)
	}
	return nil
}

// commit makes the complete file appear under its name.
func (o *output) commit() error {
	if err := o.Close(); err != nil {
		o.discard()
		return fmt.Errorf("output file %s: %w", o.path, err)
	}
	if o.special {
		return nil
	}
	if err := os.Rename(o.Name(), o.path); err != nil {
		o.discard()
		return fmt.Errorf("output file: %w", err)
	}
	return nil
}

// discard removes what was written. It does nothing after commit.
func (o *output) discard() {
	o.Close()
	if !o.special {
		os.Remove(o.Name())
	}
}
