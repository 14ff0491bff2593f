package symbol

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Resolver finds the binaries behind mappings and reads each once, however
// many processes and mappings use it. It is not safe for concurrent use.
type Resolver struct {
	opt     Options
	files   map[fileKey]opened
	ids     map[idKey]*Binary
	seen    map[seenKey]*Binary
	vdso    *Binary
	kernel  *Binary
	holding int // files kept open
	server  *debuginfod
	// journals is what those of all processes may still cost together.
	journals jitAllowance
	together *allowance
}

// opened is what came of reading a file: it is not read again only to fail.
type opened struct {
	binary *Binary
	err    error
}

// idKey is what two files must have in common to be taken for copies of one.
// A build id alone would let a process name the functions of everybody's libc
// by putting its id on a file of its own.
type idKey struct {
	buildID string
	uid     uint32
	size    int64
}

// seenKey remembers mappings for when their processes are gone.
type seenKey struct {
	file, buildID string
	major, minor  uint32
	inode         uint64
}

// New makes a Resolver. Nothing is read yet.
func New(opt Options) *Resolver {
	opt.Proc = cmp.Or(opt.Proc, "/proc")
	opt.Sys = cmp.Or(opt.Sys, "/sys")
	opt.Root = cmp.Or(opt.Root, "/")
	opt.Debug = cmp.Or(opt.Debug, "/usr/lib/debug")
	opt.Limits = opt.Limits.withDefaults()
	return &Resolver{
		opt:   opt,
		files: map[fileKey]opened{},
		ids:   map[idKey]*Binary{},
		seen:  map[seenKey]*Binary{},

		server:   newDebuginfod(opt.Debuginfod),
		journals: jitAllowance{opt.Limits.Symbols, opt.Limits.TableBytes},
		together: newAllowance(opt.Limits),
	}
}

// Open finds the file of a mapping and checks that it is the one that was
// mapped. Call it while the process lives, if possible: its own view of the
// file system is looked at first, a deleted file is found only there, and what
// is opened then stays usable afterwards. Errors: [ErrNoFile], [ErrReplaced],
// [ErrFormat], [ErrLimit], and those of the system (fs.ErrNotExist,
// fs.ErrPermission).
func (r *Resolver) Open(m Mapping) (*Binary, error) {
	if m.File == "[vdso]" {
		return r.openVDSO(m)
	}
	if !strings.HasPrefix(m.File, "/") || strings.HasPrefix(m.File, "//") {
		return nil, fmt.Errorf("%q: %w", m.File, ErrNoFile)
	}
	key := seenKey{m.File, m.BuildID, m.Major, m.Minor, m.Inode}
	var worst error
	for _, p := range r.places(m) {
		b, err := r.tryPlace(m, p)
		if err == nil {
			r.seen[key] = b
			return b, nil
		}
		if worst == nil || telling(err) > telling(worst) {
			worst = err
		}
	}
	if b := r.seen[key]; b != nil && (m.BuildID != "" || m.Inode != 0) {
		return b, nil
	}
	return nil, worst
}

// telling ranks errors: what is missing at one place says less than what may
// not be read at another, and that less than a file that is wrong.
func telling(err error) int {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENOTDIR):
		return 0
	case errors.Is(err, fs.ErrPermission):
		return 1
	}
	return 2
}

// tryPlace looks at one place where the file of m may be.
func (r *Resolver) tryPlace(m Mapping, p place) (*Binary, error) {
	fd, st, err := p.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	known := false
	if m.BuildID == "" {
		if known, err = p.check(m, fd, &st); err != nil {
			return nil, err
		}
	}
	b, err := r.binary(fd, &st, m.File, p.path, m.PID)
	if err != nil {
		return nil, err
	}
	if m.BuildID != "" {
		if b.BuildID != m.BuildID {
			return nil, fmt.Errorf("%s: %w: build id %q, mapped %q", p.path, ErrReplaced, b.BuildID, m.BuildID)
		}
		known = true
	}
	b.Unverified = b.Unverified || !known
	return b, nil
}

// binary gives the Binary of a file, which is read if it is new.
func (r *Resolver) binary(fd int, st *unix.Stat_t, name, path string, pid int) (*Binary, error) {
	key := keyOf(st)
	if o, ok := r.files[key]; ok {
		return o.binary, o.err
	}
	b, err := r.read(fd, st, name, path, pid)
	switch {
	case err == nil:
		id := idKey{b.BuildID, st.Uid, st.Size}
		if b.BuildID != "" {
			if old := r.ids[id]; old != nil {
				b.file.close()
				b = old
				break
			}
			r.ids[id] = b
		}
		if r.holding++; r.holding > r.opt.Limits.OpenFiles {
			b.file.rests = true
			b.file.close()
		}
	case !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit):
		return nil, err // may work the next time
	}
	r.files[key] = opened{b, err}
	return b, err
}

func (r *Resolver) read(fd int, st *unix.Stat_t, name, path string, pid int) (*Binary, error) {
	f, err := openForReading(fd, path)
	if err != nil {
		return nil, err
	}
	src := &source{f: f, path: path, key: keyOf(st)}
	b := &Binary{Path: strings.TrimSuffix(name, deletedSuffix), lim: r.opt.Limits, together: r.together, file: src, search: r.debugSearch(pid)}
	err = guard(func() error {
		im, err := readImage(src, st.Size, b.lim)
		if im == nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.note(err)
		b.image, b.BuildID = im, im.buildID()
		return nil
	})
	if err != nil {
		src.close()
		return nil, err
	}
	return b, nil
}

func (r *Resolver) debugSearch(pid int) debugSearch {
	s := debugSearch{root: r.opt.Root, dir: r.opt.Debug, server: r.server}
	if pid > 0 {
		s.theirs = filepath.Join(r.opt.Proc, strconv.Itoa(pid), "root")
	}
	return s
}

// Close closes every file and frees the tables of every Binary that Open gave.
func (r *Resolver) Close() error {
	var errs []error
	for _, o := range r.files {
		if o.binary != nil {
			errs = append(errs, o.binary.close())
		}
	}
	*r = *New(r.opt)
	return errors.Join(errs...)
}
