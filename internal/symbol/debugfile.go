package symbol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// debugSearch is where the separate debug file of a binary may be.
type debugSearch struct {
	root   string      // "/": what paths mean to us
	theirs string      // what they mean to the process that mapped the binary, "" without one
	dir    string      // "/usr/lib/debug"
	server *debuginfod // nil if none is to be asked
}

// openDebugFile opens the separate file that has the symbols or lines which the
// binary lacks: what a distribution installs for its build id, what its
// .gnu_debuglink names, or what a debuginfod server has. Ours are looked at
// before those of the process: a binary may be shared with others, whose names
// are not this one's to choose. Nil if there is none that agrees.
func (b *Binary) openDebugFile() *image {
	if b.file == nil || b.image.section(".symtab") != nil && b.image.hasDebugInfo() {
		return nil
	}
	im, src, err := b.findDebugFile()
	b.note(err)
	b.debug = src
	return im
}

func (im *image) hasDebugInfo() bool {
	return im.section(".debug_info") != nil || im.section(".zdebug_info") != nil
}

func (b *Binary) findDebugFile() (*image, *source, error) {
	im, src, err := b.debugByBuildID(b.BuildID)
	if im != nil {
		return im, src, nil
	}
	linked, linkedSrc, linkErr := b.debugByLink()
	if linked != nil {
		return linked, linkedSrc, nil
	}
	if err = errors.Join(err, linkErr); b.golang != nil {
		return nil, nil, err // its own table has all that a server could tell
	}
	im, src, fetchErr := b.fetchDebug(b.BuildID)
	return im, src, errors.Join(err, fetchErr)
}

// debugByBuildID opens the installed debug file of a build id, which need not be this
// binary's. Nil without an error if there is none.
func (b *Binary) debugByBuildID(id string) (*image, *source, error) {
	if len(id) < 4 {
		return nil, nil, nil
	}
	name := filepath.Join(".build-id", id[:2], id[2:]+".debug")
	agrees := func(im *image, _ *source) bool { return im.buildID() == id }
	var errs []error
	if dir := b.search.dir; dir != "" {
		path := filepath.Join(dir, name)
		im, src, err := b.tryDebug(path, agrees, func() (int, unix.Stat_t, error) { return openPath(path) })
		if im != nil {
			return im, src, nil
		}
		errs = append(errs, err)
	}
	if root := b.search.theirs; root != "" {
		im, src, err := b.tryBelow(root, filepath.Join("usr/lib/debug", name), agrees)
		if im != nil {
			return im, src, nil
		}
		errs = append(errs, err)
	}
	return nil, nil, errors.Join(errs...)
}

// debugByLink opens the file that .gnu_debuglink names, in the places in which
// gdb looks for it: beside the binary, in .debug there, in the tree of debug files.
func (b *Binary) debugByLink() (*image, *source, error) {
	name, sum, ok := b.image.debugLink()
	if !ok {
		return nil, nil, nil
	}
	agrees := func(im *image, src *source) bool {
		if id := im.buildID(); id != "" && b.BuildID != "" {
			return id == b.BuildID
		}
		limit := b.limits().DebugWork
		b.worked(min(src.key.size, limit))
		return crcOf(src, src.key.size, limit) == sum
	}
	at := filepath.Dir(b.Path)
	var errs []error
	for _, root := range []string{b.search.root, b.search.theirs} {
		if root == "" {
			continue
		}
		tree := "usr/lib/debug"
		if root == b.search.root && b.search.dir != "" {
			tree = b.search.dir
		}
		for _, path := range []string{filepath.Join(at, name), filepath.Join(at, ".debug", name), filepath.Join(tree, at, name)} {
			below := root
			if strings.HasPrefix(path, b.search.dir+"/") && root == b.search.root {
				below = "/" // the tree of debug files is ours, wherever paths are looked up
			}
			im, src, err := b.tryBelow(below, path, agrees)
			if im != nil {
				return im, src, nil
			}
			errs = append(errs, err)
		}
	}
	return nil, nil, errors.Join(errs...)
}

func (b *Binary) tryBelow(root, name string, agrees func(*image, *source) bool) (*image, *source, error) {
	return b.tryDebug(filepath.Join(root, name), agrees, func() (int, unix.Stat_t, error) { return openBelow(root, name, false) })
}

// tryDebug opens a file that may be a debug file; nil without an error if it is not
// there, or another's.
func (b *Binary) tryDebug(path string, agrees func(*image, *source) bool, open func() (int, unix.Stat_t, error)) (*image, *source, error) {
	fd, st, err := open()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoFile) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			err = nil
		}
		return nil, nil, err
	}
	defer unix.Close(fd)
	f, err := openForReading(fd, path)
	if err != nil {
		return nil, nil, err
	}
	src := &source{f: f, path: path, key: keyOf(&st), rests: b.file.rests}
	var im *image
	good := false
	err = guard(func() (err error) {
		if im, err = readImage(src, st.Size, b.lim); im != nil {
			good = agrees(im, src)
		}
		return err
	})
	if !good {
		src.close()
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return nil, nil, err
	}
	return im, src, nil
}

// maxLinkName bounds what .gnu_debuglink names: a file name (NAME_MAX) and a sum.
const maxLinkName = 255

// debugLink reads .gnu_debuglink: the name of a file, padded to four bytes, and the
// CRC-32 of its contents.
func (im *image) debugLink() (name string, sum uint32, ok bool) {
	s := im.section(".gnu_debuglink")
	if s == nil || s.size > maxLinkName+8 {
		return "", 0, false
	}
	b, err := im.bytes(s.off, s.size)
	if err != nil {
		return "", 0, false
	}
	end := bytes.IndexByte(b, 0)
	if end <= 0 {
		return "", 0, false
	}
	name = string(b[:end])
	rest := b[min((end+4)&^3, len(b)):]
	// It is a name in a directory, not a way out of it.
	if len(rest) < 4 || strings.Contains(name, "/") || name == "." || name == ".." {
		return "", 0, false
	}
	return name, binary.LittleEndian.Uint32(rest), true
}

// crcOf sums up a file; 0 if it cannot be read or is larger than limit, which
// no file of debug information that has a link is likely to be.
func crcOf(r io.ReaderAt, size, limit int64) uint32 {
	if size > limit {
		return 0
	}
	h := crc32.NewIEEE()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, size)); err != nil {
		return 0
	}
	return h.Sum32()
}

// fetchDebug opens what a debuginfod server has for a build id, fetched now or
// before.
func (b *Binary) fetchDebug(id string) (*image, *source, error) {
	if b.search.server == nil || len(id) < 4 {
		return nil, nil, nil
	}
	path, err := b.search.server.find(id, b.lim)
	if path == "" {
		return nil, nil, err
	}
	agrees := func(im *image, _ *source) bool { return im.buildID() == id }
	im, src, err := b.tryDebug(path, agrees, func() (int, unix.Stat_t, error) { return openPath(path) })
	if im == nil && err == nil {
		err = fmt.Errorf("%s: %w: of another build id", path, ErrReplaced)
	}
	return im, src, err
}
