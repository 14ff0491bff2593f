package counting

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/uncore"
)

// attachTries is how often the threads of processes are listed anew until a listing brings
// none that the one before did not have.
const attachTries = 10

// openProcesses opens the counters on all threads of the processes.
//
// A thread that is born while they are being opened has inherited its creator's counters, or
// it has not, which nobody can tell: opened once more it would count twice, and otherwise
// perhaps not at all. So all of it is done again until no thread was born meanwhile.
func (r *repetition) openProcesses() error {
	for _, pid := range r.opt.PIDs {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			switch err {
			case unix.ESRCH:
				err = ErrNoProcess
			case unix.ENOENT, unix.EINVAL: // of newer kernels, and of older ones
				err = fmt.Errorf("%w: it is a thread's id", ErrNoProcess)
			}
			return fmt.Errorf("process %d: %w", pid, err)
		}
		r.pidfds = append(r.pidfds, fd)
	}
	tids, err := r.threads()
	if err != nil {
		return err
	}
	for range attachTries {
		if err := r.openCounters(uncore.Target{Threads: tids, Inherit: !r.opt.NoInherit}); err != nil {
			return err
		}
		now, err := r.threads()
		if err != nil {
			return err
		}
		known := tids
		tids = now
		if !slices.ContainsFunc(now, func(tid int) bool { return !slices.Contains(known, tid) }) {
			return nil
		}
		if r.opt.NoInherit {
			continue // nothing is counted twice, but a new thread not at all
		}
	}
	r.result.note(NoteCounters, "the processes start threads all the time: those that began while counters were being opened may be missing")
	return nil
}

// threads lists the threads of all processes, of which at least one is left.
func (r *repetition) threads() ([]int, error) {
	var tids []int
	for _, pid := range r.opt.PIDs {
		entries, err := os.ReadDir(filepath.Join(cmp.Or(r.opt.Proc, "/proc"), strconv.Itoa(pid), "task"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has just ended; the others are counted
		}
		if err != nil {
			return nil, fmt.Errorf("threads of process %d: %w", pid, err)
		}
		for _, e := range entries {
			if tid, err := strconv.Atoi(e.Name()); err == nil {
				tids = append(tids, tid)
			}
		}
	}
	if len(tids) == 0 {
		return nil, ErrNoTarget
	}
	slices.Sort(tids)
	return slices.Compact(tids), nil // a process may have been named twice
}

// openCounters opens the counters in place of those that are open. If they are more than
// files may be open, that limit is raised as far as this user may.
func (r *repetition) openCounters(t uncore.Target) error {
	if r.opt.Events == nil {
		return nil
	}
	if r.counters != nil {
		r.counters.Close()
		r.counters = nil
	}
	for {
		counters, err := r.opt.Events.Open(t)
		if errors.Is(err, unix.EMFILE) {
			if moreFiles() {
				continue
			}
			return fmt.Errorf("%w: %w", ErrTooManyFD, err)
		}
		r.counters = counters
		return err
	}
}

// keepFileLimit gives the command of each repeat the limit of open files that the first one had. It
// would inherit ours, which moreFiles may have raised meanwhile.
func (r *repetition) keepFileLimit() error {
	var limit unix.Rlimit
	err := unix.Prlimit(r.command.PID, unix.RLIMIT_NOFILE, nil, &limit)
	switch {
	case err != nil:
	case r.Repeat == 0:
		r.files = limit
	case limit != r.files:
		err = unix.Prlimit(r.command.PID, unix.RLIMIT_NOFILE, &r.files, nil)
	}
	if err != nil {
		return fmt.Errorf("the command's limit of open files: %w", err)
	}
	return nil
}

// maxFiles bounds what counting asks for: the kernel's default for fs.nr_open.
const maxFiles = 1 << 20

// moreFiles lets four times as many files be open, and tells whether it may.
func moreFiles() bool {
	var limit unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit) != nil || limit.Cur >= maxFiles {
		return false
	}
	want := min(4*limit.Cur, maxFiles)
	if unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: want, Max: max(want, limit.Max)}, nil) == nil {
		return true
	}
	return limit.Cur < limit.Max && unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit.Max, Max: limit.Max}, nil) == nil
}
